"""The builders of tests/kit build what they say."""

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.kit import build


def test_spans_and_records_are_never_equal_by_accident() -> None:
    assert build.span() != build.span()
    assert build.log_record() != build.log_record()


def test_requests_are_of_the_kind_of_their_items() -> None:
    assert isinstance(build.request(build.span()), ExportTraceServiceRequest)
    assert isinstance(build.request(build.log_record()), ExportLogsServiceRequest)
    assert build.signal_of(build.request(signal="logs")) == "logs"
    assert build.signal_of(build.request()) == "traces"


def test_the_json_is_what_protobuf_writes_but_for_ids() -> None:
    span = build.span(
        "n",
        {"i": -5, "d": 0.5, "b": b"\x00\xff", "l": [None, "x", {"k": True}], "big": 2**60},
        trace_id=b"",
        span_id=b"",
        events=[("e", {})],
        status=(2, "no"),
    )
    message = build.request(span, schema_url="u")

    expected = json_format.MessageToDict(message, use_integers_for_enums=True)

    assert build.json.loads(build.json_text(message)) == expected


def test_ids_are_hex_in_the_json() -> None:
    span = build.span(trace_id=bytes(range(16)), span_id=bytes(range(8)))

    text = build.json_text(span)

    assert '"traceId": "000102030405060708090a0b0c0d0e0f"' in text
    assert '"spanId": "0001020304050607"' in text


def test_observations_are_those_of_the_audit_items() -> None:
    message = build.request(build.span(), build.span("plain", {}))

    assert [o.name for o in build.observations(message)] == ["update_user_role"]
