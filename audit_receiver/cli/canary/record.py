"""The canary: one audit record that says so of itself, as an OTLP request."""

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

ACTION = "audit.canary"
ACTOR = "audit-receiver canary"
SERVICE = "audit-receiver-canary"
_SAMPLED = 1  # a W3C trace flag: an honest sampler that looks at it keeps the span


def request(signal: str, record_id: str, target: str, source: str, now_unix_nano: int) -> Any:
    """The export request of one canary; `record_id` is what it is found by.

    The last 32 characters of `record_id` are hexadecimal: they are a span's trace id as well.
    """
    attributes = _attributes(
        {
            "audit.record.id": record_id,
            "audit.action": ACTION,
            "audit.actor.id": ACTOR,
            "audit.actor.type": "system",
            "audit.target.id": target,
            "audit.target.type": "pipeline",
            "audit.source.id": source,
            "audit.source.type": "host",
            "audit.outcome": "success",
        }
    )
    resource = Resource(attributes=_attributes({"service.name": SERVICE}))
    if signal == "logs":
        logs = ExportLogsServiceRequest()
        outer = logs.resource_logs.add(resource=resource)
        outer.scope_logs.add().log_records.add(
            time_unix_nano=now_unix_nano,
            observed_time_unix_nano=now_unix_nano,
            event_name=ACTION,
            attributes=attributes,
        )
        return logs
    traces = ExportTraceServiceRequest()
    spans = traces.resource_spans.add(resource=resource).scope_spans.add()
    identity = bytes.fromhex(record_id[-32:])
    spans.spans.add(
        trace_id=identity,
        span_id=identity[:8],
        flags=_SAMPLED,
        name=ACTION,
        start_time_unix_nano=now_unix_nano,
        end_time_unix_nano=now_unix_nano,
        attributes=attributes,
    )
    return traces


def _attributes(words: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=said)) for key, said in words.items()]
