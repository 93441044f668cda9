"""The header fields that a body decides, and what may stand in them (DESIGN 3.1).

The same code finds them when an entry is made (`body.encode`) and when it is checked
(`header.expected`), so that nothing depends on how the record came.
"""

from collections.abc import Iterable
from typing import Any

from audit_receiver.record import aliases
from audit_receiver.record.canonical import text_of
from audit_receiver.record.model import Attributes, CanonicalValue

MOST_TOKEN_BYTES = 120
FORBIDDEN = (  # code points, first and last
    (0x00, 0x1F),  # control characters
    (0x22, 0x22),  # quotation mark
    (0x40, 0x40),  # @, as in mail addresses
    (0x5C, 0x5C),  # backslash
    (0x7F, 0x9F),  # more control characters
    (0x200B, 0x200F),  # from here on: what hides, or turns text around
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0xFEFF, 0xFEFF),
)
MOST_REMEMBERED = 16_384  # senders choose the values, so what is remembered is bounded

# action, actor_type, environment, event, outcome, service, target_type, tenant; what is withheld
Found = tuple[str, str, str, str, str, str, str, str, tuple[str, ...]]

_FORBIDDEN = frozenset(chr(code) for first, last in FORBIDDEN for code in range(first, last + 1))
_tokens: set[str] = set()  # values that were found to be tokens


def is_token(text: str) -> bool:
    """Whether a value may stand in a header: 1 to 120 bytes, needs no escape, names no mailbox."""
    if text in _tokens:
        return True
    if not 0 < len(text) <= MOST_TOKEN_BYTES or len(text.encode()) > MOST_TOKEN_BYTES:
        return False
    if not _FORBIDDEN.isdisjoint(text):
        return False
    if len(_tokens) < MOST_REMEMBERED:
        _tokens.add(text)
    return True


def resource_text(attributes: Attributes, names: Iterable[str]) -> tuple[str, bool]:
    """The first of these attributes that says something, as text, as `canonical.text_of` does."""
    for name in names:
        if name in attributes:
            text, replaced = text_of(attributes[name])
            if text:
                return text, replaced
    return "", False


def of_record(
    kind: str,
    audit: dict[str, Any],
    otlp: dict[str, Any],
    attributes: Attributes,
    resource_attributes: Attributes,
) -> Found:
    """The tokens that the parts of a body decide, "" for a key that is left out.

    Returns:
        action, actor_type, environment, event, outcome, service, target_type, tenant, and the
        names of the keys whose value is no token.
    """
    withheld: list[str] = []
    action = audit.get("action", "")
    if action and not is_token(action):
        withheld.append("action")
        action = ""
    actor_type = audit["actor"].get("type", "") if "actor" in audit else ""
    if actor_type and not is_token(actor_type):
        withheld.append("actor_type")
        actor_type = ""
    environment = _first_token(resource_attributes, aliases.ENVIRONMENT)
    if environment is None:
        withheld.append("environment")
    event = _token(otlp.get("name") if kind == "span" else _event_name(otlp, attributes))
    if event is None:
        withheld.append("event")
    service = _first_token(resource_attributes, aliases.SERVICE)
    if service is None:
        withheld.append("service")
    target_type = audit["target"].get("type", "") if "target" in audit else ""
    if target_type and not is_token(target_type):
        withheld.append("target_type")
        target_type = ""
    tenant = audit.get("tenant", "")
    if tenant and not is_token(tenant):
        withheld.append("tenant")
        tenant = ""
    return (
        action,
        actor_type,
        environment or "",
        event or "",
        audit.get("outcome", "unknown"),
        service or "",
        target_type,
        tenant,
        tuple(withheld) if withheld else (),
    )


def time_of(kind: str, otlp: dict[str, Any]) -> str | None:
    """The event time as the producer states it, from a body's `otlp` object."""
    if kind == "span":
        return otlp.get("start") or otlp.get("end")
    return otlp.get("time") or otlp.get("observed_time")


def _event_name(otlp: dict[str, Any], attributes: Attributes) -> CanonicalValue:
    """A log's event name: the field, else the attribute of old."""
    return otlp.get("event_name") or attributes.get("event.name")


def _first_token(attributes: Attributes, names: Iterable[str]) -> str | None:
    """The first of these attributes that says something; None if it is no token."""
    for name in names:
        if name in attributes and (token := _token(attributes[name])) != "":
            return token
    return ""


def _token(value: CanonicalValue) -> str | None:
    """A value as a token; "" if it says nothing, None if it cannot stand in a header as it is."""
    if type(value) is str:
        return value if not value or is_token(value) else None
    if value is None or (type(value) is dict and "$utf8" in value):
        return "" if value is None else None
    text = text_of(value)[0]
    return text if text and is_token(text) else None
