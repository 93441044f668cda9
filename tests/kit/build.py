"""Spans, log records, requests with sane defaults: real opentelemetry-proto messages, and JSON.

    build.request(build.span(), build.span("logout"))               # ExportTraceServiceRequest
    build.request(build.log_record(attributes={"audit.action": "x"}))   # ExportLogsServiceRequest
    build.json_text(message)                                        # the same as OTLP/JSON

Every span and log record has ids of its own, counted up: nothing is a duplicate by accident.
"""

import base64
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

START = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
RESOURCE = {
    "service.name": "billing",
    "deployment.environment.name": "production",
    "host.name": "web-1",
}
# The article's span, `update_user_role`.
SPAN_ATTRIBUTES = {
    "audit.action": "role_update",
    "audit.changed_by": "alice",
    "audit.target_user": "bob",
    "audit.old_role": "viewer",
    "audit.new_role": "admin",
    "audit.result": "success",
}
# A log in the words of the OpenTelemetry audit draft, `audit.record.id` apart (see log_record).
LOG_ATTRIBUTES = {
    "audit.action": "UPDATE",
    "audit.actor.id": "alice",
    "audit.actor.type": "user",
    "audit.target.id": "config/limits",
    "audit.target.type": "configuration",
    "audit.outcome": "success",
    "audit.source.id": "192.0.2.7",
    "audit.source.type": "ipv4",
}

Attributes = Mapping[str, Any] | Iterable[tuple[str, Any]]
_numbers = itertools.count(1)


def any_value(value: Any) -> AnyValue:
    """A Python value as AnyValue; None is one that is present and empty."""
    if isinstance(value, AnyValue):
        return value
    result = AnyValue()
    match value:
        case None:
            pass
        case bool():
            result.bool_value = value
        case int():
            result.int_value = value
        case float():
            result.double_value = value
        case str():
            result.string_value = value
        case bytes():
            result.bytes_value = value
        case Mapping():
            result.kvlist_value.SetInParent()
            result.kvlist_value.values.extend(attributes(value))
        case _:
            result.array_value.SetInParent()
            result.array_value.values.extend(any_value(item) for item in value)
    return result


def attributes(given: Attributes) -> list[KeyValue]:
    """A mapping, or pairs where a key is to repeat, as an attribute list."""
    pairs = given.items() if isinstance(given, Mapping) else given
    return [KeyValue(key=key, value=any_value(value)) for key, value in pairs]


def span(
    name: str = "update_user_role", attributes: Attributes | None = None, **fields: Any
) -> Span:
    """An audit span with ids of its own; any field by its protobuf name.

    `events` are `(name, attributes)` or Span.Event, `status` is `(code, message)` or Status.
    """
    number = next(_numbers)
    fields.setdefault("trace_id", number.to_bytes(16, "big"))
    fields.setdefault("span_id", number.to_bytes(8, "big"))
    fields.setdefault("kind", Span.SPAN_KIND_SERVER)
    fields.setdefault("start_time_unix_nano", START + number * 1_000_000)
    fields.setdefault("end_time_unix_nano", START + number * 1_000_000 + 250_000)
    fields["events"] = [_event(event, fields) for event in fields.get("events", ())]
    status = fields.pop("status", None)
    result = Span(name=name, attributes=_pairs(attributes, SPAN_ATTRIBUTES), **fields)
    if isinstance(status, tuple):
        result.status.code, result.status.message = status
    elif status is not None:
        result.status.CopyFrom(status)
    return result


def log_record(
    event_name: str = "", attributes: Attributes | None = None, body: Any = ..., **fields: Any
) -> LogRecord:
    """An audit log record with times of its own; any field by its protobuf name.

    Without `attributes` it follows the audit draft, with a record id of its own.
    `body=None` is a body that is present and empty; left away, there is none.
    """
    number = next(_numbers)
    fields.setdefault("time_unix_nano", START + number * 1_000_000)
    fields.setdefault("observed_time_unix_nano", START + number * 1_000_000 + 1_000)
    defaults = {**LOG_ATTRIBUTES, "audit.record.id": f"record-{number}"}
    result = LogRecord(event_name=event_name, attributes=_pairs(attributes, defaults), **fields)
    if body is not ...:
        result.body.CopyFrom(any_value(body))
    return result


def request(
    *items: Span | LogRecord,
    resource: Attributes | Resource | None = None,
    scope: str | InstrumentationScope = "app",
    schema_url: str = "",
    signal: str = "traces",
) -> Any:
    """An export request of these items under one resource and scope; empty, `signal` decides."""
    if (items and isinstance(items[0], Span)) or (not items and signal == "traces"):
        message: Any = ExportTraceServiceRequest()
        outer = message.resource_spans.add(schema_url=schema_url)
        inner = outer.scope_spans.add()
        inner.spans.extend(items)
    else:
        message = ExportLogsServiceRequest()
        outer = message.resource_logs.add(schema_url=schema_url)
        inner = outer.scope_logs.add()
        inner.log_records.extend(items)
    if not isinstance(resource, Resource):
        resource = Resource(attributes=_pairs(resource, RESOURCE))
    outer.resource.CopyFrom(resource)
    if isinstance(scope, str):
        scope = InstrumentationScope(name=scope)
    inner.scope.CopyFrom(scope)
    return message


def signal_of(message: Message) -> str:
    """`traces` or `logs`, by the type of the request."""
    return "traces" if message.DESCRIPTOR.name == "ExportTraceServiceRequest" else "logs"


def json_text(message: Message, *, integers: type = str, indent: int | None = None) -> str:
    """A message as OTLP/JSON: lowerCamelCase, hex ids, 64-bit integers as `integers` says."""
    return json.dumps(_json(message, integers), ensure_ascii=False, indent=indent)


def json_bytes(message: Message) -> bytes:
    """`json_text` as a request body."""
    return json_text(message).encode()


def patched(data: bytes, old: str, new: bytes) -> bytes:
    """Bytes with a placeholder replaced by as many other bytes, for text that is not UTF-8."""
    placeholder = old.encode()
    assert data.count(placeholder) == 1, "the placeholder has to stand there once"
    assert len(placeholder) == len(new), "protobuf lengths must stay right"
    return data.replace(placeholder, new)


def _pairs(given: Attributes | None, default: Attributes) -> list[KeyValue]:
    return attributes(default if given is None else given)


def _event(event: Any, span_fields: Mapping[str, Any]) -> Span.Event:
    if isinstance(event, Span.Event):
        return event
    name, pairs = event
    when = span_fields["start_time_unix_nano"] + 1_000
    return Span.Event(time_unix_nano=when, name=name, attributes=attributes(pairs))


_IDS = {"trace_id", "span_id", "parent_span_id"}
_WIDE = {
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
}


def _json(message: Message, integers: type) -> dict[str, Any]:
    return {
        field.json_name: [_json_value(field, item, integers) for item in value]
        if field.is_repeated
        else _json_value(field, value, integers)
        for field, value in message.ListFields()
    }


def _json_value(field: FieldDescriptor, value: Any, integers: type) -> Any:
    if isinstance(value, Message):
        return _json(value, integers)
    if isinstance(value, bytes):
        return value.hex() if field.name in _IDS else base64.b64encode(value).decode()
    if field.cpp_type in _WIDE:
        return integers(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def observations(message: Message, rule: Any = None) -> list[Any]:
    """What the receiver reads out of a request: its audit records as Observation."""
    from audit_receiver.otlp import codec, walk
    from audit_receiver.record.select import Rule

    signal: Any = signal_of(message)
    limits = codec.Limits(max_bytes=1 << 26, items=200_000)
    request = codec.decode(signal, message.SerializeToString(), "protobuf", limits)
    return walk.walk(signal, request, rule or Rule()).observations
