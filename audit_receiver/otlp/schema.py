"""OTLP messages from a private descriptor pool, made so that nothing is lost in reading them.

The published definitions (package `opentelemetry-proto`) with three changes, none on the wire:

* every `string` is `bytes`: real Collectors send text that is not UTF-8, and protobuf would refuse
  the whole batch for it (docs/otlp.md 0.9);
* `AnyValue.array_value` and `.kvlist_value` are `bytes`: nested values are read one level at a
  time, so that our limit of 64 levels holds and not protobuf's of 100 messages, and a small request
  cannot unfold into gigabytes;
* the profiling-only fields `key_strindex` and `string_value_strindex` are left out: they are kept
  the way unknown fields are, never interpreted (common.proto asks for that).
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

_FIELD = descriptor_pb2.FieldDescriptorProto
_LAZY = {("AnyValue", "array_value"), ("AnyValue", "kvlist_value")}
_INDEX_FIELDS = {"key_strindex", "string_value_strindex"}


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
