"""Each rule, by one change of a configuration that loses nothing."""

import json

import pytest
from ruamel.yaml import YAML

from audit_receiver.lint.findings import NOTE, RULES
from tests.kit.server import merged
from tests.lint.cases import MENDED, NOTHING, ONE, OUT
from tests.lint.collectors import CLEAN, EXPORTER, changed, exporter, found, judged, processor


@pytest.mark.parametrize("name", ONE)
def test_one_change_gives_its_finding_and_no_other(name: str) -> None:
    change, rule, level, key = ONE[name]
    report = changed(change)
    assert [(it.rule, it.level) for it in report.findings] == [(rule, level)]
    assert report.findings[0].key.endswith(key)
    assert len(report.findings[0].lost) > 20


@pytest.mark.parametrize("name", NOTHING)
def test_what_loses_nothing_gives_no_finding(name: str) -> None:
    assert found(changed(NOTHING[name])) == set()


@pytest.mark.parametrize("name", MENDED)
def test_the_mend_is_yaml_that_takes_the_finding_away(name: str) -> None:
    change, rule, *_ = ONE[name]
    config = merged(CLEAN, change)
    [finding] = changed(change).findings
    mend = YAML(typ="safe", pure=True).load(finding.mend)
    again = judged(json.dumps(merged(config, mend), indent=1))
    assert rule not in {it.rule for it in again.findings}


@pytest.mark.parametrize("name", ONE)
def test_every_mend_is_yaml(name: str) -> None:
    for finding in changed(ONE[name][0]).findings:
        assert isinstance(YAML(typ="safe", pure=True).load(finding.mend), dict)


def test_every_rule_is_shown_here_or_where_filters_and_routes_are() -> None:
    elsewhere = {"filter-drops", "old-filter-syntax", "routed", "deprecated-name"}
    shown = {rule for _, rule, *_ in ONE.values()}
    assert shown | elsewhere == {rule.name for rule in RULES}
    assert not shown & elsewhere


def test_a_value_from_the_environment_is_named_as_not_judged() -> None:
    report = changed(exporter(timeout="${env:T}", headers={"x": "${env:SECRET}"}))
    assert report.findings == []
    assert len(report.unjudged) == 1
    assert f"{OUT}.timeout: ${{env:T}}" in report.unjudged[0]


@pytest.mark.parametrize("name", ["filter", "transform", "attributes", "memory_limiter"])
def test_a_processor_that_is_filled_in_at_start_is_named_as_not_judged(name: str) -> None:
    report = changed(processor(name, "${file:part.yaml}"))
    assert report.findings == []
    [said] = report.unjudged
    assert said.endswith(f": processors.{name}: ${{file:part.yaml}} is filled in at start")


def test_a_processor_that_is_not_known_is_named_as_not_judged() -> None:
    report = changed(processor("ours", {}))
    assert report.findings == []
    assert len(report.unjudged) == 1
    assert "ours" in report.unjudged[0]


def test_old_names_of_exporters_are_noted_with_the_new() -> None:
    for old, new in (("otlphttp/audit", "otlp_http/audit:"), ("otlp/audit", "otlp_grpc/audit:")):
        pipelines = {f"{signal}/audit": {"exporters": [old]} for signal in ("traces", "logs")}
        own = {**CLEAN["exporters"][EXPORTER], "endpoint": "http://a:1"}
        report = changed({"exporters": {old: own}, "service": {"pipelines": pipelines}})
        [finding] = [it for it in report.findings if it.key == f"exporters.{old}"]
        assert (finding.rule, finding.level) == ("deprecated-name", NOTE)
        assert new in finding.mend
