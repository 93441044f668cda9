"""Span, LogRecord, Resource and InstrumentationScope as they stand in the body (DESIGN 3.4).

Field names are protobuf's, times RFC 3339, ids lower-case hex; defaults are left out.
Two things that protobuf can tell apart read alike, because senders differ in them and mean nothing
by it: a status, resource or scope that is absent or empty, an id absent or written out empty.
"""

import base64
from functools import lru_cache
from typing import Any

from audit_receiver.otlp.anyvalue import ValueReader, parse
from audit_receiver.otlp.schema import InstrumentationScope, Resource
from audit_receiver.otlp.wire import unknown_fields
from audit_receiver.record import aliases, canonical, timestamp
from audit_receiver.record.header import resource_text
from audit_receiver.record.model import Attributes, Observation, Shared

Object = dict[str, Any]

_SERVICE = frozenset(name.encode() for name in aliases.SERVICE)
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
_NO_EVENTS: tuple[Attributes, ...] = ()
_CACHE_BYTES = 1 << 14  # what is larger is converted anew each time, so that the cache stays small


def span(
    item: Any, careful: bool, reader: ValueReader, resource: Shared, scope: Shared
) -> Observation:
    """One span. `careful`: there may be unknown fields in it."""
    flags = reader.flags
    flags.clear()
    attributes, attributes_raw = reader.attributes(item.attributes, careful)
    otlp: Object = {}
    trace_id = _id(otlp, "trace_id", item.trace_id, _NO_TRACE, flags, needed=True)
    span_id = _id(otlp, "span_id", item.span_id, _NO_SPAN, flags, needed=True)
    if parent := item.parent_span_id:
        _id(otlp, "parent_span_id", parent, _NO_SPAN, flags)
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
    _dropped(otlp, "dropped_attributes_count", item.dropped_attributes_count, flags)
    _dropped(otlp, "dropped_events_count", item.dropped_events_count, flags)
    _dropped(otlp, "dropped_links_count", item.dropped_links_count, flags)
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
        _unknown(otlp, item)
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
    item: Any, careful: bool, reader: ValueReader, resource: Shared, scope: Shared
) -> Observation:
    """One log record. `careful`: there may be unknown fields in it."""
    flags = reader.flags
    flags.clear()
    attributes, attributes_raw = reader.attributes(item.attributes, careful)
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
    _dropped(otlp, "dropped_attributes_count", item.dropped_attributes_count, flags)
    if number := item.flags:
        otlp["flags"] = number
    trace_id = _id(otlp, "trace_id", item.trace_id, _NO_TRACE, flags)
    span_id = _id(otlp, "span_id", item.span_id, _NO_SPAN, flags)
    if event_name := item.event_name:
        otlp["event_name"] = canonical.of_string(event_name, flags)
    if careful:
        _unknown(otlp, item)
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


def resource(raw: bytes, schema_url: bytes, unknown: bytes, above: bytes, nesting: int) -> Shared:
    """A resource with its envelope: schema URL, and what is unknown beside it and above it.

    Args:
        raw: the Resource.
        schema_url: of the ResourceSpans or ResourceLogs.
        unknown: fields of the ResourceSpans or ResourceLogs that the protocol does not know.
        above: such fields of the whole request.
        nesting: how deep values may nest.
    """
    if len(raw) + len(unknown) + len(above) > _CACHE_BYTES:
        return _resource(raw, schema_url, unknown, above, nesting)
    return _cached_resource(raw, schema_url, unknown, above, nesting)


def scope(raw: bytes, schema_url: bytes, unknown: bytes, nesting: int) -> Shared:
    """An instrumentation scope with its envelope, as `resource`."""
    if len(raw) + len(unknown) > _CACHE_BYTES:
        return _scope(raw, schema_url, unknown, nesting)
    return _cached_scope(raw, schema_url, unknown, nesting)


@lru_cache(512)
def service(raw: bytes) -> str:
    """The service.name of a resource as text, "" if there is none."""
    item, careful = parse(Resource, raw)
    wanted = [pair for pair in item.attributes if pair.key in _SERVICE]
    return resource_text(ValueReader().attributes(wanted, careful)[0], aliases.SERVICE)[0]


@lru_cache(512)
def scope_name(raw: bytes) -> bytes:
    """The name of an instrumentation scope as it came."""
    name: bytes = parse(InstrumentationScope, raw)[0].name
    return name


def _resource(raw: bytes, schema_url: bytes, unknown: bytes, above: bytes, nesting: int) -> Shared:
    reader = ValueReader(nesting)
    flags = reader.flags
    item, careful = parse(Resource, raw)
    attributes, attributes_raw = reader.attributes(item.attributes, careful)
    result: Object = {"attributes": attributes}
    if attributes_raw is not None:
        result["attributes_raw"] = attributes_raw
    _dropped(result, "dropped_attributes_count", item.dropped_attributes_count, flags)
    if item.entity_refs:
        result["entity_refs"] = [_entity_ref(ref, careful, flags) for ref in item.entity_refs]
    if above:
        result["request_unknown"] = _base64(above)
    return _shared(result, item, careful, schema_url, unknown, attributes, flags)


def _scope(raw: bytes, schema_url: bytes, unknown: bytes, nesting: int) -> Shared:
    reader = ValueReader(nesting)
    flags = reader.flags
    item, careful = parse(InstrumentationScope, raw)
    result: Object = {}
    if item.name:
        result["name"] = canonical.of_string(item.name, flags)
    if item.version:
        result["version"] = canonical.of_string(item.version, flags)
    attributes = _attributes(result, item, careful, reader)
    _dropped(result, "dropped_attributes_count", item.dropped_attributes_count, flags)
    return _shared(result, item, careful, schema_url, unknown, attributes, flags)


_cached_resource = lru_cache(256)(_resource)
_cached_scope = lru_cache(256)(_scope)


def _shared(
    result: Object,
    item: Any,
    careful: bool,
    schema_url: bytes,
    unknown: bytes,
    attributes: Attributes,
    flags: set[str],
) -> Shared:
    if schema_url:
        result["schema_url"] = canonical.of_string(schema_url, flags)
    if careful:
        _unknown(result, item)
    if unknown:
        result["envelope_unknown"] = _base64(unknown)
    return Shared(result, canonical.encode(result).decode(), attributes, frozenset(flags))


def _event(item: Any, careful: bool, reader: ValueReader) -> Object:
    result: Object = {}
    if time := item.time_unix_nano:
        result["time"] = timestamp.render(time)
    if name := item.name:
        result["name"] = canonical.of_string(name, reader.flags)
    _attributes(result, item, careful, reader)
    _dropped(result, "dropped_attributes_count", item.dropped_attributes_count, reader.flags)
    if careful:
        _unknown(result, item)
    return result


def _link(item: Any, careful: bool, reader: ValueReader) -> Object:
    result: Object = {}
    _id(result, "trace_id", item.trace_id, _NO_TRACE, reader.flags, needed=True)
    _id(result, "span_id", item.span_id, _NO_SPAN, reader.flags, needed=True)
    if item.trace_state:
        result["trace_state"] = canonical.of_string(item.trace_state, reader.flags)
    _attributes(result, item, careful, reader)
    _dropped(result, "dropped_attributes_count", item.dropped_attributes_count, reader.flags)
    if item.flags:
        result["flags"] = item.flags
    if careful:
        _unknown(result, item)
    return result


def _status(item: Any, careful: bool, flags: set[str]) -> Object:
    result: Object = {}
    if item.code:
        result["code"] = item.code
    if item.message:
        result["message"] = canonical.of_string(item.message, flags)
    if careful:
        _unknown(result, item)
    return result


def _entity_ref(item: Any, careful: bool, flags: set[str]) -> Object:
    result: Object = {}
    for name in ("schema_url", "type"):
        if text := getattr(item, name):
            result[name] = canonical.of_string(text, flags)
    for name in ("id_keys", "description_keys"):
        if keys := getattr(item, name):
            result[name] = [canonical.of_string(key, flags) for key in keys]
    if careful:
        _unknown(result, item)
    return result


def _attributes(result: Object, item: Any, careful: bool, reader: ValueReader) -> Attributes:
    """The attributes of an inner object, left out where there are none."""
    if not item.attributes:
        return {}
    attributes, raw = reader.attributes(item.attributes, careful)
    result["attributes"] = attributes
    if raw is not None:
        result["attributes_raw"] = raw
    return attributes


def _id(
    result: Object, name: str, raw: bytes, none: bytes, flags: set[str], needed: bool = False
) -> str:
    """Put an id into the object as it came; return it if it is valid, else ""."""
    if not raw:
        if needed:
            flags.add("invalid_id")
        return ""
    result[name] = text = raw.hex()
    if len(raw) == len(none) and raw != none:
        return text
    flags.add("invalid_id")
    return ""


def _dropped(result: Object, name: str, count: int, flags: set[str]) -> None:
    if count:
        result[name] = count
        flags.add("truncated")


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


def _unknown(result: Object, item: Any) -> None:
    if raw := unknown_fields(item):
        result["unknown"] = _base64(raw)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return canonical.text_of(value)[0] or ""


def _flags(flags: set[str], resource: Shared, scope: Shared) -> frozenset[str]:
    return frozenset(flags) | resource.flags | scope.flags


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
