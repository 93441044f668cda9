"""Which exporter is judged, and which pipelines lead to it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_receiver.config.tree import read
from audit_receiver.lint.check import lint
from audit_receiver.lint.findings import LOSES, MAY_LOSE
from audit_receiver.lint.route import CannotJudge, Chosen
from tests.kit.server import merged
from tests.lint.collectors import CLEAN, EXPORTER, changed, found, judged

SAMPLED = {"receivers": ["otlp"], "processors": ["tail_sampling"]}


def through(connector: str, settings: Any, front: dict[str, Any]) -> dict[str, Any]:
    """Traces come to the audit pipeline through a connector."""
    audit = {"receivers": [connector]}
    pipelines = {"traces": {**front, "exporters": [connector]}, "traces/audit": audit}
    return {
        "processors": {"tail_sampling": {}},
        "connectors": {connector: settings},
        "service": {"pipelines": pipelines},
    }


def test_a_sampler_in_front_of_a_connector_is_found() -> None:
    report = changed(through("forward", {}, SAMPLED))
    assert found(report) == {("sampler", LOSES, "service.pipelines.traces.processors.0")}


def test_a_way_of_several_connectors_is_followed_to_its_beginning() -> None:
    first = {
        "connectors": {"forward/2": {}},
        "service": {
            "pipelines": {
                "traces/first": {**SAMPLED, "exporters": ["forward/2"]},
                "traces": {"receivers": ["forward/2"], "processors": []},
            }
        },
    }
    report = changed(through("forward", {}, {}), first)
    assert found(report) == {("sampler", LOSES, "service.pipelines.traces/first.processors.0")}


def test_a_connector_to_another_signal_brings_no_records() -> None:
    pipelines = {
        "traces/audit": {"exporters": ["exceptions"]},
        "logs/audit": {"receivers": ["exceptions"]},
    }
    report = changed({"connectors": {"exceptions": {}}, "service": {"pipelines": pipelines}})
    assert found(report) == {("no-traces-pipeline", LOSES, "service.pipelines")}


def test_metrics_and_profiles_are_no_audit_records_and_are_passed_over() -> None:
    other = {"receivers": ["otlp"], "processors": ["filter/audit"], "exporters": [EXPORTER]}
    pipelines = {"metrics": other, "profiles/audit": other}
    assert found(changed({"service": {"pipelines": pipelines}})) == set()


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"table": [{"condition": "a", "pipelines": ["traces/audit"]}]}, "connectors.routing"),
        ({"default_pipelines": ["traces/x"]}, "connectors.routing.default_pipelines"),
    ],
    ids=["no default", "default elsewhere"],
)
def test_routing_that_does_not_lead_here_by_default_may_lose(settings: Any, key: str) -> None:
    report = changed(through("routing", settings, {"receivers": ["otlp"]}))
    assert found(report) == {("routed", MAY_LOSE, key)}


def test_routing_that_leads_here_by_default_loses_nothing() -> None:
    default = {"default_pipelines": ["traces/audit"]}
    assert found(changed(through("routing", default, {"receivers": ["otlp"]}))) == set()


def test_a_connector_that_is_not_known_may_lose() -> None:
    report = changed(through("roundrobin", {}, {"receivers": ["otlp"]}))
    assert found(report) == {("routed", MAY_LOSE, "connectors.roundrobin")}


def test_the_exporter_is_chosen_by_name_or_by_endpoint() -> None:
    other = {"exporters": {"otlp_http/store": {"endpoint": "https://Store.example:4318/"}}}
    assert changed(other).exporters == [EXPORTER]
    by_name = changed(other, chosen=Chosen(exporter="otlp_http/store"))
    assert by_name.exporters == ["otlp_http/store"]
    assert {rule for rule, *_ in found(by_name)} >= {"no-logs-pipeline", "no-traces-pipeline"}
    for endpoint in ("store.example:4318", "https://store.example:4318/v1/logs"):
        by_endpoint = changed(other, chosen=Chosen(endpoint=endpoint))
        assert by_endpoint.exporters == ["otlp_http/store"]


def test_several_audit_exporters_are_judged_together() -> None:
    second = {**CLEAN["exporters"][EXPORTER], "retry_on_failure": {"enabled": False}}
    config = merged(CLEAN, {"exporters": {"otlp_http/2/audit": second}})
    config["service"]["pipelines"]["logs/audit"]["exporters"] = ["otlp_http/2/audit"]
    report = judged(json.dumps(config))
    assert report.exporters == [EXPORTER, "otlp_http/2/audit"]
    assert {rule for rule, *_ in found(report)} == {"retry-off"}


@pytest.mark.parametrize(
    ("config", "chosen", "says"),
    [
        ("{}", Chosen(), "exporters"),
        ("exporters: {a: }\nservice: {pipelines: }", Chosen(), "service.pipelines"),
        ("exporters: ${file:e.yaml}\nservice: {pipelines: {a: }}", Chosen(), "filled in"),
        ("exporters: {a: }\nservice: {pipelines: {b: }}", Chosen(), "--exporter"),
        ("exporters: {a: }\nservice: {pipelines: {b: }}", Chosen(exporter="x"), "there are: a"),
        ("exporters: {a: }\nservice: {pipelines: {b: }}", Chosen(endpoint="x:1"), "there are: a"),
    ],
    ids=["empty", "no pipelines", "from a file", "none named audit", "no such name", "no endpoint"],
)
def test_what_cannot_be_judged_says_why(config: str, chosen: Chosen, says: str) -> None:
    with pytest.raises(CannotJudge, match=says):
        judged(config, chosen)


WORDS = st.sampled_from(
    [
        "otlp_http/audit",
        "otlp",
        "filter",
        "batch",
        "routing",
        "traces",
        "logs",
        "audit.x",
        "${env:A}",
        "",
        "{",
        "\0",
    ]
)
KEYS = st.sampled_from(
    (
        "exporters",
        "service",
        "pipelines",
        "processors",
        "connectors",
        "receivers",
        "extensions",
        "traces",
        "logs/audit",
        "otlp_http/audit",
        "filter",
        "batch",
        "routing",
        "transform",
        "attributes",
        "redaction",
        "trace_conditions",
        "spans",
        "include",
        "conditions",
        "actions",
        "key",
        "action",
        "sending_queue",
        "storage",
        "timeout",
        "endpoint",
    )
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.sampled_from([-1, 0, 10**20]) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=60)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_no_configuration_is_more_than_a_report(changes: dict[str, Any]) -> None:
    text = json.dumps(merged(CLEAN, changes))
    try:
        report = lint(read(text, []))
    except CannotJudge:
        return
    assert all(it.line >= 1 for it in report.findings)
