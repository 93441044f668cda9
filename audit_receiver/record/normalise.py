"""What a record says, in our words: actor, action, target, outcome, source, change (DESIGN 5).

The original attributes always stay beside it in the body. Nothing is refused: what is missing is
flagged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from audit_receiver.record import aliases, canonical, fields
from audit_receiver.record.canonical import text_of
from audit_receiver.record.model import Attributes, AuditRecord, CanonicalValue, Observation

_STATUS_OUTCOME = {1: "success", 2: "failure"}  # opentelemetry.proto.trace.v1.Status.StatusCode
_UNKNOWN = "unknown"

Index = dict[str, tuple[tuple[str, int], ...]]  # attribute key -> (field, rank within the field)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The alias table with what the configuration appends to it."""

    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tenant: str = ""  # the attribute that names the tenant; none if empty
    table: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    index: Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = set(self.extra) - set(aliases.ALIASES)
        if unknown:
            raise ValueError(
                f"no such field: {', '.join(sorted(unknown))}; there are"
                f" {', '.join(sorted(aliases.ALIASES))}"
            )
        table = {
            name: keys + tuple(_key(key) for key in self.extra.get(name, ()))
            for name, keys in aliases.ALIASES.items()
        }
        if self.tenant:
            table["tenant"] = (_key(self.tenant), *table["tenant"])
        index: Index = {}
        for name, keys in table.items():
            for rank, key in enumerate(keys):
                index[key] = (*index.get(key, ()), (name, rank))
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "index", index)


def normalise(observation: Observation, vocabulary: Vocabulary) -> AuditRecord:
    """Find who, what, when, from where, on what, with which result; flag what is missing."""
    finder = _Finder(observation, vocabulary)
    find, flags = finder.text, finder.flags
    audit: dict[str, Any] = {}
    subject: dict[str, str] = {}
    if action := find("action"):
        audit["action"] = action
    if not action or _is_unknown(action):
        flags.add("missing_action")
    if actor := finder.pair("actor", "actor_type"):
        audit["actor"] = actor
        subject["actor"] = actor.get("id", "")
        subject["actor_type"] = actor.get("type", "")
    if roles := finder.roles():
        audit.setdefault("actor", {})["roles"] = roles
    if change := finder.change():
        audit["change"] = change
    outcome, denial = finder.outcome(observation.status_code)
    if outcome:
        audit["outcome"] = outcome
    else:
        flags.add("missing_outcome")
    if reason := find("reason") or denial:
        audit["reason"] = reason
    if record_id := find("record_id"):
        audit["record_id"] = record_id
    if session_id := find("session_id"):
        audit["session_id"] = session_id
    if source := finder.pair("source", "source_type"):
        audit["source"] = source
    if target := finder.pair("target", "target_type"):
        audit["target"] = target
        subject["target"] = target.get("id", "")
    tenant = find("tenant") or finder.around(vocabulary.table["tenant"])
    if tenant:
        audit["tenant"] = tenant
    if not observation.time_unix_nano:
        flags.add("missing_time")
    resource = observation.resource.attributes
    return AuditRecord(
        observation,
        audit,
        {name: text for name, text in subject.items() if text},
        fields.resource_text(resource, aliases.SERVICE)[0],
        fields.resource_text(resource, aliases.ENVIRONMENT)[0],
        tenant or "",
        observation.flags.union(flags) if flags else observation.flags,
    )


class _Finder:
    """What the alias table finds in one record: its own attributes first, then its events'."""

    __slots__ = ("_found", "_observation", "flags")

    def __init__(self, observation: Observation, vocabulary: Vocabulary) -> None:
        self.flags: set[str] = set()
        self._observation = observation
        # field -> (rank, value), the ranks of an event behind all ranks of what comes before it
        self._found: dict[str, list[tuple[int, CanonicalValue]]] = {}
        self._look(observation.attributes, vocabulary.index, 0)
        place = 0
        for attributes in observation.event_attributes:
            if attributes:
                place += 1 << 16
                self._look(attributes, vocabulary.index, place)

    def _look(self, attributes: Attributes, index: Index, place: int) -> None:
        found = self._found
        for key in attributes:
            if key in index:
                for name, rank in index[key]:
                    candidate = (place + rank, attributes[key])
                    if name in found:
                        found[name].append(candidate)
                    else:
                        found[name] = [candidate]

    def _clean(self, value: CanonicalValue) -> str | None:
        if type(value) is str and value.isprintable():  # nearly always
            return value
        text, replaced = text_of(value)
        if replaced:
            self.flags.add("control_characters")
        return text

    def text(self, name: str) -> str | None:
        """The first value that says something; "unknown" only if nothing better follows."""
        candidates = self._found.get(name)
        if candidates is None:
            return None
        if len(candidates) == 1:
            return self._clean(candidates[0][1]) or None
        unknown = None
        for _, value in sorted(candidates, key=itemgetter(0)):
            if text := self._clean(value):
                if not _is_unknown(text):
                    return text
                unknown = unknown or text
        return unknown

    def pair(self, name: str, type_name: str) -> dict[str, Any]:
        """The `id` and `type` of an actor, source or target; a missing id is flagged."""
        result: dict[str, Any] = {}
        text = self.text(name)
        if text:
            result["id"] = text
        if not text or _is_unknown(text):
            self.flags.add(f"missing_{name}")
        if text := self.text(type_name):
            result["type"] = text
        return result

    def roles(self) -> list[str]:
        """The actor's roles: a list attribute item by item, or one."""
        for _, value in sorted(self._found.get("roles", ()), key=itemgetter(0)):
            items = value if isinstance(value, list) else [value]
            if roles := [text for item in items if (text := self._clean(item))]:
                return roles
        return []

    def change(self) -> dict[str, str]:
        """What changed, from what, to what."""
        return {name: text for name in ("field", "new", "old") if (text := self.text(name))}

    def outcome(self, status_code: int) -> tuple[str | None, str | None]:
        """success, failure or None; and the word of a denial, which is a reason.

        The first word that is in a table decides. Another word ("pending") says neither, but it
        does say something, so that the span's status has no say any more.
        """
        said = False
        for _, value in sorted(self._found.get("outcome", ()), key=itemgetter(0)):
            text = self._clean(value)
            if not text or _is_unknown(text):
                continue
            said = True
            word = text.strip().lower().replace("_", " ").replace("-", " ")
            if word in aliases.SUCCESS:
                return "success", None
            if word in aliases.DENIAL:
                return "failure", text
            if word in aliases.FAILURE:
                return "failure", None
        return (None if said else _STATUS_OUTCOME.get(status_code)), None

    def around(self, names: Sequence[str]) -> str | None:
        """The first of these attributes of scope or resource that says something."""
        for attributes in (
            self._observation.scope.attributes,
            self._observation.resource.attributes,
        ):
            for name in names:
                if name in attributes and (text := self._clean(attributes[name])):
                    return text
        return None


def _is_unknown(text: str) -> bool:
    return len(text) == 7 and text.lower() == _UNKNOWN


def _key(name: str) -> str:
    """An attribute's name as it stands in canonical attributes."""
    return canonical.key(name.encode(), set())
