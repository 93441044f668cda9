"""The header: what proves and counts an entry, as one line of canonical text (DESIGN 3.1).

Every field but v, seq, prev, received, id and flags is a function of the body. The same code
computes them when an entry is made (`pieces`) and when it is checked (`expected`).
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha3_256
from typing import Any, NamedTuple

from audit_receiver.record import aliases, canonical
from audit_receiver.record.model import Attributes, Draft

VERSION = 1
MOST_BYTES = 4095
KEYS = (
    "action",
    "actor_type",
    "body",
    "duplicate_of",
    "environment",
    "event",
    "flags",
    "id",
    "kind",
    "outcome",
    "prev",
    "received",
    "seq",
    "service",
    "subject",
    "target_type",
    "tenant",
    "time",
    "v",
)
KINDS = ("audit", "ledger", "log", "span")
OUTCOMES = ("failure", "success", "unknown")
LEDGER_PREFIX = "ledger."

_FORBIDDEN = frozenset(
    [*'"\\@', "\ufeff"]
    + [chr(c) for c in range(0x20)]
    + [chr(c) for c in range(0x7F, 0xA0)]
    + [chr(c) for c in range(0x200B, 0x2010)]
    + [chr(c) for c in range(0x2028, 0x202F)]
    + [chr(c) for c in range(0x2060, 0x2070)]
)
MOST_TOKEN_BYTES = 120


class Fields(NamedTuple):
    """The header fields that a body decides, but for the hashes; "" where there is nothing."""

    action: str
    actor_type: str
    environment: str
    event: str
    outcome: str
    service: str
    target_type: str
    tenant: str
    withheld: tuple[str, ...]  # keys whose value is no token


@lru_cache(16384)
def is_token(text: str) -> bool:
    """Whether a value may stand in a header: 1 to 120 bytes, needs no escape, names no mailbox."""
    return 0 < len(text.encode()) <= MOST_TOKEN_BYTES and _FORBIDDEN.isdisjoint(text)


def resource_text(attributes: Attributes, names: Iterable[str]) -> tuple[str, bool]:
    """The first of `names` that says something, and whether it had control characters."""
    for name in names:
        if name in attributes:
            text, replaced = canonical.text_of(attributes[name])
            if text:
                return text, replaced
    return "", False


def event_text(kind: str, otlp: dict[str, Any], attributes: Attributes) -> tuple[str, bool]:
    """A span's name, or a log's event name (the field, else the attribute `event.name`)."""
    if kind == "span":
        value = otlp.get("name")
    else:
        value = otlp.get("event_name") or attributes.get("event.name")
    text, replaced = canonical.text_of(value)
    return text or "", replaced


def fields(
    kind: str,
    audit: dict[str, Any],
    otlp: dict[str, Any],
    attributes: Attributes,
    resource_attributes: Attributes,
) -> Fields:
    """The fields of a record's header, from the parts of its body."""
    event, odd_event = event_text(kind, otlp, attributes)
    service, odd_service = resource_text(resource_attributes, aliases.SERVICE)
    environment, odd_environment = resource_text(resource_attributes, aliases.ENVIRONMENT)
    action = audit.get("action", "")
    actor_type = audit["actor"].get("type", "") if "actor" in audit else ""
    target_type = audit["target"].get("type", "") if "target" in audit else ""
    tenant = audit.get("tenant", "")
    withheld: list[str] = []
    if action and not is_token(action):
        withheld.append("action")
        action = ""
    if actor_type and not is_token(actor_type):
        withheld.append("actor_type")
        actor_type = ""
    if environment and (odd_environment or not is_token(environment)):
        withheld.append("environment")
        environment = ""
    if event and (odd_event or not is_token(event)):
        withheld.append("event")
        event = ""
    if service and (odd_service or not is_token(service)):
        withheld.append("service")
        service = ""
    if target_type and not is_token(target_type):
        withheld.append("target_type")
        target_type = ""
    if tenant and not is_token(tenant):
        withheld.append("tenant")
        tenant = ""
    outcome = audit.get("outcome", "unknown")
    return Fields(
        action,
        actor_type,
        environment,
        event,
        outcome,
        service,
        target_type,
        tenant,
        tuple(withheld),
    )


def pieces(
    body_sha3: str, subject_sha3: str, kind: str, time: str | None, found: Fields
) -> tuple[str, str, str, str]:
    """The four runs of header text that do not depend on the entry's place."""
    action, actor_type, environment, event, outcome, service, target_type, tenant, _ = found
    head = '{"action":"' + action + '",' if action else "{"
    if actor_type:
        head += '"actor_type":"' + actor_type + '",'
    head += '"body":"' + body_sha3 + '",'
    middle = '"environment":"' + environment + '",' if environment else ""
    if event:
        middle += '"event":"' + event + '",'
    kinds = '"kind":"' + kind + '",'
    if outcome:
        kinds += '"outcome":"' + outcome + '",'
    kinds += '"prev":"'
    tail = ',"service":"' + service + '"' if service else ""
    if subject_sha3:
        tail += ',"subject":"' + subject_sha3 + '"'
    if target_type:
        tail += ',"target_type":"' + target_type + '"'
    if tenant:
        tail += ',"tenant":"' + tenant + '"'
    if time:
        tail += ',"time":"' + time + '"'
    return head, middle, kinds, tail + ',"v":1}'


def render(
    draft: Draft,
    seq: int,
    prev_hex: str,
    received: str,
    id_hex: str,
    flags: tuple[str, ...],
    duplicate_of: int | None,
) -> str:
    """The header text of a draft at its place; `flags` come on top of the draft's own."""
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
    """The header fields that are functions of a (decoded, canonical) body, but for the hashes.

    Raises KeyError, TypeError or AttributeError where the body has not the shape of DESIGN 3.4.
    """
    kind = body["kind"]
    if kind == "ledger":
        return {"kind": kind, "time": body["event"]["time"]}
    otlp = body["otlp"]
    found = fields(
        kind, body["audit"], otlp, body["attributes"], body["resource"]["attributes"]
    )._asdict()
    del found["withheld"]
    result = {name: text for name, text in found.items() if text}
    result["kind"] = kind
    if time := _time(kind, otlp):
        result["time"] = time
    if "duplicate_of" in body:
        result["duplicate_of"] = body["duplicate_of"]
    return result


def _time(kind: str, otlp: dict[str, Any]) -> str | None:
    first, second = ("start", "end") if kind == "span" else ("time", "observed_time")
    time = otlp.get(first) or otlp.get(second)
    return time if time is None or isinstance(time, str) else str(time)


def parse(text: str) -> dict[str, Any]:
    """Read a header strictly: canonical, no other keys. Raises NotCanonical."""
    value = canonical.decode(text.encode())
    if not isinstance(value, dict):
        raise canonical.NotCanonical("the header is not an object")
    unknown = sorted(set(value) - set(KEYS))
    if unknown:
        raise canonical.NotCanonical(f"the header has keys of no meaning: {', '.join(unknown)}")
    return value
