"""The way of an audit record from the application's door to the audit exporter."""

from collections.abc import Iterator

from audit_receiver.lint import attributes, filters
from audit_receiver.lint.exporter import Limits
from audit_receiver.lint.findings import LOSES, MAY_LOSE, Finding, finding, snippet
from audit_receiver.lint.parts import Part, kind
from audit_receiver.lint.route import SIGNALS, Pipeline, Route, connectors

_HANDS_ON_ALL = ("forward", "failover")
# Processors that add to a record or order records, as far as this program knows them.
KNOWN = frozenset(
    (
        "attributes",
        "batch",
        "filter",
        "groupbyattrs",
        "groupbytrace",
        "group_by_attrs",
        "group_by_trace",
        "k8s_attributes",
        "k8sattributes",
        "logdedup",
        "log_dedup",
        "memory_limiter",
        "probabilistic_sampler",
        "redaction",
        "resource",
        "resourcedetection",
        "resource_detection",
        "signing",
        "span",
        "tail_sampling",
        "transform",
    )
)


def judge(route: Route, limits: Limits) -> Iterator[Finding]:
    """Findings about pipelines, connectors and processors on the way."""
    yield from _signals(route)
    yield from _undefined(route)
    yield from _connectors(route)
    for pipeline in route.pipelines:
        for place, named in enumerate(pipeline.named("processors")):
            part = route.root.get("processors", named.text)
            if part.there and not part.unknown:
                yield from _processor(part, named, pipeline, place, limits)


def _signals(route: Route) -> Iterator[Finding]:
    names = ", ".join(route.names)
    pipelines = route.root.get("service", "pipelines")
    doors = [it.text for pipeline in route.pipelines for it in pipeline.named("receivers")]
    receivers = ", ".join(dict.fromkeys(doors)) or "otlp"
    for signal in SIGNALS:
        if signal not in route.signals:
            what = "log" if signal == "logs" else "span"
            yield finding(
                f"no-{signal}-pipeline",
                LOSES,
                pipelines.at,
                f"every audit {what}, always: no {signal} pipeline leads to {names}",
                snippet(
                    "service",
                    "pipelines",
                    f"{signal}/audit",
                    f"receivers: [{receivers}]\nexporters: [{names}]",
                ),
            )


def _undefined(route: Route) -> Iterator[Finding]:
    root = route.root
    for pipeline in route.pipelines:
        for role in ("receivers", "processors", "exporters"):
            for named in pipeline.named(role):
                there = root.get(role, named.text).there or (
                    role != "processors" and root.get("connectors", named.text).there
                )
                if not there and not named.unknown and not root.get(role).unknown:
                    yield finding(
                        "undefined",
                        LOSES,
                        named.at,
                        f"everything: {named.text} is not under {role}, so the Collector does not"
                        " start",
                        snippet(role, f"{named.text}: {{}}  # with its settings"),
                    )


def _connectors(route: Route) -> Iterator[Finding]:
    for part, before, after in connectors(route):
        name = part.key.removeprefix("connectors.")
        if kind(name) in _HANDS_ON_ALL:
            continue
        default = part.get("default_pipelines")
        if kind(name) == "routing" and any(it.text == after.name for it in default.entries()):
            continue
        if kind(name) == "routing":
            said = "a record that meets no condition of the table goes "
            said += "elsewhere" if default.there else "nowhere: there is no default_pipelines"
        else:
            said = f"what {kind(name)} does not hand on; this program does not know that connector"
        yield finding(
            "routed",
            MAY_LOSE,
            (default if default.there else part).at,
            f"between {before.name} and {after.name}: {said}",
            snippet("connectors", name, f"default_pipelines: [{after.name}]"),
        )


def _processor(
    part: Part, named: Part, pipeline: Pipeline, place: int, limits: Limits
) -> Iterator[Finding]:
    name = named.text
    match kind(name):
        case "tail_sampling" | "probabilistic_sampler":
            yield from _sampler(part, named, pipeline)
        case "logdedup" | "log_dedup":
            said = "each log that looks like one before it within the interval, if it has no id"
            yield finding("merges-logs", LOSES, named.at, said, _without(named, pipeline))
        case "batch" | "groupbytrace" | "group_by_trace":
            yield from _held(part, named, pipeline, limits)
        case "memory_limiter" if place > 0:
            yield finding(
                "memory-limiter-late",
                MAY_LOSE,
                named.at,
                "under memory pressure: memory is full before it looks, and what a processor before"
                " it held is dropped here, since nobody is left to send it again",
                _listed(pipeline, [name, *_others(named, pipeline)]),
            )
        case "filter":
            yield from filters.judge(part, name, pipeline.signal)
        case "attributes":
            yield from attributes.attributes(part, name)
        case "transform":
            yield from attributes.transform(part, name, pipeline.signal)
        case "redaction":
            yield from attributes.redaction(part, name)
    mode = part.get("error_mode")
    if mode.value == "propagate":
        yield finding(
            "error-drops",
            MAY_LOSE,
            mode.at,
            f"the whole request, when a condition or statement of {name} fails on one record in it",
            snippet("processors", name, "error_mode: ignore"),
        )


def _sampler(part: Part, named: Part, pipeline: Pipeline) -> Iterator[Finding]:
    share = part.get("sampling_percentage")
    level, said = LOSES, "each record of a trace that the sampler does not keep"
    if kind(named.text) == "probabilistic_sampler":
        percent = _number(share)
        if percent is not None and percent >= 100:
            return
        if share.unknown:
            level, said = MAY_LOSE, "whatever the percentage, filled in at start, leaves out"
        else:
            said = f"all but {percent or 0:g} of 100 records"
    mend = f"{_without(named, pipeline)}\n# sample in another pipeline, after a copy went to audit"
    yield finding("sampler", level, named.at, f"{said}, always", mend)


def _held(part: Part, named: Part, pipeline: Pipeline, limits: Limits) -> Iterator[Finding]:
    name = kind(named.text)
    queue = "# instead: sending_queue with storage and batch in the exporter"
    yield finding(
        "held-in-memory",
        LOSES,
        named.at,
        f"what {name} holds in memory when the Collector crashes or is killed: the application was"
        " told already that it is taken",
        f"{_without(named, pipeline)}\n{queue}",
    )
    most = part.get("send_batch_max_size")
    if name != "batch" or most.unknown:
        return
    size = _number(most) or 0
    mend = snippet("processors", named.text, "send_batch_max_size: 1000")
    if size > limits.items:
        said = f"each batch above {limits.items} records, which is the receiver's limit"
        yield finding("batch-too-large", LOSES, most.at, f"{said}: 413 is final", mend)
    elif size == 0:
        said = f"a batch that grows above the receiver's {limits.body_bytes} bytes"
        at = (most if most.there else part).at
        yield finding("batch-too-large", MAY_LOSE, at, f"{said}: no send_batch_max_size", mend)


def _without(named: Part, pipeline: Pipeline) -> str:
    return _listed(pipeline, _others(named, pipeline))


def _others(named: Part, pipeline: Pipeline) -> list[str]:
    return [it.text for it in pipeline.named("processors") if it.text != named.text]


def _listed(pipeline: Pipeline, processors: list[str]) -> str:
    listed = f"processors: [{', '.join(processors)}]"
    return snippet("service", "pipelines", pipeline.name, listed)


def _number(part: Part) -> float | None:
    try:
        return float(part.text)
    except ValueError:
        return None
