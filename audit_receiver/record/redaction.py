"""One record without what the rules of `redact` match, and the places of what is gone."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from audit_receiver.record import aliases, canonical, integrity
from audit_receiver.record.model import Attributes, CanonicalValue, Observation, Shared
from audit_receiver.record.redact import OPAQUE, WRAPPERS, Action, Matcher, key_text

FLAG = "redacted"
MOST_PLANS = 2048  # senders choose the keys, so what is remembered is bounded
MOST_PLAN_CHARACTERS = 4096
MOST_SHARED = 256
MOST_SHARED_CHARACTERS = 1 << 14
_LISTS = ("events", "links", "body", "status")  # members of `otlp` that hold more than a text
_PLACES = frozenset(
    {"trace_id", "span_id", "parent_span_id", "start", "end", "time", "observed_time"}
)
_TEXTS = ("name", "severity_text", "event_name", "trace_state")
# What a producer's signature and hash were made over is gone, and they are what a guess of it could
# be tested with.
_INTEGRITY = "audit.integrity.value"


class _Plan(NamedTuple):
    """What the keys of an attribute list alone decide."""

    hit: bool  # a rule matches one of them
    field: tuple[str, ...]  # those that name the field that was changed


class _Common(NamedTuple):
    """A resource or scope as it may be recorded."""

    shared: Shared
    paths: tuple[str, ...]
    taken: tuple[Action, ...]


class Redactor:
    """Redacts observations by the rules; `told` hears of each action taken."""

    def __init__(self, matcher: Matcher, told: Callable[[Action], None]) -> None:
        self.matcher = matcher
        self._told = told
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._shared: dict[str, _Common] = {}

    def apply(self, observation: Observation) -> Observation:
        """The observation as it may be recorded; it itself if nothing matches."""
        resource, of_resource, taken = self._common(observation.resource, "resource")
        scope, of_scope, more = self._common(observation.scope, "scope")
        if taken or more:
            self._tell((*taken, *more))
        if self._is_quiet(observation):
            if not (of_resource or of_scope):
                return observation
            return observation._replace(
                resource=resource,
                scope=scope,
                redacted=tuple(sorted((*of_resource, *of_scope))),
                flags=observation.flags | {FLAG},
            )
        work = _Work(self.matcher)
        changed = work.record(observation)
        if not (work.paths or of_resource or of_scope):
            return observation
        where = f"attributes.{_INTEGRITY}"
        if work.paths and where not in work.paths and _INTEGRITY in changed.attributes:
            work.paths.append(where)
            work.taken.append("mask")
            value = self.matcher.replaced("", "mask")
            changed = changed._replace(attributes={**changed.attributes, _INTEGRITY: value})
        self._tell(work.taken)
        return changed._replace(
            resource=resource,
            scope=scope,
            redacted=tuple(sorted({*work.paths, *of_resource, *of_scope})),
            flags=observation.flags | {FLAG},
            sequence=integrity.sequence(observation),
            integrity_hash=integrity.digest(
                {"attributes": observation.attributes, "otlp": observation.otlp}
            ),
        )

    def text(self, text: str) -> str:
        """A text that is told outside of any record, for example a service's name."""
        return self.matcher.cleaned(text)[0] if self.matcher.suspects([text]) else text

    def _tell(self, taken: Sequence[Action]) -> None:
        for action in taken:
            self._told(action)

    def _common(self, shared: Shared, where: str) -> _Common:
        """A resource or scope: the same comes with record after record."""
        key = shared.text
        found = self._shared.get(key)
        if found is None:
            work = _Work(self.matcher)
            made = work.shared(shared, where)
            found = _Common(made, tuple(work.paths), tuple(work.taken))
            if len(key) <= MOST_SHARED_CHARACTERS:
                if len(self._shared) >= MOST_SHARED:
                    self._shared.clear()
                self._shared[key] = found
        return found

    def _is_quiet(self, observation: Observation) -> bool:
        """Whether certainly nothing in a record's own part matches; nearly always."""
        otlp = observation.otlp
        if observation.attributes_raw is not None or "unknown" in otlp:
            return False
        texts: list[Any] = []
        for name in _TEXTS:
            if name in otlp:
                texts.append(otlp[name])  # noqa: PERF401 (as a comprehension it is a call)
        if not self._looks_quiet(observation.attributes, texts):
            return False
        for name in _LISTS:
            if name not in otlp:
                continue
            value = otlp[name]
            if name == "status":
                if "unknown" in value:
                    return False
                texts.append(value.get("message", ""))
            elif name == "body":
                texts.append(value)
            else:
                for part in value:
                    if "unknown" in part or "attributes_raw" in part:
                        return False
                    texts.append(part.get("name", ""))
                    if "attributes" in part and not self._looks_quiet(part["attributes"], texts):
                        return False
        try:
            return not self.matcher.suspects(texts)
        except TypeError:  # a map, a list, bytes
            return False

    def _looks_quiet(self, attributes: Attributes, texts: list[Any]) -> bool:
        """Add the texts of an attribute list; False if its keys or nested values need a look."""
        keys = tuple(attributes)
        plan = self._plans.get(keys) or self._plan(keys)
        if plan.hit:
            return False
        if plan.field and any(self._names_secret(attributes[key]) for key in plan.field):
            return False
        for value in attributes.values():
            kind = type(value)
            if kind is str:
                texts.append(value)
            elif kind is dict or kind is list:
                return False
        return True

    def _names_secret(self, field: CanonicalValue) -> bool:
        return isinstance(field, str) and self.matcher.place(field, field) >= 0

    def _plan(self, keys: tuple[str, ...]) -> _Plan:
        matcher = self.matcher
        plan = _Plan(
            any(matcher.place(key, key) >= 0 for key in keys),
            tuple(key for key in keys if key in aliases.ALIASES["field"]),
        )
        if len(self._plans) < MOST_PLANS and sum(map(len, keys)) <= MOST_PLAN_CHARACTERS:
            self._plans[keys] = plan
        return plan


class _Work:
    """The slow way: every value is looked at, and the paths of what is redacted are kept."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self.paths: list[str] = []
        self.taken: list[Action] = []

    def record(self, observation: Observation) -> Observation:
        otlp = dict(observation.otlp)
        attributes = self._attributes(observation.attributes, "attributes")
        raw = observation.attributes_raw
        if raw is not None and self._is_opaque_hit(raw, "attributes_raw"):
            raw = None
        self._members(otlp, "otlp")
        events = tuple(event.get("attributes", {}) for event in otlp.get("events", ()))
        return observation._replace(
            attributes=attributes,
            attributes_raw=raw,
            otlp=otlp,
            event_attributes=events if observation.event_attributes else (),
        )

    def shared(self, shared: Shared, where: str) -> Shared:
        made = dict(shared.object)
        self._members(made, where)
        if not self.paths:
            return shared
        return shared._replace(
            object=made,
            text=canonical.encode(made).decode(),
            attributes=made.get("attributes", {}),
        )

    def _members(self, target: dict[str, Any], where: str) -> None:
        """The members of an object that is ours: `otlp`, a resource, a scope, an event."""
        for name, value in list(target.items()):
            path = f"{where}.{name}"
            if name in OPAQUE:
                if self._is_opaque_hit(value, path):
                    del target[name]
            elif name == "attributes":
                target[name] = self._attributes(value, path)
            elif name in ("events", "links"):
                parts = [dict(part) for part in value]
                for number, part in enumerate(parts):
                    self._members(part, f"{path}[{number}]")
                target[name] = parts
            elif name == "status":
                target[name] = dict(value)
                self._members(target[name], path)
            elif name not in _PLACES:
                target[name] = self._value(value, path, "")

    def _attributes(self, attributes: Attributes, where: str) -> Attributes:
        """An attribute list, and what it says of a changed field whose name is a secret's."""
        made = self._map(attributes, where, "")
        for field in aliases.ALIASES["field"]:
            named = attributes.get(field)
            if not isinstance(named, str):
                continue
            for key in (*aliases.ALIASES["old"], *aliases.ALIASES["new"]):
                if key in made and made[key] == attributes[key]:
                    action = self._matcher.action_for(named, named, made[key])
                    if action is not None:
                        self._take(made, key, action, f"{where}.{key}")
        return made

    def _map(self, given: Attributes, where: str, above: str) -> Attributes:
        made: Attributes = {}
        for key, value in given.items():
            path = f"{above}.{key_text(key)}" if above else key_text(key)
            place = f"{where}.{key}"
            action = self._matcher.action_for(key, path, value)
            made[key] = value
            if action is not None:
                self._take(made, key, action, place)
            else:
                made[key] = self._value(value, place, path)
        return made

    def _take(self, made: Attributes, key: str, action: Action, path: str) -> None:
        self._say(path, [action])
        if action == "drop":
            del made[key]
        else:
            made[key] = self._matcher.replaced(made[key], action)

    def _value(self, value: CanonicalValue, where: str, path: str) -> CanonicalValue:
        if isinstance(value, str):
            return self._text(value, where)
        if isinstance(value, list):
            return [
                self._value(item, f"{where}[{number}]", path) for number, item in enumerate(value)
            ]
        if isinstance(value, dict):
            if _is_wrapper(value):
                return self._wrapped(value, where)
            return self._map(value, where, path)
        return value

    def _text(self, text: str, where: str) -> str:
        if not self._matcher.suspects([text]):
            return text
        clean, taken = self._matcher.cleaned(text)
        if taken:
            self._say(where, taken)
        return clean

    def _wrapped(self, value: dict[str, Any], where: str) -> CanonicalValue:
        """Bytes and what no rule of ours reads: whole, or not at all."""
        [(name, inner)] = value.items()
        if name in ("$int", "$double") or not self._matcher.finds_in_base64(inner):
            return value
        self._say(where, ["mask"])
        return self._matcher.replaced(value, "mask")

    def _is_opaque_hit(self, base64_text: str, path: str) -> bool:
        if not self._matcher.finds_in_base64(base64_text):
            return False
        self._say(path, ["drop"])
        return True

    def _say(self, path: str, actions: list[Action]) -> None:
        self.paths.append(path)
        self.taken += actions


def _is_wrapper(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in WRAPPERS
