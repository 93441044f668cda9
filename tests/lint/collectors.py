"""A Collector configuration that loses nothing, changed in one place, and what lint says of it."""

import json
from collections.abc import Mapping
from typing import Any

from audit_receiver.config.tree import Mistake, read
from audit_receiver.lint.check import Report, lint
from audit_receiver.lint.exporter import Limits
from audit_receiver.lint.filters import LOG_CONDITION, SPAN_CONDITION
from audit_receiver.lint.route import Chosen
from tests.kit.server import merged

EXPORTER = "otlp_http/audit"
PIPELINE = {"receivers": ["otlp"], "processors": ["filter/audit"], "exporters": [EXPORTER]}
CLEAN: dict[str, Any] = {
    "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": "127.0.0.1:14317"}}}},
    "processors": {
        "filter/audit": {
            "error_mode": "ignore",
            "trace_conditions": [SPAN_CONDITION],
            "log_conditions": [LOG_CONDITION],
        }
    },
    "exporters": {
        EXPORTER: {
            "endpoint": "http://127.0.0.1:4318",
            "retry_on_failure": {"max_elapsed_time": "0s"},
            "sending_queue": {"storage": "file_storage/audit", "block_on_overflow": True},
        }
    },
    "extensions": {"file_storage/audit": {"directory": "/var/lib/otelcol", "fsync": True}},
    "service": {
        "extensions": ["file_storage/audit"],
        "pipelines": {"traces/audit": PIPELINE, "logs/audit": PIPELINE},
    },
}


def exporter(**keys: Any) -> dict[str, Any]:
    """A change of the audit exporter."""
    return {"exporters": {EXPORTER: keys}}


def processor(name: str, config: Any, *signals: str) -> dict[str, Any]:
    """A change that puts one processor before the filter, in the pipelines of these signals."""
    on = {"processors": [name, "filter/audit"]}
    pipelines = {f"{signal}/audit": on for signal in signals or ("traces", "logs")}
    return {"processors": {name: config}, "service": {"pipelines": pipelines}}


def judged(text: str, chosen: Chosen | None = None, limits: Limits | None = None) -> Report:
    """The report on a configuration's text, which has to be YAML."""
    mistakes: list[Mistake] = []
    tree = read(text, mistakes)
    assert not mistakes
    return lint(tree, chosen, limits)


def changed(*changes: Mapping[str, Any], chosen: Chosen | None = None) -> Report:
    """The report on the clean configuration with changes laid over it."""
    config: Mapping[str, Any] = CLEAN
    for change in changes:
        config = merged(config, change)
    return judged(json.dumps(config, indent=1), chosen)


def found(report: Report) -> set[tuple[str, str, str]]:
    """Rule, level and key of each finding."""
    return {(it.rule, it.level, it.key) for it in report.findings}
