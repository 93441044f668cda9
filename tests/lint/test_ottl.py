"""Which conditions of a filter an audit record can meet."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from audit_receiver.config.tree import Node, read
from audit_receiver.lint import ottl
from audit_receiver.lint.filters import LOG_CONDITION, SPAN_CONDITION
from audit_receiver.lint.findings import LOSES, MAY_LOSE, NOTE
from audit_receiver.lint.parts import Part
from tests.lint.collectors import EXPORTER, changed, found

NO_NAME = r'not IsMatch(span.name, "^audit($|\\.)")'
NO_SCOPE = r'not IsMatch(scope.name, "^audit($|\\.)")'
NO_KEY = r'not IsMatch(span.attributes, "\"audit(\\.|\")")'
NO_EVENT = "Len(span.events) == 0"
WHOLE = f"{NO_NAME} and {NO_SCOPE} and {NO_KEY} and {NO_EVENT}"

SPANS = {
    "all that can be audit is spared": (WHOLE, "safe"),
    "in another order": (f"{NO_EVENT} and {NO_KEY} and {NO_SCOPE} and {NO_NAME}", "safe"),
    "and more is asked": (f'{WHOLE} and span.kind == 1 and attributes["a"] != nil', "safe"),
    "negated as a whole": (
        r'not (IsMatch(span.name, "^audit") or IsMatch(scope.name, "^audit")'
        r' or IsMatch(span.attributes, "\"audit")) and Len(span.events) == 0',
        "safe",
    ),
    "safe or safe": (f"({WHOLE}) or ({WHOLE} and span.kind == 2)", "safe"),
    "safe or something else": (f'({WHOLE}) or span.name == "health"', "may drop"),
    "either alone is not enough": (f"{NO_NAME} or {NO_SCOPE} or {NO_KEY}", "may drop"),
    "events forgotten": (f"{NO_NAME} and {NO_SCOPE} and {NO_KEY}", "may drop"),
    "scope forgotten": (f"{NO_NAME} and {NO_KEY} and {NO_EVENT}", "may drop"),
    "audit by name": (WHOLE.replace(NO_NAME, NO_NAME.removeprefix("not ")), "may drop"),
    "audit by key": (WHOLE.replace(NO_KEY, NO_KEY.removeprefix("not ")), "may drop"),
    "events asked for": (WHOLE.replace(NO_EVENT, f"not ({NO_EVENT})"), "may drop"),
    "a narrower name": (WHOLE.replace("^audit($|", "^audit("), "may drop"),
    "one key for all": ('span.attributes["audit.action"] == nil', "may drop"),
    "severity": ("severity_number < SEVERITY_NUMBER_WARN", "may drop"),
    "a route": ('attributes["http.route"] == "/health"', "may drop"),
    "no expression": ("((", "may drop"),
    "audit is what is dropped": ('attributes["audit.action"] != nil', "drops"),
    "not nil, the other way": ('not (attributes["audit.action"] == nil)', "drops"),
    "by name": ('IsMatch(name, "^audit")', "drops"),
    "by prefix": ('HasPrefix(span.name, "audit.")', "drops"),
    "by one name": ('span.name == "audit.login"', "drops"),
    "by the bare name": ('span.name == "audit"', "drops"),
    "by another prefix": ('HasPrefix(span.name, "health")', "may drop"),
    "more ways than can be looked at": (" and ".join(["(a == 1 or b == 2)"] * 20), "may drop"),
    "audit among others": ('span.name == "x" or span.name == "audit.login"', "drops"),
    "some of audit": ('attributes["audit.action"] != nil and span.kind == 1', "may drop"),
    "everything": ("true", "drops"),
}


@pytest.mark.parametrize("name", SPANS)
def test_conditions_on_spans(name: str) -> None:
    condition, verdict = SPANS[name]
    assert ottl.judge(condition, "span")[0] == verdict


def test_the_conditions_that_a_mend_names_are_safe() -> None:
    assert ottl.judge(SPAN_CONDITION, "span")[0] == "safe"
    assert ottl.judge(LOG_CONDITION, "log")[0] == "safe"


def test_the_condition_for_logs_is_not_enough_for_spans() -> None:
    assert ottl.judge(LOG_CONDITION.replace("log.", "span."), "span")[0] == "may drop"


def test_why_names_the_key_that_is_asked_for() -> None:
    why = ottl.judge('attributes["audit.action"] == nil', "log")[1]
    assert "audit.action" in why


@settings(max_examples=150)
@given(st.text(st.sampled_from('()[]"\\ =!.,andortIsMatchspan'), max_size=60))
def test_no_text_is_more_than_a_verdict(text: str) -> None:
    assert ottl.judge(text, "span")[0] in ("safe", "drops", "may drop")


# ---- the processor, in every syntax it has had ---------------------------------------------------

FILTER = "processors.filter/audit"


def of_filter(**keys: object) -> set[tuple[str, str, str]]:
    """What is found where the filter has these keys and no others."""
    none = {"trace_conditions": [], "log_conditions": []}
    return found(changed({"processors": {"filter/audit": {**none, **keys}}}))


def test_current_syntax_plain_and_with_settings() -> None:
    drops = 'attributes["audit.action"] != nil'
    key = f"{FILTER}.trace_conditions.0"
    assert of_filter(trace_conditions=[drops]) == {("filter-drops", LOSES, key)}
    inner = [{"error_mode": "ignore", "conditions": [SPAN_CONDITION, drops]}]
    assert of_filter(trace_conditions=inner) == {("filter-drops", LOSES, f"{key}.conditions.1")}


def test_syntax_before_0_146() -> None:
    old = {"span": [SPAN_CONDITION], "resource": ['attributes["service.name"] == "a"']}
    assert of_filter(traces=old) == {
        ("old-filter-syntax", NOTE, f"{FILTER}.traces"),
        ("filter-drops", MAY_LOSE, f"{FILTER}.traces.resource.0"),
    }
    assert of_filter(logs={"log_record": [LOG_CONDITION]}) == {
        ("old-filter-syntax", NOTE, f"{FILTER}.logs")
    }


def test_the_oldest_syntax() -> None:
    include = {"match_type": "regexp", "attributes": [{"key": "audit.action", "value": ".*"}]}
    assert of_filter(spans={"include": include}) == {
        ("old-filter-syntax", NOTE, f"{FILTER}.spans"),
        ("filter-drops", MAY_LOSE, f"{FILTER}.spans.include"),
    }
    exclude = {"match_type": "strict", "record_attributes": [{"key": "audit.action", "value": "x"}]}
    assert of_filter(logs={"exclude": exclude}) == {
        ("old-filter-syntax", NOTE, f"{FILTER}.logs"),
        ("filter-drops", LOSES, f"{FILTER}.logs.exclude"),
    }


def test_conditions_of_a_signal_that_does_not_pass_here_are_nobodys_loss() -> None:
    one = {"service": {"pipelines": {"logs/audit": {"processors": []}}}}
    condition = {"processors": {"filter/audit": {"log_conditions": ["true"]}}}
    assert found(changed(one, condition)) == set()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"logs": {"exclude": {"bodies": ["x"]}}}, "(WHAT IS EXCLUDED, AS A CONDITION)"),
        ({"logs": {"resource": ['attributes["a"] == 1']}}, "(THE CONDITION, WITH resource."),
    ],
    ids=["exclude", "resource"],
)
def test_a_mend_that_would_drop_more_than_before_says_what_to_put_in(
    keys: dict[str, object], says: str
) -> None:
    findings = changed({"processors": {"filter/audit": keys}}).findings
    [finding] = [it for it in findings if it.rule == "filter-drops"]
    assert f"{says}" in finding.mend
    assert "and not IsMatch(log.event_name" in finding.mend


def _tree(keys: object) -> Node:
    return read(json.dumps(keys), [])


LOOSE = {
    "a span": ({"trace_conditions": ['span.name == "health"']}, "trace_conditions"),
    "a log": ({"log_conditions": ["log.severity_number < 9"]}, "log_conditions"),
    "a span event": ({"trace_conditions": ['spanevent.name == "x"']}, "trace_conditions"),
    "either of two": (
        {"trace_conditions": ["span.kind == 1 or span.kind == 2"]},
        "trace_conditions",
    ),
    "one key": ({"log_conditions": ['log.attributes["audit.action"] == nil']}, "log_conditions"),
    "with a context": (
        {"trace_conditions": [{"context": "span", "conditions": ['name == "health"']}]},
        "trace_conditions",
    ),
    "old": ({"traces": {"span": ['name == "health"']}}, "traces"),
    "old, of logs": ({"logs": {"log_record": ["severity_number < 9"]}}, "logs"),
}


@pytest.mark.parametrize("name", LOOSE)
def test_the_mend_keeps_the_condition_and_spares_audit_records(name: str) -> None:
    keys, section = LOOSE[name]
    [finding] = [
        it
        for it in changed({"processors": {"filter/audit": keys}}).findings
        if it.rule == "filter-drops"
    ]
    mend = YAML(typ="safe", pure=True).load(finding.mend)
    assert list(mend["processors"]["filter/audit"]) == [section]
    again = changed({"processors": {"filter/audit": keys}}, mend)
    assert "filter-drops" not in {it.rule for it in again.findings}
    for part in Part(_tree(keys), "", 1).scalars():
        assert part.key.endswith("context") or f"({part.text})" in finding.mend


def test_a_span_event_is_a_part_of_the_evidence() -> None:
    [finding] = changed(
        {"processors": {"filter/audit": {"trace_conditions": ['spanevent.name == "audit.x"']}}}
    ).findings
    assert (finding.rule, finding.level) == ("filter-drops", LOSES)
    assert "span events" in finding.lost


def test_the_exporter_is_named_in_the_clean_configuration() -> None:
    assert json.dumps(changed().exporters) == f'["{EXPORTER}"]'
