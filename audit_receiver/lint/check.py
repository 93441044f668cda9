"""From the tree of a Collector's configuration to all findings, in the order of its lines."""

from collections.abc import Iterator
from typing import NamedTuple

from audit_receiver.config.tree import Node
from audit_receiver.lint import exporter, pipelines, route
from audit_receiver.lint.exporter import Limits
from audit_receiver.lint.findings import Finding
from audit_receiver.lint.parts import Part, kind
from audit_receiver.lint.route import Chosen, Route

# Keys whose value decides whether records are lost.
_DECIDING = frozenset(
    (
        "timeout",
        "enabled",
        "max_elapsed_time",
        "storage",
        "block_on_overflow",
        "max_size",
        "sizer",
        "compression",
        "error_mode",
        "fsync",
        "sampling_percentage",
        "send_batch_max_size",
        "allow_all_keys",
        "retry_on_failure",
        "sending_queue",
    )
)


class Report(NamedTuple):
    """What was found, of which exporters, and what could not be judged."""

    exporters: list[str]
    findings: list[Finding]
    unjudged: list[str]


def lint(tree: Node, chosen: Chosen | None = None, limits: Limits | None = None) -> Report:
    """Judge a configuration. Raises CannotJudge if it has no audit exporter or no pipelines."""
    limits = limits or Limits()
    way = route.find(tree, chosen or Chosen())
    found = {(it.rule, it.key): it for it in _findings(way, limits)}
    ordered = sorted(found.values(), key=lambda it: (it.line, it.key, it.rule))
    return Report(way.names, ordered, list(_unjudged(way)))


def _findings(way: Route, limits: Limits) -> Iterator[Finding]:
    yield from exporter.judge(way, limits)
    yield from pipelines.judge(way, limits)


def _unjudged(way: Route) -> Iterator[str]:
    """Values that are filled in at start, and processors that this program does not know."""
    seen: set[str] = set()
    parts: list[Part] = list(way.exporters)
    for _, pipeline in way.root.get("service", "pipelines").members():
        for part in pipeline.scalars():
            if part.unknown:
                yield f"line {part.line}: {part.key}: {part.text} is filled in at start"
    for reached in way.pipelines:
        for named in reached.named("processors"):
            if named.text in seen or named.unknown:
                continue
            seen.add(named.text)
            parts.append(way.root.get("processors", named.text))
            if kind(named.text) not in pipelines.KNOWN:
                yield f"line {named.line}: {named.text}: a processor that lint does not know"
    for part in parts:
        for scalar in part.scalars():
            decides = scalar.key == part.key or scalar.key.rsplit(".", 1)[-1] in _DECIDING
            if scalar.unknown and decides:
                yield f"line {scalar.line}: {scalar.key}: {scalar.text} is filled in at start"
