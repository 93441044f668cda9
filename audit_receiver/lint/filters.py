"""The `filter` processor: which audit records its conditions drop, in every syntax it has had."""

from collections.abc import Iterator
from typing import NamedTuple

from audit_receiver.lint import ottl
from audit_receiver.lint.findings import LOSES, MAY_LOSE, NOTE, Finding, finding, snippet
from audit_receiver.lint.parts import Part

# Keeps every audit record; what config/collector.yaml ships, and tests hold it to that.
SPAN_CONDITION = r"""not IsMatch(span.name, "^audit($|\\.)")
and not IsMatch(scope.name, "^audit($|\\.)")
and not IsMatch(span.attributes, "\"audit(\\.|\")") and Len(span.events) == 0"""
LOG_CONDITION = r"""not IsMatch(log.event_name, "^audit($|\\.)")
and not IsMatch(scope.name, "^audit($|\\.)")
and not IsMatch(log.attributes, "\"audit(\\.|\")")"""
EVENT_CONDITION = r"""not IsMatch(spanevent.name, "^audit($|\\.)")
and not IsMatch(spanevent.attributes, "\"audit(\\.|\")")"""
_NEW = {"traces": "trace_conditions", "logs": "log_conditions"}
_OLD = {
    "traces": (("span", "span"), ("spanevent", "spanevent"), ("resource", "resource")),
    "logs": (("log_record", "log"), ("resource", "resource")),
}
_OLDEST = {"traces": "spans", "logs": "logs"}
_MEND = {"traces": SPAN_CONDITION, "logs": LOG_CONDITION}
_SPARES = {"span": SPAN_CONDITION, "log": LOG_CONDITION, "spanevent": EVENT_CONDITION}


class _Condition(NamedTuple):
    """A condition, the context that it is asked of, and the keys under which it stands."""

    part: Part
    context: str
    keys: tuple[str, ...]
    declared: str = ""  # the context that its group names


def judge(part: Part, name: str, signal: str) -> Iterator[Finding]:
    """Findings about one filter in a pipeline of one signal."""
    for condition in _conditions(part, signal):
        yield from _judged(condition, name, signal)
    for way in ("include", "exclude"):
        match = part.get(_OLDEST[signal], way)
        if match.there:
            yield from _matched(match, way, name, signal)
    for old in {signal, _OLDEST[signal]}:
        if part.get(old).there:
            yield finding(
                "old-filter-syntax",
                NOTE,
                part.get(old).at,
                f"nothing yet: {old} is deprecated since 0.146.0 in favour of {_NEW[signal]}",
                snippet("processors", name, f"{_NEW[signal]}:  # the same, as span.name, log.body"),
            )


def _conditions(part: Part, signal: str) -> Iterator[_Condition]:
    own, keys = "span" if signal == "traces" else "log", (_NEW[signal],)
    for entry in part.get(*keys).entries():
        declared = entry.get("context").text
        for condition in entry.get("conditions").entries() or [entry]:
            if condition.text:
                context = _context(condition.text, declared or own)
                yield _Condition(condition, context, keys, declared)
    for key, context in _OLD[signal]:
        for condition in part.get(signal, key).entries():
            yield _Condition(condition, context, (signal, key))


def _context(condition: str, context: str) -> str:
    """A condition with paths of several contexts is asked of the lowest."""
    return "spanevent" if "spanevent." in condition else context


def _judged(condition: _Condition, name: str, signal: str) -> Iterator[Finding]:
    part, context = condition.part, condition.context
    if part.unknown:
        verdict, why = ottl.MAY_DROP, "it is filled in at start"
    elif context in ("resource", "scope"):
        verdict, why = ottl.MAY_DROP, f"it is asked of the {context} and drops all that is in it"
    else:
        verdict, why = ottl.judge(part.text, context)
    if verdict == ottl.SAFE:
        return
    spared = verdict == ottl.MAY_DROP and context in _SPARES and not part.unknown
    what = {"spanevent": "span events"}.get(context, "spans" if signal == "traces" else "logs")
    yield finding(
        "filter-drops",
        MAY_LOSE if verdict == ottl.MAY_DROP else LOSES,
        part.at,
        f"{what} that meet the condition are dropped, at any time: {why}",
        _spare(condition, name) if spared else _mend(name, signal, condition.context),
    )


def _spare(condition: _Condition, name: str) -> str:
    """The condition as it is, but for audit records."""
    text = f"({' '.join(condition.part.text.split())})\nand {_SPARES[condition.context]}"
    body = _list_item(text)
    if condition.declared:
        inner = "\n".join(f"    {line}" for line in body.splitlines())
        body = f"- context: {condition.declared}\n  conditions:\n{inner}"
    return snippet("processors", name, *condition.keys, body)


def _matched(match: Part, way: str, name: str, signal: str) -> Iterator[Finding]:
    what = "spans" if signal == "traces" else "logs"
    keys = [
        entry.get("key").text or entry.get("Key").text
        for attributes in ("attributes", "record_attributes")
        for entry in match.get(attributes).entries()
    ]
    surely = way == "exclude" and any(key.startswith("audit.") for key in keys)
    if way == "include":
        only = f"with {' and '.join(keys)}" if any(keys) else "that match"
        lost = f"{what} other than those {only}: audit is also another audit.* key, or a name"
        lost += ", or an event of a span" if signal == "traces" else ""
    else:
        lost = f"{what} that match; an audit record may be among them"
    yield finding(
        "filter-drops",
        LOSES if surely else MAY_LOSE,
        match.at,
        f"{lost}; at any time",
        _mend(name, signal, way),
    )


def _mend(name: str, signal: str, before: str) -> str:
    """What drops no audit record, after what the person has to put into today's words."""
    text = _MEND[signal]
    if before in ("resource", "scope"):
        text = f"(THE CONDITION, WITH {before}. BEFORE ITS PATHS)\nand {text}"
    elif before == "exclude":
        text = f"(WHAT IS EXCLUDED, AS A CONDITION)\nand {text}"
    item = "\n".join(f"  {line}" for line in _list_item(text).splitlines())
    return snippet("processors", name, f"error_mode: ignore\n{_NEW[signal]}:\n{item}")


def _list_item(text: str) -> str:
    return "\n".join(["- >-", *(f"  {line}" for line in text.splitlines())])
