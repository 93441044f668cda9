"""Span and LogRecord as observations: what stands in the body (DESIGN 3.4).

Field names are protobuf's, times RFC 3339, ids lower-case hex; defaults are left out.
Two things that protobuf can tell apart read alike, because senders differ in them and mean nothing
by it: a status, resource or scope that is absent or empty, an id absent or written out empty.
"""

from typing import Any

from audit_receiver.otlp.anyvalue import ValueReader
from audit_receiver.otlp.parts import (
    NO_SPAN,
    NO_TRACE,
    Object,
    add_attributes,
    add_dropped,
    add_id,
    add_unknown,
)
from audit_receiver.record import canonical, timestamp
from audit_receiver.record.model import Attributes, Observation, Shared

_NO_EVENTS: tuple[Attributes, ...] = ()


def span(
    item: Any,
    named: tuple[list[bytes], list[Any]],
    careful: bool,
    reader: ValueReader,
    resource: Shared,
    scope: Shared,
) -> Observation:
    """One span.

    Args:
        item: the message.
        named: the keys of its attributes, and these, as lists.
        careful: there may be unknown fields in it.
    """
    flags = reader.flags
    flags.clear()
    attributes, attributes_raw = reader.named(*named, careful)
    otlp: Object = {}
    trace_id = add_id(otlp, "trace_id", item.trace_id, NO_TRACE, flags, needed=True)
    span_id = add_id(otlp, "span_id", item.span_id, NO_SPAN, flags, needed=True)
    if parent := item.parent_span_id:
        add_id(otlp, "parent_span_id", parent, NO_SPAN, flags)
    if trace_state := item.trace_state:
        otlp["trace_state"] = canonical.of_string(trace_state, flags)
        if b"th:" in trace_state and _is_sampled(trace_state):
            flags.add("sampled")
    if number := item.flags:
        otlp["flags"] = number
    if name := item.name:
        otlp["name"] = canonical.of_string(name, flags)
    if number := item.kind:
        otlp["kind"] = number
    if start := item.start_time_unix_nano:
        otlp["start"] = timestamp.render(start)
    if end := item.end_time_unix_nano:
        otlp["end"] = timestamp.render(end)
    add_dropped(otlp, "dropped_attributes_count", item.dropped_attributes_count, flags)
    add_dropped(otlp, "dropped_events_count", item.dropped_events_count, flags)
    add_dropped(otlp, "dropped_links_count", item.dropped_links_count, flags)
    events = _NO_EVENTS
    if item.events:
        objects = [_event(event, careful, reader) for event in item.events]
        otlp["events"] = objects
        events = tuple(event.get("attributes", {}) for event in objects)
    if item.links:
        otlp["links"] = [_link(link, careful, reader) for link in item.links]
    code = 0
    if item.HasField("status"):
        code = item.status.code
        if status := _status(item.status, careful, flags):
            otlp["status"] = status
    if careful:
        add_unknown(otlp, item)
    return Observation(
        "span",
        resource,
        scope,
        attributes,
        attributes_raw,
        otlp,
        _text(otlp.get("name", "")),
        events,
        code,
        start or end,
        trace_id,
        span_id,
        _flags(flags, resource, scope),
    )


def log(
    item: Any,
    named: tuple[list[bytes], list[Any]],
    careful: bool,
    reader: ValueReader,
    resource: Shared,
    scope: Shared,
) -> Observation:
    """One log record; arguments as `span`."""
    flags = reader.flags
    flags.clear()
    attributes, attributes_raw = reader.named(*named, careful)
    otlp: Object = {}
    if time := item.time_unix_nano:
        otlp["time"] = timestamp.render(time)
    if observed := item.observed_time_unix_nano:
        otlp["observed_time"] = timestamp.render(observed)
        if not time:  # logs.proto: "use Timestamp if it is present, otherwise ObservedTimestamp"
            flags.add("observed_time")
    if number := item.severity_number:
        otlp["severity_number"] = number
    if text := item.severity_text:
        otlp["severity_text"] = canonical.of_string(text, flags)
    if item.HasField("body"):
        otlp["body"] = reader.value(item.body, careful)
    add_dropped(otlp, "dropped_attributes_count", item.dropped_attributes_count, flags)
    if number := item.flags:
        otlp["flags"] = number
    trace_id = add_id(otlp, "trace_id", item.trace_id, NO_TRACE, flags)
    span_id = add_id(otlp, "span_id", item.span_id, NO_SPAN, flags)
    if event_name := item.event_name:
        otlp["event_name"] = canonical.of_string(event_name, flags)
    if careful:
        add_unknown(otlp, item)
    return Observation(
        "log",
        resource,
        scope,
        attributes,
        attributes_raw,
        otlp,
        _text(otlp["event_name"] if event_name else attributes.get("event.name", "")),
        _NO_EVENTS,
        0,
        time or observed,
        trace_id,
        span_id,
        _flags(flags, resource, scope),
    )


def _event(item: Any, careful: bool, reader: ValueReader) -> Object:
    result: Object = {}
    if time := item.time_unix_nano:
        result["time"] = timestamp.render(time)
    if name := item.name:
        result["name"] = canonical.of_string(name, reader.flags)
    add_attributes(result, item, careful, reader)
    add_dropped(result, "dropped_attributes_count", item.dropped_attributes_count, reader.flags)
    if careful:
        add_unknown(result, item)
    return result


def _link(item: Any, careful: bool, reader: ValueReader) -> Object:
    result: Object = {}
    add_id(result, "trace_id", item.trace_id, NO_TRACE, reader.flags, needed=True)
    add_id(result, "span_id", item.span_id, NO_SPAN, reader.flags, needed=True)
    if item.trace_state:
        result["trace_state"] = canonical.of_string(item.trace_state, reader.flags)
    add_attributes(result, item, careful, reader)
    add_dropped(result, "dropped_attributes_count", item.dropped_attributes_count, reader.flags)
    if item.flags:
        result["flags"] = item.flags
    if careful:
        add_unknown(result, item)
    return result


def _status(item: Any, careful: bool, flags: set[str]) -> Object:
    result: Object = {}
    if item.code:
        result["code"] = item.code
    if item.message:
        result["message"] = canonical.of_string(item.message, flags)
    if careful:
        add_unknown(result, item)
    return result


def _is_sampled(trace_state: bytes) -> bool:
    """Whether `ot=th:…` says that other spans like this were left out (th:0 keeps all)."""
    for member in trace_state.split(b","):
        vendor, _, value = member.strip().partition(b"=")
        if vendor == b"ot":
            for part in value.split(b";"):
                key, _, threshold = part.partition(b":")
                if key == b"th" and threshold.strip(b"0"):
                    return True
    return False


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return canonical.text_of(value)[0] or ""


def _flags(flags: set[str], resource: Shared, scope: Shared) -> frozenset[str]:
    return frozenset(flags) | resource.flags | scope.flags
