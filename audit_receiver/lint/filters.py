"""The `filter` processor: which audit records its conditions drop, in every syntax it has had."""

from collections.abc import Iterator

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
_NEW = {"traces": "trace_conditions", "logs": "log_conditions"}
_OLD = {
    "traces": (("span", "span"), ("spanevent", "spanevent"), ("resource", "resource")),
    "logs": (("log_record", "log"), ("resource", "resource")),
}
_OLDEST = {"traces": "spans", "logs": "logs"}
_MEND = {"traces": SPAN_CONDITION, "logs": LOG_CONDITION}


def judge(part: Part, name: str, signal: str) -> Iterator[Finding]:
    """Findings about one filter in a pipeline of one signal."""
    for condition, context in _conditions(part, signal):
        yield from _condition(condition, context, name, signal)
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
                _mend(name, signal),
            )


def _conditions(part: Part, signal: str) -> Iterator[tuple[Part, str]]:
    """Each condition with the context that it is written for."""
    own = "span" if signal == "traces" else "log"
    for entry in part.get(_NEW[signal]).entries():
        context = entry.get("context").text or own
        for condition in entry.get("conditions").entries() or [entry]:
            if condition.text:
                yield condition, _context(condition.text, context)
    for key, context in _OLD[signal]:
        for condition in part.get(signal, key).entries():
            yield condition, context


def _context(condition: str, context: str) -> str:
    """A condition with paths of several contexts is asked of the lowest."""
    return "spanevent" if "spanevent." in condition else context


def _condition(condition: Part, context: str, name: str, signal: str) -> Iterator[Finding]:
    if condition.unknown:
        verdict, why = ottl.MAY_DROP, "it is filled in at start"
    elif context in ("resource", "scope"):
        verdict, why = ottl.MAY_DROP, f"it is asked of the {context} and drops all that is in it"
    else:
        verdict, why = ottl.judge(condition.text, context)
    if verdict == ottl.SAFE:
        return
    surely = verdict == ottl.DROPS
    what = {"spanevent": "span events"}.get(context, "spans" if signal == "traces" else "logs")
    yield finding(
        "filter-drops",
        LOSES if surely else MAY_LOSE,
        condition.at,
        f"{what} that meet the condition are dropped, at any time: {why}",
        _mend(name, signal),
    )


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
        _mend(name, signal),
    )


def _mend(name: str, signal: str) -> str:
    lines = "\n".join(f"    {line}" for line in _MEND[signal].splitlines())
    body = f"error_mode: ignore\n{_NEW[signal]}:\n  - >-\n{lines}"
    return snippet("processors", name, body)
