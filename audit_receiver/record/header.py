"""The header: what proves and counts an entry, as one line of canonical text (DESIGN 3.1).

Its keys stand in alphabetical order and no value needs an escape, so that writing one is a
concatenation. `heading` reads headers back.
"""

from functools import lru_cache
from hashlib import sha3_256
from typing import Any

from audit_receiver.record import canonical, fields, heading
from audit_receiver.record.canonical import NotCanonical
from audit_receiver.record.model import Draft

VERSION = heading.VERSION
KEYS = heading.KEYS
KINDS = heading.KINDS
OUTCOMES = heading.OUTCOMES
LEDGER_PREFIX = heading.LEDGER_PREFIX
parse = heading.parse
is_token = fields.is_token
resource_text = fields.resource_text

LATE = 24 * 3600 * 1_000_000_000
SKEW = 60 * 1_000_000_000

Fixed = tuple[str, str, str, str]


def fixed(
    kind: str,
    body_sha3: str,
    subject_sha3: str,
    time: str | None,
    found: fields.Found,
) -> Fixed:
    """The four runs of header text that do not depend on the entry's place.

    `found` is what `fields.of_record` returns.
    """
    head, middle, kinds, service, rest = _tokens_text(kind, found)
    subject = f',"subject":"{subject_sha3}"' if subject_sha3 else ""
    when = f',"time":"{time}"' if time else ""
    return f'{head}"body":"{body_sha3}",', middle, kinds, f'{service}{subject}{rest}{when},"v":1}}'


@lru_cache(4096)
def _tokens_text(kind: str, found: fields.Found) -> tuple[str, str, str, str, str]:
    """What the tokens of a record say, in runs: the same ones come again and again."""
    action, actor_type, environment, event, outcome, service, target_type, tenant, _ = found
    head = "{"
    if action:
        head += f'"action":"{action}",'
    if actor_type:
        head += f'"actor_type":"{actor_type}",'
    middle = f'"environment":"{environment}",' if environment else ""
    if event:
        middle += f'"event":"{event}",'
    kinds = f'"kind":"{kind}",'
    if outcome:
        kinds += f'"outcome":"{outcome}",'
    kinds += '"prev":"'
    rest = f',"target_type":"{target_type}"' if target_type else ""
    if tenant:
        rest += f',"tenant":"{tenant}"'
    return head, middle, kinds, f',"service":"{service}"' if service else "", rest


def render(
    draft: Draft,
    seq: int,
    prev_hex: str,
    received: str,
    id_hex: str,
    flags: tuple[str, ...],
    duplicate_of: int | None,
) -> str:
    """The header text of a draft at its place; `flags` come on top of the draft's own.

    `id_hex` is "" for kind ledger.
    """
    head, middle, kinds, tail = draft.fixed
    repeated = f'"duplicate_of":{duplicate_of},' if duplicate_of is not None else ""
    identified = f'"id":"{id_hex}",' if id_hex else ""
    return (
        f"{head}{repeated}{middle}{_flags_text(draft.flags, flags)}{identified}{kinds}{prev_hex}"
        f'","received":"{received}","seq":{seq}{tail}'
    )


@lru_cache(4096)
def _flags_text(own: frozenset[str], more: tuple[str, ...]) -> str:
    names = sorted(own.union(more))
    return '"flags":[' + ",".join(f'"{name}"' for name in names) + "],"


def timing_flags(time_unix_nano: int, received_unix_nano: int) -> tuple[str, ...]:
    """The flags that depend on when a record was received; 0 is a record without a time."""
    if time_unix_nano:
        age = received_unix_nano - time_unix_nano
        if age > LATE:
            return ("late",)
        if age < -SKEW:
            return ("clock_skew",)
    return ()


def repeat(draft: Draft, seq: int) -> Draft:
    """The draft as a repetition of entry `seq`: its body says so, and is hashed anew."""
    body = canonical.decode(draft.body.encode())
    body["duplicate_of"] = seq
    text = canonical.encode(body)
    head, *rest = draft.fixed
    before = head[: head.index('"body":"')]
    digest = sha3_256(text).hexdigest()
    return draft._replace(body=text.decode(), fixed=(f'{before}"body":"{digest}",', *rest))


def expected(body: dict[str, Any]) -> dict[str, Any]:
    """The header fields that are functions of a (decoded, canonical) body, but for the two hashes.

    Those are `body` and, unless the kind is ledger, `subject`. A key that is absent here is absent
    in the header. Raises NotCanonical where the body has not the shape of DESIGN 3.4.
    """
    try:
        return _expected(body)
    except (KeyError, TypeError, AttributeError) as exc:
        raise NotCanonical("shape", f"the body lacks a part that its kind has: {exc!r}") from exc


def _expected(body: dict[str, Any]) -> dict[str, Any]:
    kind = body["kind"]
    if kind == "ledger":
        event = body["event"]
        return {"action": LEDGER_PREFIX + event["name"], "kind": kind, "time": event["time"]}
    otlp = body["otlp"]
    found = fields.of_record(
        kind, body["audit"], otlp, body["attributes"], body["resource"]["attributes"]
    )
    action, actor_type, environment, event, outcome, service, target_type, tenant, _ = found
    result = {"kind": kind, "outcome": outcome}
    if action:
        result["action"] = action
    if actor_type:
        result["actor_type"] = actor_type
    if environment:
        result["environment"] = environment
    if event:
        result["event"] = event
    if service:
        result["service"] = service
    if target_type:
        result["target_type"] = target_type
    if tenant:
        result["tenant"] = tenant
    if time := fields.time_of(kind, otlp):
        result["time"] = time
    if "duplicate_of" in body:
        if type(body["duplicate_of"]) is not int:  # True equals 1
            raise NotCanonical("shape", "`duplicate_of` is not a number")
        result["duplicate_of"] = body["duplicate_of"]
    return result
