"""Real configurations: what we ship is clean, what the article prints is not."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from audit_receiver.lint.filters import LOG_CONDITION, SPAN_CONDITION
from audit_receiver.lint.findings import LOSES, MAY_LOSE, NOTE
from tests.lint.collectors import judged

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "collector.yaml"
ARTICLE = Path(__file__).with_name("article.yaml")
# The article's own traps: what stands in the line that a person has to mend, level and rule.
EXPECTED = {
    ("spans:", NOTE, "old-filter-syntax"),
    (
        "include:",
        MAY_LOSE,
        "filter-drops",
    ),  # keeps what has audit.action: other keys, names, events
    ("- key: audit.collector_received_at", NOTE, "empty-attribute"),
    ("batch:", MAY_LOSE, "batch-too-large"),  # send_batch_size is no upper bound
    ("otlphttp/audit:", NOTE, "deprecated-name"),
    ("otlphttp/audit:", LOSES, "retry-gives-up"),
    ("otlphttp/audit:", LOSES, "memory-queue"),
    ("otlphttp/audit:", LOSES, "drops-when-full"),
    ("pipelines:", LOSES, "no-logs-pipeline"),  # its own structured audit logs are never routed
    (
        "processors: [filter/audit, attributes/audit_metadata, batch]",
        LOSES,
        "held-in-memory",
    ),
}


def test_the_configuration_that_we_ship_loses_nothing() -> None:
    report = judged(SHIPPED.read_text())
    assert report.exporters == ["otlp_http/audit"]
    assert report.findings == []
    assert report.unjudged == []


def test_the_filter_that_a_mend_names_is_the_one_that_we_ship() -> None:
    config: Any = YAML(typ="safe", pure=True).load(SHIPPED.read_text())
    shipped = config["processors"]["filter/audit"]
    assert shipped["trace_conditions"] == [SPAN_CONDITION.replace("\n", " ")]
    assert shipped["log_conditions"] == [LOG_CONDITION.replace("\n", " ")]


def test_the_configuration_of_the_article_gives_its_traps_with_their_lines() -> None:
    report = judged(ARTICLE.read_text())
    assert report.exporters == ["otlphttp/audit"]
    lines = [line.strip() for line in ARTICLE.read_text().splitlines()]
    assert {(lines[it.line - 1], it.level, it.rule) for it in report.findings} == EXPECTED
