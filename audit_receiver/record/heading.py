"""Reading headers strictly: one form only (DESIGN 3.1).

A header is a regular language: one pattern holds the keys, their order and the form of each value,
and what it accepts is canonical JSON. Everything slower is done only to say what is wrong.
"""

import re
from functools import lru_cache
from typing import Any

from audit_receiver.record import canonical, timestamp
from audit_receiver.record.canonical import NotCanonical
from audit_receiver.record.fields import FORBIDDEN, MOST_TOKEN_BYTES

VERSION = 1
KINDS = ("audit", "ledger", "log", "span")
OUTCOMES = ("failure", "success", "unknown")
MOST_BYTES = 4095
LEDGER_PREFIX = "ledger."

_NOT_IN_TOKENS = "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in FORBIDDEN)
_TOKEN = f'"([^{_NOT_IN_TOKENS}]{{1,{MOST_TOKEN_BYTES}}})"'
_NUMBER = "(0|[1-9][0-9]{0,15})"
_SHA3 = '"([0-9a-f]{64})"'
_TIME = '"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z)"'
_FORMS = {  # every key there is, in the order of the text
    "action": _TOKEN,
    "actor_type": _TOKEN,
    "body": _SHA3,
    "duplicate_of": _NUMBER,
    "environment": _TOKEN,
    "event": _TOKEN,
    "flags": r'(\[(?:"[a-z0-9_]{1,32}"(?:,"[a-z0-9_]{1,32}")*)?\])',
    "id": '"([0-9a-f]{16})"',
    "kind": f'"({"|".join(KINDS)})"',
    "outcome": f'"({"|".join(OUTCOMES)})"',
    "prev": _SHA3,
    "received": _TIME,
    "seq": _NUMBER,
    "service": _TOKEN,
    "subject": _SHA3,
    "target_type": _TOKEN,
    "tenant": _TOKEN,
    "time": _TIME,
    "v": "(1)",
}
KEYS = tuple(_FORMS)
_ALWAYS = frozenset({"body", "flags", "kind", "prev", "received", "seq", "v"})
_NUMBERS = frozenset({"duplicate_of", "seq", "v"})
_OF_RECORDS = frozenset(  # what a ledger entry's header never has
    {
        *("actor_type", "duplicate_of", "environment", "event", "id", "outcome"),
        *("service", "subject", "target_type", "tenant"),
    }
)


def _member(key: str, form: str) -> str:
    comma = "" if key == "v" else ","
    member = f'"{key}":{form}{comma}'
    return member if key in _ALWAYS else f"(?:{member})?"


_HEADER = re.compile(r"\{" + "".join(_member(key, form) for key, form in _FORMS.items()) + r"\}")


class NewerVersion(Exception):
    """A header of a later format: its hashes can be judged, its fields cannot (DESIGN 3.8)."""


def parse(text: str) -> dict[str, Any]:
    """The fields of a header.

    Raises:
        NotCanonical: it is no header of version 1. Reasons beside those of `canonical.decode`: key,
            value, flags, rule.
        NewerVersion: its `v` is larger than 1.
    """
    match = _HEADER.fullmatch(text)
    if match is None:
        raise _why(text)
    found: dict[str, Any] = {
        key: value for key, value in zip(KEYS, match.groups(), strict=True) if value is not None
    }
    flags, names = _flags(found["flags"])
    if broken := _broken_rule(found, names):
        raise NotCanonical(*broken)
    found["flags"] = list(flags)
    found["seq"] = seq = int(found["seq"])
    found["v"] = VERSION
    if seq > canonical.MOST_EXACT:
        raise NotCanonical("value", "seq is beyond 2**53 - 1")
    if "duplicate_of" in found:
        found["duplicate_of"] = int(found["duplicate_of"])
        if found["duplicate_of"] >= seq:
            raise NotCanonical("rule", "an entry repeats an earlier one, not itself or a later one")
    if not text.isascii() or len(text) > MOST_BYTES:
        _check_bytes(text, found)
    return found


@lru_cache(4096)
def _flags(text: str) -> tuple[tuple[str, ...], frozenset[str]]:
    names = tuple(text[2:-2].split('","')) if len(text) > 2 else ()
    if list(names) != sorted(set(names)):
        raise NotCanonical("flags", "flags are sorted, and each stands once")
    return names, frozenset(names)


def _broken_rule(found: dict[str, Any], flags: frozenset[str]) -> tuple[str, str] | None:
    """What no pattern of a single field says: (reason, message)."""
    if not (_is_time(found["received"]) and ("time" not in found or _is_time(found["time"]))):
        return "value", "a time is not in the calendar"
    if found["kind"] == "ledger":
        if not _OF_RECORDS.isdisjoint(found):
            extra = ", ".join(sorted(_OF_RECORDS.intersection(found)))
            return "key", f"a ledger entry's header has no {extra}"
        if "time" not in found or not found.get("action", "").startswith(LEDGER_PREFIX):
            return "rule", "a ledger entry has a time, and its action begins with `ledger.`"
        return None
    if not ("id" in found and "subject" in found and "outcome" in found):
        return "key", "the header of a record has id, outcome and subject"
    if ("missing_time" in flags) is ("time" in found):
        return "rule", "`time` is left out where the flag missing_time stands, and only there"
    if ("missing_outcome" in flags) is not (found["outcome"] == "unknown"):
        return "rule", "the outcome is `unknown` where the flag missing_outcome stands, only there"
    if "action" not in found and flags.isdisjoint(("missing_action", "withheld_action")):
        return "rule", "`action` is left out where a flag says why"
    if ("duplicate" in flags) is not ("duplicate_of" in found):
        return "rule", "`duplicate_of` stands with the flag duplicate, and only there"
    for flag in flags:
        if flag.startswith("withheld_") and flag[9:] in found:
            return "rule", f"`{flag[9:]}` stands there though the flag says that it is withheld"
    return None


def _is_time(text: str) -> bool:
    try:
        timestamp.seconds(text[:19])
    except ValueError:
        return False
    return True


def _check_bytes(text: str, found: dict[str, Any]) -> None:
    if len(text.encode()) > MOST_BYTES:
        raise NotCanonical("value", f"the header is over {MOST_BYTES} bytes")
    for key, value in found.items():
        if isinstance(value, str) and len(value.encode()) > MOST_TOKEN_BYTES:
            raise NotCanonical("value", f"{key} is over {MOST_TOKEN_BYTES} bytes")


def _why(text: str) -> NotCanonical | NewerVersion:
    """Say to a reader what is wrong; slow, for texts that are refused already."""
    try:
        value = canonical.decode(text.encode("utf-8", "surrogatepass"))
    except NotCanonical as exc:
        return exc
    if not isinstance(value, dict):
        return NotCanonical("value", "the header is not an object")
    version = value.get("v")
    if type(version) is int and version > VERSION:
        return NewerVersion(f"the header is of format {version}; this program knows {VERSION}")
    if unknown := sorted(set(value) - set(KEYS)):
        return NotCanonical("key", f"the header has keys of no meaning: {', '.join(unknown)}")
    if absent := sorted(_ALWAYS - set(value)):
        return NotCanonical("key", f"the header lacks {', '.join(absent)}")
    for key, form in _FORMS.items():
        if key in value:
            member = canonical.encode(value[key]).decode()
            if not re.fullmatch(form, member):
                return NotCanonical("value", f"{key} cannot be {member[:80]}")
    return NotCanonical("spelling", "the header is not in the one form")
