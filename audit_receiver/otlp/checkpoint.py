"""A checkpoint as an OTLP log record, and what a backend's answer to it means.

No name in it matches `audit` or `audit.*`: a receiver with the usual rule, ours or that of a
Collector in between, does not take it for an audit record, and so none answers its own checkpoint
with the next one.
"""

import json

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import (
    SEVERITY_NUMBER_INFO,
    LogRecord,
    ResourceLogs,
    ScopeLogs,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

EVENT_NAME = "audit_receiver.checkpoint"
SCOPE = "audit_receiver"
_SERVICE = "audit-receiver"


def export_request(
    version: str, origin: str, size: int, root: bytes, note: str, unix_nano: int
) -> bytes:
    """An ExportLogsServiceRequest with the checkpoint; the note is its body."""
    record = LogRecord(
        time_unix_nano=unix_nano,
        observed_time_unix_nano=unix_nano,
        severity_number=SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        event_name=EVENT_NAME,
        body=AnyValue(string_value=note),
        attributes=[
            KeyValue(key="audit_receiver.origin", value=AnyValue(string_value=origin)),
            KeyValue(key="audit_receiver.root", value=AnyValue(string_value=root.hex())),
            KeyValue(key="audit_receiver.size", value=AnyValue(int_value=size)),
        ],
    )
    scope_logs = ScopeLogs(log_records=[record])
    scope_logs.scope.name, scope_logs.scope.version = SCOPE, version
    names = {"service.name": _SERVICE, "service.version": version}
    resource = Resource(
        attributes=[KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in names.items()]
    )
    request = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=resource, scope_logs=[scope_logs])]
    )
    return bytes(request.SerializeToString())


def not_kept(content_type: str, body: bytes) -> str | None:
    """Why a 200 does not mean kept: the record was rejected, or the answer is none of OTLP's."""
    read = _READERS.get(content_type) if body else _from_protobuf
    try:
        if read is None:
            raise ValueError(content_type)
        rejected, said = read(body)
    except (DecodeError, ValueError, AttributeError, TypeError):
        return f"the answer ({content_type}) is not an ExportLogsServiceResponse"
    # OTLP: rejected items are dropped for good; zero of them with a message is a warning.
    return f"the backend rejected it: {said[:200]!r}" if rejected else None


def _from_protobuf(body: bytes) -> tuple[int, str]:
    partial = ExportLogsServiceResponse.FromString(body).partial_success
    return partial.rejected_log_records, partial.error_message


def _from_json(body: bytes) -> tuple[int, str]:
    partial = json.loads(body).get("partialSuccess") or {}
    return int(partial.get("rejectedLogRecords", 0)), str(partial.get("errorMessage", ""))


# Text of another kind may by chance be protobuf of unknown fields, so the type has to be stated.
_READERS = {"application/x-protobuf": _from_protobuf, "application/json": _from_json}
