"""OTLP/JSON to the same items as protobuf (checklist J)."""

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp import json_decoder, schema
from audit_receiver.otlp.envelope import Request
from tests.kit import build

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


# Ids


@pytest.mark.parametrize("form", [str.lower, str.upper, str.swapcase])
def test_ids_are_hex_in_any_case(form: Any) -> None:  # J01
    record = log({"traceId": form(TRACE_ID), "spanId": form("eee19b7eC3C1B174")})

    assert record.trace_id.hex() == TRACE_ID.lower()
    assert record.span_id.hex() == SPAN_ID.lower()


@pytest.mark.parametrize("none", ["", None])
def test_an_empty_id_is_none(none: Any) -> None:  # J02
    assert log({"traceId": none, "spanId": none}) == log({})


@pytest.mark.parametrize(
    "bad", ["W47/95gDgQPSabYzgT/GDA==", "xyz", "abc", "0x12", "ab cd", "ä", 12, [1, 2], "\ud800"]
)
@pytest.mark.parametrize("name", ["traceId", "spanId"])
def test_an_id_that_is_not_hex_is_refused_by_name(name: str, bad: Any) -> None:  # J03
    error = refused(logs({}, {name: bad}))

    assert error.field == f"resourceLogs[0].scopeLogs[0].logRecords[1].{name}"
    assert "hex" in str(error)
    assert error.field in str(error)


def test_a_wrong_id_in_a_link_is_named_to_the_place() -> None:
    error = refused(spans({"links": [{}, {"spanId": "no"}]}), "traces")

    assert error.field == "resourceSpans[0].scopeSpans[0].spans[0].links[1].spanId"


def test_hex_of_another_even_length_is_kept() -> None:  # J04
    assert log({"traceId": "abcdef"}).trace_id == b"\xab\xcd\xef"


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


# Enums and numbers


def test_a_number_of_4000_digits_is_refused_in_few_words() -> None:  # J17
    text = b'[{"logRecords":[{"severityText":"\xff","timeUnixNano":%s}]}]' % (b"7" * 4000)

    error = refused(b'{"resourceLogs":[{"scopeLogs":' + text + b"}]}")

    assert error.field.endswith(".timeUnixNano")
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("given", "number"), [(9, 9), (99, 99), ("9", 9), ("SEVERITY_NUMBER_INFO", 9), (-1, -1)]
)
def test_enums(given: Any, number: int) -> None:  # J07
    assert log({"severityNumber": given}).severity_number == number


def test_enum_names_of_spans() -> None:
    read = span({"kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_ERROR"}})

    assert (read.kind, read.status.code) == (3, 2)


@pytest.mark.parametrize("bad", ["INFO", "SEVERITY_NUMBER_WHAT", 1.5, True, [], 2**31])
def test_other_enum_values_are_refused(bad: Any) -> None:
    error = refused(logs({"severityNumber": bad}))

    assert error.field.endswith(".severityNumber")


@pytest.mark.parametrize("form", [str, int])
@pytest.mark.parametrize("time", [0, 1544712660300000000, 2**53 + 1, 2**63, 2**64 - 1])
def test_times_are_exact_as_string_and_number(time: int, form: type) -> None:  # J08
    assert log({"timeUnixNano": form(time)}).time_unix_nano == time


@pytest.mark.parametrize(
    "bad",
    [-1, "-1", 2**64, str(2**64), 1.5e18, 1.0, "1.5e18", "", " 1", "1_0", "0x1", "\u0663", True, {},
     "9" * 300_000],
    ids=lambda bad: repr(bad)[:20],
)  # fmt: skip
def test_other_times_are_refused(bad: Any) -> None:
    error = refused(logs({"timeUnixNano": bad}))

    assert error.field == "resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano"
    assert len(str(error)) < 300


@pytest.mark.parametrize("form", [str, int])
@pytest.mark.parametrize("number", [0, 9007199254740993, 2**63 - 1, -(2**63)])
def test_integers_are_exact(number: int, form: type) -> None:  # J09
    assert value({"intValue": form(number)}).int_value == number


@pytest.mark.parametrize("bad", [2**63, -(2**63) - 1, "1e3", 1e3])
def test_other_integers_are_refused(bad: Any) -> None:
    assert "body.intValue" in str(refused(logs({"body": {"intValue": bad}})))


@pytest.mark.parametrize("bad", [-1, 2**32, "x"])
@pytest.mark.parametrize("name", ["flags", "droppedAttributesCount"])
def test_counts_and_flags_have_32_bits(name: str, bad: Any) -> None:
    assert refused(logs({name: bad})).field.endswith(name)
    assert getattr(log({"flags": 2**32 - 1}), "flags") == 2**32 - 1  # noqa: B009


@pytest.mark.parametrize(
    ("given", "number"),
    [(0.1, 0.1), (1, 1.0), ("2.5e-3", 0.0025), ("Infinity", math.inf), ("-Infinity", -math.inf),
     (2**64, 2.0**64), ("-0", -0.0)],
)  # fmt: skip
def test_doubles(given: Any, number: float) -> None:  # J11
    read = value({"doubleValue": given}).double_value

    assert (read, math.copysign(1, read)) == (number, math.copysign(1, number))


def test_nan_is_a_string() -> None:
    assert math.isnan(value({"doubleValue": "NaN"}).double_value)
    with pytest.raises(MalformedRequest, match="not JSON"):
        decoded(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"doubleValue":NaN}}]}]}]}')


@pytest.mark.parametrize("bad", ["nan", "inf", "1_0", " 1", "", "1e999", True, None, []])
def test_other_doubles_are_refused(bad: Any) -> None:
    if bad is None:
        assert value({"doubleValue": bad}).WhichOneof("value") is None
    else:
        assert "body.doubleValue" in str(refused(logs({"body": {"doubleValue": bad}})))


@pytest.mark.parametrize("text", ["+/+/AA==", "-_-_AA==", "+/+/AA", "-_-_AA"])
def test_bytes_in_every_base64(text: str) -> None:  # J10
    assert value({"bytesValue": text}).bytes_value == b"\xfb\xff\xbf\x00"


@pytest.mark.parametrize("bad", ["A", "AAAAA", "A=B=", "A A=", "é", [1, 2], 7])
def test_other_bytes_are_refused(bad: Any) -> None:
    assert "base64" in str(refused(logs({"body": {"bytesValue": bad}})))


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
