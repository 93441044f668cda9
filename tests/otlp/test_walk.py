"""Requests to observations: what records share, what protobuf does not know, refusals."""

import base64
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp import codec, walk
from audit_receiver.record.select import Rule
from tests.kit import build
from tests.otlp.reading import LIMITS, field, one, raw_log, walked

# Resource and scope


def test_resource_and_scope() -> None:
    message = build.request(build.log_record(), schema_url="https://example.org/r")
    outer = message.resource_logs[0]
    outer.resource.dropped_attributes_count = 1
    outer.resource.entity_refs.add(
        schema_url="u", type="host", id_keys=["host.id"], description_keys=["a", "b"]
    )
    inner = outer.scope_logs[0]
    inner.schema_url = "https://example.org/s"
    inner.scope.version = "1"
    inner.scope.attributes.extend(build.attributes({"b": 1, "a": 2}))

    (observation,) = walked(message).observations

    assert observation.resource.object == {
        "attributes": {
            "service.name": "billing",
            "deployment.environment.name": "production",
            "host.name": "web-1",
        },
        "dropped_attributes_count": 1,
        "entity_refs": [
            {
                "schema_url": "u",
                "type": "host",
                "id_keys": ["host.id"],
                "description_keys": ["a", "b"],
            }
        ],
        "schema_url": "https://example.org/r",
    }
    assert observation.resource.attributes == observation.resource.object["attributes"]
    assert observation.scope.text == (
        '{"attributes":{"a":2,"b":1},"name":"app","schema_url":"https://example.org/s","version":"1"}'
    )
    assert observation.scope.attributes == {"b": 1, "a": 2}


def test_no_resource_and_no_scope() -> None:
    (observation,) = walked(
        field(1, field(2, field(2, field(12, b"audit.x")))), "logs"
    ).observations

    assert observation.resource.text == '{"attributes":{}}'
    assert observation.scope.text == "{}"


def test_records_of_one_scope_share_it() -> None:
    message = build.request(build.span(), build.span())

    first, second = walked(message).observations

    assert first.resource is second.resource
    assert first.scope is second.scope


@pytest.mark.parametrize(("size", "remembered"), [(1000, True), (20_000, False)])
def test_what_is_remembered_of_resources_stays_small(size: int, remembered: bool) -> None:
    resource = {"service.name": "billing", "x": "y" * size}

    first = one(build.span(), resource=resource).resource
    second = one(build.span(), resource=resource).resource

    assert first == second
    assert (first is second) == remembered


def test_records_may_not_unfold_to_more_than_a_request_may(monkeypatch: Any) -> None:
    monkeypatch.setattr(walk, "SHARED_BYTES", 5000)
    resource = {"service.name": "billing", "x": "y" * 2000}

    assert walked(build.request(build.span(), build.span(), resource=resource))
    with pytest.raises(RequestTooLarge, match="5000 bytes"):
        walked(build.request(build.span(), build.span(), build.span(), resource=resource))


# What protobuf does not know


def test_unknown_fields_stand_in_their_object() -> None:  # A09
    unknown, text = b"\xa2\x06\x01x", "ogYBeA=="
    status = field(15, b"\x18\x02" + unknown)
    event = field(11, field(2, b"e") + unknown)
    link = field(13, field(1, bytes(range(16))) + field(2, bytes(range(8))) + unknown)
    span = field(5, b"audit") + status + event + link + unknown
    scope = field(1, field(1, b"s") + unknown) + field(2, span) + unknown
    group = field(1, unknown) + field(2, scope) + unknown

    (observation,) = walked(field(1, group) + unknown, "traces").observations

    assert observation.otlp["unknown"] == text
    assert observation.otlp["status"] == {"code": 2, "unknown": text}
    assert observation.otlp["events"] == [{"name": "e", "unknown": text}]
    assert observation.otlp["links"][0]["unknown"] == text
    assert observation.scope.object == {"name": "s", "unknown": text, "envelope_unknown": text}
    assert observation.resource.object == {
        "attributes": {},
        "unknown": text,
        "envelope_unknown": text,
        "request_unknown": text,
    }
    assert observation.flags == {"invalid_id"}


def test_old_fields_are_kept_as_unknown() -> None:
    observation = raw_log(field(4, b"name of old"))  # LogRecord.name, reserved since 0.15

    assert observation.otlp == {"unknown": base64.b64encode(field(4, b"name of old")).decode()}


def test_empty_ids_that_are_written_out_are_no_unknown_fields() -> None:  # Go Collectors do
    assert raw_log(b"\x52\x00\x4a\x00\x45" + bytes(4)).otlp == {}


def test_attributes_that_repeat_are_kept_in_full() -> None:  # J13
    given = [("audit.x", "1"), ("b", 2), ("audit.x", "3")]

    observation = one(build.log_record("", given, body="b"))

    assert observation.attributes == {"audit.x": "3", "b": 2}
    whole = b"".join(field(1, p.SerializeToString()) for p in build.attributes(given))
    assert observation.attributes_raw == base64.b64encode(whole).decode()
    assert observation.flags == {"duplicate_keys"}


def test_attributes_of_events_links_and_resources_too() -> None:
    twice = build.attributes([("a", 1), ("a", 1)])
    link = Span.Link(trace_id=bytes(range(16)), span_id=bytes(range(8)), attributes=twice)
    span = build.span(events=[Span.Event(attributes=twice)], links=[link])

    observation = one(span, resource=[("a", 1), ("a", 1)])

    raw = base64.b64encode(b"".join(field(1, p.SerializeToString()) for p in twice)).decode()
    assert observation.otlp["events"] == [{"attributes": {"a": 1}, "attributes_raw": raw}]
    assert observation.otlp["links"][0]["attributes_raw"] == raw
    assert observation.resource.object == {"attributes": {"a": 1}, "attributes_raw": raw}
    assert observation.attributes_raw is None


def test_scopes_of_old_senders_are_walked() -> None:  # A11
    record = build.log_record().SerializeToString()
    old = field(1, field(1, b"library")) + field(2, record)

    (observation,) = walked(field(1, field(1000, old)), "logs").observations

    assert observation.scope.object == {"name": "library"}
    assert observation.attributes["audit.action"] == "UPDATE"


# Refusals


@pytest.mark.parametrize("broken", [b"\xff\xff\xff", b"\x0a\x10audit.x", b"audit.x"])
def test_a_broken_item_is_refused_and_named(broken: bytes) -> None:
    good = field(2, build.log_record().SerializeToString())
    data = field(1, field(2, good)) + field(1, field(2, b"") + field(2, good + field(2, broken)))

    with pytest.raises(MalformedRequest) as refused:
        walked(data, "logs")

    assert refused.value.field == "resource_logs[1].scope_logs[1].log_records[1]"
    assert refused.value.field in str(refused.value)


def test_a_broken_resource_is_refused() -> None:
    data = field(1, field(1, b"\x0a\x05ab") + field(2, field(2, field(12, b"audit"))))

    with pytest.raises(MalformedRequest, match="Resource"):
        walked(data, "logs")


def test_one_item_may_not_have_countless_fields() -> None:
    record = build.log_record().SerializeToString() + b"\x32\x00" * 200_000

    with pytest.raises(RequestTooLarge, match="more than 200000 fields"):
        walked(field(1, field(2, field(2, record))), "logs")


def test_a_request_read_twice_reads_the_same() -> None:
    message = build.request(build.log_record())
    data = message.SerializeToString()
    request = codec.decode("logs", data, "protobuf", LIMITS)

    assert walk.walk("logs", request, Rule()) == walk.walk("logs", request, Rule())
    assert ExportLogsServiceRequest.FromString(data) == message
