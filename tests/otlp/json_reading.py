"""OTLP/JSON in, published messages out: what the tests of the JSON decoder need."""

import json
from typing import Any

import pytest
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from audit_receiver.errors import MalformedRequest
from audit_receiver.otlp import json_decoder, schema
from audit_receiver.otlp.envelope import Request

TRACE_ID = "5B8EFFF798038103D269B633813FC60C"  # of the specification's examples
SPAN_ID = "EEE19B7EC3C1B174"


def decoded(tree: Any, signal: str = "logs", limit: int = 1000, nesting: int = 64) -> Request:
    data = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return json_decoder.decode(signal, data, limit, nesting)  # type: ignore[arg-type]


def logs(*records: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def spans(*items: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(items)}]}]}


def log(tree: Any) -> logs_pb2.LogRecord:
    """One record, read with the published schema."""
    return logs_pb2.LogRecord.FromString(decoded(logs(tree)).groups[0].scopes[0].items[0])


def span(tree: Any) -> trace_pb2.Span:
    request = decoded(spans(tree), "traces")
    return trace_pb2.Span.FromString(request.groups[0].scopes[0].items[0])


def value(tree: Any) -> Any:
    """The body of a record, in our schema."""
    item = decoded(logs({"body": tree})).groups[0].scopes[0].items[0]
    return schema.LogRecord.FromString(item).body


def refused(tree: Any, signal: str = "logs") -> MalformedRequest:
    with pytest.raises(MalformedRequest) as caught:
        decoded(tree, signal)
    return caught.value
