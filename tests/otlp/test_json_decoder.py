"""OTLP/JSON to the same items as protobuf (checklist J)."""

import json
from typing import Any

import pytest
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp import schema
from tests.kit import build
from tests.otlp.json_reading import (
    SPAN_ID,
    TRACE_ID,
    decoded,
    log,
    logs,
    refused,
    span,
    value,
)

# The example of the OTLP repository, examples/logs.json, shortened.
EXAMPLE = {
    "resourceLogs": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]
            },
            "scopeLogs": [
                {
                    "scope": {
                        "name": "my.library",
                        "version": "1.0.0",
                        "attributes": [{"key": "a", "value": {"stringValue": "some scope"}}],
                    },
                    "logRecords": [
                        {
                            "timeUnixNano": "1544712660300000000",
                            "observedTimeUnixNano": "1544712660300000000",
                            "severityNumber": 10,
                            "severityText": "Information",
                            "traceId": TRACE_ID,
                            "spanId": SPAN_ID,
                            "body": {"stringValue": "Example log record"},
                            "attributes": [
                                {"key": "boolean", "value": {"boolValue": True}},
                                {"key": "int", "value": {"intValue": "10"}},
                                {"key": "double", "value": {"doubleValue": 637.704}},
                                {
                                    "key": "array",
                                    "value": {
                                        "arrayValue": {
                                            "values": [
                                                {"stringValue": "many"},
                                                {"stringValue": "values"},
                                            ]
                                        }
                                    },
                                },
                                {
                                    "key": "map",
                                    "value": {
                                        "kvlistValue": {
                                            "values": [{"key": "k", "value": {"stringValue": "v"}}]
                                        }
                                    },
                                },
                            ],
                        }
                    ],
                }
            ],
        }
    ]
}


def test_the_example_of_the_specification() -> None:  # H02, X06
    request = decoded(EXAMPLE)

    group = request.groups[0]
    assert group.resource == build.Resource(
        attributes=build.attributes({"service.name": "my.service"})
    ).SerializeToString(deterministic=True)
    record = logs_pb2.LogRecord(
        time_unix_nano=1544712660300000000,
        observed_time_unix_nano=1544712660300000000,
        severity_number=10,
        severity_text="Information",
        trace_id=bytes.fromhex(TRACE_ID),
        span_id=bytes.fromhex(SPAN_ID),
        body=build.any_value("Example log record"),
        attributes=build.attributes(
            {
                "boolean": True,
                "int": 10,
                "double": 637.704,
                "array": ["many", "values"],
                "map": {"k": "v"},
            }
        ),
    )
    assert logs_pb2.LogRecord.FromString(group.scopes[0].items[0]) == record
    assert request.ignored_members == 0


def test_every_field_of_a_span() -> None:
    message = build.span(
        trace_state="ot=th:c",
        parent_span_id=b"parent!!",
        flags=0x101,
        events=[("e", {"k": "v"})],
        links=[
            trace_pb2.Span.Link(
                trace_id=bytes(range(16)),
                span_id=bytes(range(8)),
                trace_state="x=y",
                attributes=build.attributes({"l": 1}),
                dropped_attributes_count=1,
                flags=1,
            )
        ],
        dropped_attributes_count=2,
        dropped_events_count=3,
        dropped_links_count=4,
        status=(2, "denied"),
    )
    message.events[0].dropped_attributes_count = 5

    assert span(json.loads(build.json_text(message))) == message


def test_every_field_of_a_resource_and_scope() -> None:
    message = build.request(build.log_record(), schema_url="https://example.org/1")
    resource = message.resource_logs[0].resource
    resource.dropped_attributes_count = 3
    resource.entity_refs.add(
        schema_url="u", type="host", id_keys=["host.id"], description_keys=["host.name", "x"]
    )
    scope = message.resource_logs[0].scope_logs[0]
    scope.schema_url = "https://example.org/2"
    scope.scope.version = "1.2"
    scope.scope.attributes.extend(build.attributes({"s": None}))
    scope.scope.dropped_attributes_count = 4

    group = decoded(build.json_bytes(message)).groups[0]

    assert build.Resource.FromString(group.resource) == resource
    assert group.schema_url == b"https://example.org/1"
    assert build.InstrumentationScope.FromString(group.scopes[0].scope) == scope.scope
    assert group.scopes[0].schema_url == b"https://example.org/2"


# Names of members


def test_unknown_members_are_ignored_and_counted() -> None:  # J05
    odd = {"new": {"deep": [1, {"x": None}]}}
    tree = logs({**odd, "body": {"stringValue": "b", **odd}, "attributes": [
        {"key": "k", "value": {"stringValue": "v"}, **odd},
        {"key": "a", "value": {"arrayValue": {"values": [], **odd}}},
    ]})  # fmt: skip
    tree.update(odd)
    tree["resourceLogs"][0].update(odd, resource=odd)
    tree["resourceLogs"][0]["scopeLogs"][0].update(odd, scope=odd)

    request = decoded(tree)

    assert request.ignored_members == 9
    record = logs_pb2.LogRecord.FromString(request.groups[0].scopes[0].items[0])
    assert record == logs_pb2.LogRecord(
        body=build.any_value("b"), attributes=build.attributes({"k": "v", "a": []})
    )


def test_names_in_snake_case_are_taken() -> None:  # J06, as the Collector does
    tree = {"resource_logs": [{"schema_url": "u", "scope_logs": [{"log_records": [
        {"time_unix_nano": 1, "trace_id": TRACE_ID, "event_name": "e", "severity_number": 9,
         "attributes": [{"key": "k", "value": {"kvlist_value": {"values": [
             {"key": "s", "value": {"string_value": "v"}}]}}}]}]}]}]}  # fmt: skip

    group = decoded(tree).groups[0]

    assert group.schema_url == b"u"
    assert logs_pb2.LogRecord.FromString(group.scopes[0].items[0]) == logs_pb2.LogRecord(
        time_unix_nano=1,
        trace_id=bytes.fromhex(TRACE_ID),
        event_name="e",
        severity_number=9,
        attributes=build.attributes({"k": {"s": "v"}}),
    )


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_scopes_of_old_senders_are_taken(signal: str) -> None:  # A11
    kind, items = ("Spans", "spans") if signal == "traces" else ("Logs", "logRecords")
    tree = {
        f"resource{kind}": [
            {
                f"instrumentationLibrary{kind}": [
                    {"instrumentationLibrary": {"name": "old"}, items: [{}]}
                ]
            }
        ]
    }

    scope = decoded(tree, signal).groups[0].scopes[0]

    assert (scope.scope, scope.items) == (b"\x0a\x03old", [b""])


def test_event_name() -> None:  # J12
    assert log({"eventName": "audit.login"}).event_name == "audit.login"


# AnyValue


def test_what_an_any_value_can_be_stays_distinct() -> None:  # J19
    kinds = [None, {}, {"stringValue": ""}, {"arrayValue": {}}, {"kvlistValue": {}},
             {"boolValue": False}, {"intValue": 0},
             {"doubleValue": 0}, {"bytesValue": ""}]  # fmt: skip

    items = [decoded(logs({"body": kind})).groups[0].scopes[0].items[0] for kind in kinds]

    published = [logs_pb2.LogRecord.FromString(item) for item in items]
    assert [record.HasField("body") for record in published] == [False] + [True] * 8
    assert [record.body.WhichOneof("value") for record in published[1:]] == [
        None, "string_value", "array_value", "kvlist_value", "bool_value", "int_value",
        "double_value", "bytes_value",
    ]  # fmt: skip


def test_a_key_value_without_value_stays_without() -> None:
    record = log(
        {"attributes": [{"key": "a"}, {"key": "b", "value": None}, {"key": "c", "value": {}}]}
    )

    assert [pair.HasField("value") for pair in record.attributes] == [False, False, True]


def test_repeated_attributes_are_all_there() -> None:  # J13
    pair = {"key": "k", "value": {"stringValue": "1"}}
    record = log({"attributes": [pair, {"key": "k", "value": {"intValue": 2}}, pair]})

    assert record.attributes == build.attributes([("k", "1"), ("k", 2), ("k", "1")])


def test_of_two_members_of_a_oneof_the_last_holds() -> None:  # J14
    assert value({"stringValue": "s", "intValue": 1}).WhichOneof("value") == "int_value"


def test_string_indexes_are_kept_as_protobuf_keeps_them() -> None:
    record = log({"attributes": [{"keyStrindex": 7, "value": {"stringValueStrindex": 300}}]})

    assert record.attributes[0].key_strindex == 7
    assert record.attributes[0].value.string_value_strindex == 300


def _nested(levels: int, inner: Any, kind: str = "arrayValue") -> Any:
    tree = inner
    for _ in range(levels - 1):
        item = tree if kind == "arrayValue" else {"key": "k", "value": tree}
        tree = {kind: {"values": [item]}}
    return tree


@pytest.mark.parametrize("kind", ["arrayValue", "kvlistValue"])
def test_nesting(kind: str) -> None:  # J16
    assert value(_nested(64, {"intValue": 1}, kind))
    error = refused(logs({"body": _nested(65, {"intValue": 1}, kind)}))
    assert "deeper than 64" in str(error)
    assert "body" in error.field


def test_deep_nesting_of_unknown_members_does_not_crash() -> None:
    deep = b'{"resourceLogs":[],"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"

    with pytest.raises(MalformedRequest):
        decoded(deep)


# Types, limits, text


@pytest.mark.parametrize("text", [b"1234", b"[]", b'"x"', b"null", b"true", b"", b"{} x"])
def test_what_is_not_an_object_is_refused(text: bytes) -> None:  # H08
    refused(text)


@pytest.mark.parametrize("empty", [{}, {"resourceLogs": []}, {"resourceLogs": None}])
def test_an_empty_request_holds_nothing(empty: Any) -> None:  # H07
    assert decoded(empty).groups == []


@pytest.mark.parametrize(
    ("tree", "field"),
    [
        ({"resourceLogs": {}}, "resourceLogs"),
        ({"resourceLogs": [1]}, "resourceLogs[0]"),
        ({"resourceLogs": [{"resource": []}]}, "resourceLogs[0].resource"),
        ({"resourceLogs": [{"schemaUrl": 1}]}, "resourceLogs[0].schemaUrl"),
        ({"resourceLogs": [{}, {"scopeLogs": 1}]}, "resourceLogs[1].scopeLogs"),
        (logs([]), "resourceLogs[0].scopeLogs[0].logRecords[0]"),
        (logs({"body": "text"}), "resourceLogs[0].scopeLogs[0].logRecords[0].body"),
        (
            logs({"attributes": [{}, {"key": 1}]}),
            "resourceLogs[0].scopeLogs[0].logRecords[0].attributes[1].key",
        ),
        (
            logs({"attributes": [{"key": "k", "value": {"boolValue": "true"}}]}),
            "resourceLogs[0].scopeLogs[0].logRecords[0].attributes[0].value.boolValue",
        ),
    ],
)
def test_a_wrong_type_is_refused_by_name(tree: Any, field: str) -> None:
    assert refused(tree).field == field


def test_item_limit() -> None:
    assert decoded(logs({}, {}), limit=4)
    with pytest.raises(RequestTooLarge, match="more than 3 spans"):
        decoded(logs({}, {}), limit=3)


def test_text_that_is_not_unicode_is_kept() -> None:  # J15
    data = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"\xff\\ud800\\u0000"}]}]}]}'

    item = decoded(data).groups[0].scopes[0].items[0]

    assert schema.LogRecord.FromString(item).event_name == b"\xff\xed\xa0\x80\x00"
