"""Processors that delete, cut or overwrite what an audit record says."""

import re
from collections.abc import Iterator

from audit_receiver.lint import ottl
from audit_receiver.lint.findings import LOSES, MAY_LOSE, NOTE, Finding, finding, snippet
from audit_receiver.lint.parts import Part

_RECORD = r"(?:(?:span|log|spanevent)\.)?attributes"
_CALL = re.compile(rf"\b(\w+)\(\s*({_RECORD})\s*,\s*(.*)\)", re.DOTALL)
_SET = re.compile(rf'\bset\(\s*{_RECORD}\["(audit\.[^"]*)"\]')
_STRINGS = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SHORTEN = ("limit", "truncate_all", "replace_all_patterns", "replace_all_matches")
_STATEMENTS = {"traces": "trace_statements", "logs": "log_statements"}


def attributes(part: Part, name: str) -> Iterator[Finding]:
    """Findings about an `attributes` processor."""
    narrowed = part.get("include").there or part.get("exclude").there
    for entry in part.get("actions").entries():
        action, key = entry.get("action").text.lower(), entry.get("key").text
        pattern = entry.get("pattern").text
        ours = key.startswith("audit.") or (pattern and ottl.matches(ottl.unquoted(pattern)))
        if not ours:
            continue
        said = key or pattern
        if action == "insert" and entry.get("value").there and not entry.get("value").text:
            yield finding(
                "empty-attribute",
                NOTE,
                entry.at,
                f"nothing: {said} is empty and counts as missing; the receiver notes itself when"
                " a record came",
                snippet("processors", name, f"actions:  # without {said}"),
            )
        elif action in ("delete", "hash", "update", "upsert"):
            yield finding(
                "removes-audit",
                MAY_LOSE if narrowed or action in ("update", "upsert") else LOSES,
                entry.at,
                f"{said} as the application sent it ({action}), in each record that passes",
                snippet("processors", name, f"actions:  # without {action} of {said}"),
            )


def transform(part: Part, name: str, signal: str) -> Iterator[Finding]:
    """Findings about a `transform` processor in a pipeline of one signal."""
    for statement, context, narrowed in _statements(part.get(_STATEMENTS[signal])):
        if context in ("resource", "scope") or statement.unknown:
            continue
        level, what = _effect(statement.text)
        if not what:
            continue
        if narrowed or re.search(r"\swhere\s", statement.text):
            level = MAY_LOSE
        yield finding(
            "removes-audit",
            level,
            statement.at,
            f"{what}, in each record that the statement is for",
            snippet("processors", name, f"{_STATEMENTS[signal]}:  # without this statement"),
        )


def _statements(part: Part) -> Iterator[tuple[Part, str, bool]]:
    """Each statement, its context, and whether conditions stand before it."""
    for entry in part.entries():
        for statement in entry.get("statements").entries() or [entry]:
            if statement.text:
                narrowed = entry.get("conditions").there
                yield statement, entry.get("context").text, narrowed


def _effect(statement: str) -> tuple[str, str]:
    """How surely a statement takes something from an audit record, and what; "" if it does not."""
    if found := _SET.search(statement):
        return MAY_LOSE, f"{found[1]} as the application sent it"
    found = _CALL.search(statement)
    if not found:
        return NOTE, ""
    function, given = found[1], [ottl.unquoted(text) for text in _STRINGS.findall(found[3])]
    kept = [key for key in given if key.startswith("audit.")]
    if function == "delete_key" and kept:
        return LOSES, f"the attribute {kept[0]}"
    if function in ("delete_matching_keys", "keep_matching_keys") and given:
        hits = ottl.matches(given[0])
        if function.startswith("keep"):
            hits = len(ottl.KEYS) - hits
        return LOSES, "audit.* attributes" if hits else ""
    if function == "keep_keys":
        said = f"audit.* attributes other than {', '.join(kept)}" if kept else "audit.* attributes"
        return MAY_LOSE if kept else LOSES, said
    return MAY_LOSE, f"a part of the attributes ({function})" if function in _SHORTEN else ""


def redaction(part: Part, name: str) -> Iterator[Finding]:
    """Findings about a `redaction` processor."""
    allow = part.get("allow_all_keys")
    kept = {
        entry.text for key in ("allowed_keys", "ignored_keys") for entry in part.get(key).entries()
    }
    ours = sorted(key for key in kept if key.startswith("audit."))
    if allow.value is not True and not allow.unknown:
        rest = f"audit.* attributes other than {', '.join(ours)}" if ours else "audit.* attributes"
        yield finding(
            "removes-audit",
            MAY_LOSE if ours else LOSES,
            (allow if allow.there else part).at,
            f"{rest}: only allowed_keys pass; a record without any is no audit record any more",
            snippet("processors", name, "allow_all_keys: true"),
        )
    for entry in part.get("blocked_key_patterns").entries():
        if ottl.matches(entry.text):
            yield finding(
                "removes-audit",
                LOSES,
                entry.at,
                "the values of audit.* attributes whose key matches, in each record",
                snippet("processors", name, "blocked_key_patterns:  # one that spares audit.*"),
            )
