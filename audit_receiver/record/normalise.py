"""What a record says, in our words: actor, action, target, outcome, source, change (DESIGN 5).

The original attributes always stay beside it in the body. Nothing is refused: what is missing is
flagged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit_receiver.record import aliases
from audit_receiver.record.canonical import text_of
from audit_receiver.record.header import resource_text
from audit_receiver.record.model import Attributes, AuditRecord, CanonicalValue, Observation

_OK, _ERROR = 1, 2  # opentelemetry.proto.trace.v1.Status.StatusCode
_STATUS_OUTCOME = {_OK: "success", _ERROR: "failure"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The alias table with what the configuration appends to it."""

    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tenant: str = ""  # the attribute that names the tenant; none if empty
    table: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = set(self.extra) - set(aliases.ALIASES)
        if unknown:
            raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
        table = {
            name: names + tuple(self.extra.get(name, ())) for name, names in aliases.ALIASES.items()
        }
        if self.tenant:
            table["tenant"] = (self.tenant, *table["tenant"])
        object.__setattr__(self, "table", table)


def normalise(observation: Observation, vocabulary: Vocabulary) -> AuditRecord:
    """Find who, what, when, from where, on what, with which result; flag what is missing."""
    finder = _Finder(observation, vocabulary.table)
    find = finder.text
    actor = _group(id=find("actor"), type=find("actor_type"))
    if roles := finder.roles():
        actor["roles"] = roles
    target = _group(id=find("target"), type=find("target_type"))
    source = _group(id=find("source"), type=find("source_type"))
    outcome, denial = _outcome(find("outcome"), observation.status_code)
    members: dict[str, Any] = {
        "action": find("action"),
        "actor": actor,
        "change": _group(field=find("field"), new=find("new"), old=find("old")),
        "outcome": outcome,
        "reason": find("reason") or denial,
        "record_id": find("record_id"),
        "session_id": find("session_id"),
        "source": source,
        "target": target,
        "tenant": find("tenant") or finder.resource("tenant"),
    }
    audit = {name: member for name, member in members.items() if member}
    subject = _group(actor=actor.get("id"), actor_type=actor.get("type"), target=target.get("id"))
    _flag_missing(finder.flags, audit, observation.time_unix_nano)
    attributes = observation.resource.attributes
    return AuditRecord(
        observation,
        audit,
        subject,
        resource_text(attributes, aliases.SERVICE)[0],
        resource_text(attributes, aliases.ENVIRONMENT)[0],
        audit.get("tenant", ""),
        observation.flags.union(finder.flags) if finder.flags else observation.flags,
    )


class _Finder:
    """Looks a field up in the record's own attributes first, then in its events', in order."""

    __slots__ = ("_places", "_resource", "_table", "flags")

    def __init__(self, observation: Observation, table: dict[str, tuple[str, ...]]) -> None:
        self.flags: set[str] = set()
        self._table = table
        self._resource = observation.resource.attributes
        self._places: Iterable[Attributes] = (observation.attributes, *observation.event_attributes)

    def _values(self, name: str) -> Iterable[CanonicalValue]:
        names = self._table[name]
        for attributes in self._places:
            for alias in names:
                if alias in attributes:
                    yield attributes[alias]

    def _clean(self, value: CanonicalValue) -> str | None:
        text, replaced = text_of(value)
        if replaced:
            self.flags.add("control_characters")
        return text

    def text(self, name: str) -> str | None:
        """The first value that says something; "unknown" only if nothing better follows."""
        unknown = None
        for value in self._values(name):
            text = self._clean(value)
            if text is None:
                continue
            if not _says_nothing(text):
                return text
            unknown = unknown or text
        return unknown

    def resource(self, name: str) -> str | None:
        """The same among the resource's attributes (tenant only)."""
        for alias in self._table[name]:
            if text := self._clean(self._resource.get(alias)):
                return text
        return None

    def roles(self) -> list[str]:
        """The actor's roles: a list attribute item by item, or one."""
        for value in self._values("roles"):
            items = value if isinstance(value, list) else [value]
            if roles := [text for item in items if (text := self._clean(item))]:
                return roles
        return []


def _group(**members: str | None) -> dict[str, Any]:
    return {name: text for name, text in members.items() if text}


def _says_nothing(text: str) -> bool:
    return len(text) == 7 and text.lower() == "unknown"


def _outcome(text: str | None, status_code: int) -> tuple[str | None, str | None]:
    """(outcome, the denial as a reason): success, failure, or None where nobody says."""
    if text is None or _says_nothing(text):
        return (_STATUS_OUTCOME.get(status_code) if text is None else None), None
    word = text.strip().lower()
    if word in aliases.SUCCESS:
        return "success", None
    if word in aliases.DENIAL:
        return "failure", text
    return ("failure" if word in aliases.FAILURE else None), None


def _flag_missing(flags: set[str], audit: dict[str, Any], time_unix_nano: int) -> None:
    """The six fields of PCI DSS 10.2.2; "" and "unknown" count as missing."""
    nothing: dict[str, str] = {}
    action = audit.get("action")
    if not action or _says_nothing(action):
        flags.add("missing_action")
    for name in ("actor", "source", "target"):
        found = audit.get(name, nothing).get("id")
        if not found or _says_nothing(found):
            flags.add(f"missing_{name}")
    if not time_unix_nano:
        flags.add("missing_time")
    if "outcome" not in audit:
        flags.add("missing_outcome")
