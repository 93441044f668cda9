"""OTLP messages from a private descriptor pool, made so that nothing is lost in reading them.

The published definitions (package `opentelemetry-proto`) with four changes, none of them on the wire:

* every `string` is `bytes`: real Collectors send text that is not UTF-8, and protobuf would refuse the
  whole batch for it (docs/otlp.md 0.9);
* `AnyValue.array_value` and `.kvlist_value` are `bytes`: nested values are read one level at a time, so
  that our limit of 64 levels holds and not protobuf's of 100 messages, and a small request cannot unfold
  into gigabytes;
* the profiling-only fields `key_strindex` and `string_value_strindex` are left out: they are kept the way
  unknown fields are, never interpreted (common.proto asks for that);
* field 1000 of `ResourceSpans` and `ResourceLogs`, which senders before OTLP 0.15 used for what is now
  `scope_spans` and `scope_logs`, has its old place back.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

__all__ = [
    "AnyValue", "ArrayValue", "DEPRECATED_SCOPES", "Event", "ExportLogsServiceRequest",
    "ExportTraceServiceRequest", "InstrumentationScope", "KeyValue", "KeyValueList", "Link", "LogRecord",
    "Message", "Resource", "ResourceLogs", "ResourceSpans", "ScopeLogs", "ScopeSpans", "Span", "Status",
]  # fmt: skip

DEPRECATED_SCOPES = 1000

_FIELD = descriptor_pb2.FieldDescriptorProto
_LAZY = {("AnyValue", "array_value"), ("AnyValue", "kvlist_value")}
_INDEX_FIELDS = {"key_strindex", "string_value_strindex"}
# The scope message of each signal: field 1000 had other names inside, but the same numbers and types.
_SCOPES = {
    "ResourceSpans": ("deprecated_scope_spans", ".opentelemetry.proto.trace.v1.ScopeSpans"),
    "ResourceLogs": ("deprecated_scope_logs", ".opentelemetry.proto.logs.v1.ScopeLogs"),
}


def _adapt(message: descriptor_pb2.DescriptorProto) -> None:
    """Change one message definition in place, as the module says."""
    kept = [field for field in message.field if field.name not in _INDEX_FIELDS]
    del message.field[:]
    message.field.extend(kept)
    for field in message.field:
        lazy = (message.name, field.name) in _LAZY
        if field.type == _FIELD.TYPE_STRING or lazy:
            field.type = _FIELD.TYPE_BYTES
            field.ClearField("type_name")
    if message.name in _SCOPES:
        name, type_name = _SCOPES[message.name]
        del message.reserved_range[:]
        message.field.add(
            name=name,
            number=DEPRECATED_SCOPES,
            label=_FIELD.LABEL_REPEATED,
            type=_FIELD.TYPE_MESSAGE,
            type_name=type_name,
        )
    for nested in message.nested_type:
        _adapt(nested)


def _private_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in (
        common_pb2,
        resource_pb2,
        trace_pb2,
        logs_pb2,
        trace_service_pb2,
        logs_service_pb2,
    ):
        definition = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(definition)
        for message in definition.message_type:
            _adapt(message)
        pool.AddSerializedFile(definition.SerializeToString())
    return pool


_POOL = _private_pool()


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(
        _POOL.FindMessageTypeByName(f"opentelemetry.proto.{name}")
    )


AnyValue = _class("common.v1.AnyValue")
ArrayValue = _class("common.v1.ArrayValue")
KeyValueList = _class("common.v1.KeyValueList")
KeyValue = _class("common.v1.KeyValue")
InstrumentationScope = _class("common.v1.InstrumentationScope")
EntityRef = _class("common.v1.EntityRef")
Resource = _class("resource.v1.Resource")
Span = _class("trace.v1.Span")
Event = _class("trace.v1.Span.Event")
Link = _class("trace.v1.Span.Link")
Status = _class("trace.v1.Status")
ScopeSpans = _class("trace.v1.ScopeSpans")
ResourceSpans = _class("trace.v1.ResourceSpans")
ExportTraceServiceRequest = _class("collector.trace.v1.ExportTraceServiceRequest")
LogRecord = _class("logs.v1.LogRecord")
ScopeLogs = _class("logs.v1.ScopeLogs")
ResourceLogs = _class("logs.v1.ResourceLogs")
ExportLogsServiceRequest = _class("collector.logs.v1.ExportLogsServiceRequest")
