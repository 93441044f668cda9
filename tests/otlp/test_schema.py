"""The private schema reads what protobuf's own would refuse, and writes the same bytes back."""

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1 import logs_pb2

from audit_receiver.otlp import schema
from tests.kit import build


def test_text_that_is_not_utf8_comes_back_byte_for_byte() -> None:
    data = build.patched(
        build.log_record("PLACE").SerializeToString(), "PLACE", b"\xff\xfe\x00\xc3("
    )

    record = schema.LogRecord.FromString(data)

    assert record.event_name == b"\xff\xfe\x00\xc3("
    assert record.SerializeToString() == data
    with pytest.raises(DecodeError):
        logs_pb2.LogRecord.FromString(data)


def test_every_string_of_the_published_schema_is_bytes() -> None:
    kinds = [schema.ExportTraceServiceRequest, schema.ExportLogsServiceRequest, schema.EntityRef]
    seen = set()

    def visit(descriptor: object) -> None:
        if descriptor.full_name in seen:  # type: ignore[attr-defined]
            return
        seen.add(descriptor.full_name)  # type: ignore[attr-defined]
        for field in descriptor.fields:  # type: ignore[attr-defined]
            assert field.type != field.TYPE_STRING, field.full_name
            if field.message_type:
                visit(field.message_type)

    for kind in kinds:
        visit(kind.DESCRIPTOR)
    assert "opentelemetry.proto.trace.v1.Span.Link" in seen
    assert "opentelemetry.proto.resource.v1.Resource" in seen


def test_an_ordinary_message_reads_as_with_the_published_schema() -> None:
    published = build.request(build.span(events=[("e", {"k": 1})], status=(2, "no")))
    data = published.SerializeToString()

    private = schema.ExportTraceServiceRequest.FromString(data)

    assert private.SerializeToString(deterministic=True) == data
    span = private.resource_spans[0].scope_spans[0].spans[0]
    assert span.status.message == b"no"
    assert span.events[0].attributes[0].value.int_value == 1


def test_a_string_index_is_kept_as_an_unknown_field() -> None:
    value = schema.AnyValue.FromString(b"\x40\x05")  # field 8, varint 5

    assert value.WhichOneof("value") is None
    assert value.SerializeToString() == b"\x40\x05"
