"""What a record says, in our words: actor, action, target, outcome, source, change (DESIGN 5).

The original attributes always stay beside it in the body. Nothing is refused: what is missing is
flagged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from audit_receiver.record import aliases, canonical, fields
from audit_receiver.record.canonical import text_of
from audit_receiver.record.model import Attributes, AuditRecord, CanonicalValue, Observation

_STATUS_OUTCOME = {1: "success", 2: "failure"}  # opentelemetry.proto.trace.v1.Status.StatusCode
_UNKNOWN = "unknown"

MOST_PLANS = 2048  # senders choose the keys, so what is remembered is bounded
MOST_PLAN_CHARACTERS = 4096  # of the keys of an attribute list whose plan is remembered


class Plan(NamedTuple):
    """Which attributes of a list answer which fields: it depends on their keys alone."""

    plain: tuple[tuple[str, str], ...]  # (field, key) where one attribute answers, nearly always
    contested: tuple[tuple[str, tuple[str, ...]], ...]  # (field, keys by rank) where several do
    roles: tuple[str, ...]
    outcome: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The alias table with what the configuration appends to it."""

    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tenant: str = ""  # the attribute that names the tenant; none if empty
    table: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _plans: dict[tuple[str, ...], Plan] = field(init=False, repr=False, compare=False)

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
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "_plans", {})

    def plan(self, attributes: Attributes) -> Plan:
        """Which of these attributes answer which field; the same keys come again and again."""
        keys = tuple(attributes)
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._plan(attributes)
            if len(self._plans) < MOST_PLANS and sum(map(len, keys)) <= MOST_PLAN_CHARACTERS:
                self._plans[keys] = plan
        return plan

    def _plan(self, attributes: Attributes) -> Plan:
        answers = {
            name: tuple(key for key in known if key in attributes)
            for name, known in self.table.items()
        }
        roles, outcome = answers.pop("roles"), answers.pop("outcome")
        return Plan(
            tuple((name, keys[0]) for name, keys in answers.items() if len(keys) == 1),
            tuple((name, keys) for name, keys in answers.items() if len(keys) > 1),
            roles,
            outcome,
        )


def normalise(observation: Observation, vocabulary: Vocabulary) -> AuditRecord:
    """Find who, what, when, from where, on what, with which result; flag what is missing."""
    finder = _Finder(observation, vocabulary)
    said, flags = finder.texts, finder.flags
    audit: dict[str, Any] = {}
    subject: dict[str, str] = {}
    if action := said.get("action"):
        audit["action"] = action
    if not action or _is_unknown(action):
        flags.add("missing_action")
    if actor := finder.pair("actor", "actor_type"):
        audit["actor"] = actor
        subject["actor"] = actor.get("id", "")
        subject["actor_type"] = actor.get("type", "")
    if finder.roles:
        audit.setdefault("actor", {})["roles"] = finder.roles
    if change := {name: said[name] for name in ("field", "new", "old") if name in said}:
        audit["change"] = change
    outcome, denial = finder.outcome(observation.status_code)
    if outcome:
        audit["outcome"] = outcome
    else:
        flags.add("missing_outcome")
    if reason := said.get("reason") or denial:
        audit["reason"] = reason
    for name in ("record_id", "session_id"):
        if name in said:
            audit[name] = said[name]
    if source := finder.pair("source", "source_type"):
        audit["source"] = source
    if target := finder.pair("target", "target_type"):
        audit["target"] = target
        subject["target"] = target.get("id", "")
    tenant = said.get("tenant") or finder.around(vocabulary.table["tenant"])
    if tenant:
        audit["tenant"] = tenant
    if not observation.time_unix_nano:
        flags.add("missing_time")
    return AuditRecord(
        observation,
        audit,
        {name: text for name, text in subject.items() if text},
        fields.resource_text(observation.resource.attributes, aliases.SERVICE)[0],
        tenant or "",
        observation.flags.union(flags) if flags else observation.flags,
    )


class _Finder:
    """What the alias table finds in one record: its own attributes first, then its events'."""

    __slots__ = ("_observation", "_outcomes", "flags", "roles", "texts")

    def __init__(self, observation: Observation, vocabulary: Vocabulary) -> None:
        self.flags: set[str] = set()
        self.texts: dict[str, str] = {}  # the first value of a field that says something
        self.roles: list[str] = []
        self._observation = observation
        self._outcomes: list[CanonicalValue] = []
        self._look(observation.attributes, vocabulary)
        for attributes in observation.event_attributes:
            if attributes:
                self._look(attributes, vocabulary)

    def _look(self, attributes: Attributes, vocabulary: Vocabulary) -> None:
        """Add what these attributes say where nothing else did."""
        texts = self.texts
        plan = vocabulary.plan(attributes)
        for name, key in plan.plain:
            value = attributes[key]
            if value and name not in texts and type(value) is str and value.isprintable():
                texts[name] = value
            else:
                self._first(name, attributes, (key,))
        for name, keys in plan.contested:
            self._first(name, attributes, keys)
        if plan.roles:
            self._look_for_roles(attributes, plan.roles)
        if plan.outcome:
            self._outcomes += [attributes[key] for key in plan.outcome]

    def _first(self, name: str, attributes: Attributes, keys: tuple[str, ...]) -> None:
        """The first value that says something; "unknown" stays only if nothing better follows."""
        for key in keys:
            if name in self.texts and not _is_unknown(self.texts[name]):
                return
            if (text := self._clean(attributes[key])) and (
                name not in self.texts or not _is_unknown(text)
            ):
                self.texts[name] = text

    def _look_for_roles(self, attributes: Attributes, keys: tuple[str, ...]) -> None:
        """The actor's roles: a list attribute item by item, or one."""
        for key in keys:
            if self.roles:
                return
            value = attributes[key]
            items = value if isinstance(value, list) else [value]
            self.roles = [text for item in items if (text := self._clean(item))]

    def _clean(self, value: CanonicalValue) -> str | None:
        if type(value) is str and value.isprintable():  # nearly always
            return value
        text, replaced = text_of(value)
        if replaced:
            self.flags.add("control_characters")
        return text

    def pair(self, name: str, type_name: str) -> dict[str, Any]:
        """The `id` and `type` of an actor, source or target; a missing id is flagged."""
        result: dict[str, Any] = {}
        text = self.texts.get(name)
        if text:
            result["id"] = text
        if not text or _is_unknown(text):
            self.flags.add(f"missing_{name}")
        if text := self.texts.get(type_name):
            result["type"] = text
        return result

    def outcome(self, status_code: int) -> tuple[str | None, str | None]:
        """success, failure or None; and the word of a denial, which is a reason.

        The first word that is in a table decides. Another word ("pending") says neither, but it
        does say something, so that the span's status has no say any more.
        """
        said = False
        for value in self._outcomes:
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
