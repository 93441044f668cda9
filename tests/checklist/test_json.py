"""Checklist J: OTLP/JSON (docs/otlp-checklist.md)."""

import base64
import json
import time
from typing import Any

import pytest

from tests.checklist.door import (
    Door,
    attribute,
    fresh_action,
    json_logs,
    json_spans,
    log_request,
)
from tests.kit import build
from tests.kit.wire import JSON, Answer, status_of

TRACE = "5B8EFFF798038103D269B633813FC60C"  # of the specification's examples
SPAN = "EEE19B7EC3C1B174"
TIME = "1767225600000000000"


def log(action: str, **members: Any) -> dict[str, Any]:
    """An audit log record in JSON."""
    attributes = [attribute("audit.action", stringValue=action), *members.pop("attributes", ())]
    return {"timeUnixNano": TIME, "attributes": attributes, **members}


def post(door: Door, body: bytes, path: str = "/v1/logs") -> Answer:
    """One JSON export."""
    return door.post(body, path, JSON)


def kept(door: Door, action: str, **members: Any) -> dict[str, Any]:
    """Send one log record that is taken; its row."""
    answer = post(door, json_logs(log(action, **members)))
    assert answer.status == 200, answer.body
    [row] = door.stored(action)
    return row


def refusal(door: Door, body: bytes) -> str:
    """Send what is refused with 400; the message."""
    answer = post(door, body)
    assert answer.status == 400
    code, message = status_of(answer)
    assert code == 3
    return message


@pytest.mark.parametrize("trace", [TRACE.lower(), TRACE, TRACE[:16].lower() + TRACE[16:]])
def test_j01_hex_ids_in_any_case(door: Door, trace: str) -> None:
    assert kept(door, fresh_action(), traceId=trace)["trace_id"] == TRACE.lower()


@pytest.mark.parametrize("members", [{}, {"traceId": ""}, {"traceId": None}])
def test_j02_no_id_is_no_id(door: Door, members: dict[str, Any]) -> None:
    row = kept(door, fresh_action(), **members)
    assert row["trace_id"] is None
    assert "invalid_id" not in row["flags"]


@pytest.mark.parametrize("bad", ["W47/95gDgQPSabYzgT/GDA==", "xyz", "5B8", 7])
def test_j03_an_id_that_is_no_hex_is_400_naming_the_field(door: Door, bad: Any) -> None:
    action = fresh_action()
    assert "logRecords[0].traceId" in refusal(door, json_logs(log(action, traceId=bad)))
    assert door.stored(action) == []


def test_j04_an_id_of_another_length_is_kept_and_flagged(door: Door) -> None:
    row = kept(door, fresh_action(), traceId="a1b2c3")
    assert "invalid_id" in row["flags"]
    assert row["body"]["otlp"]["trace_id"] == "a1b2c3"


def test_j05_unknown_members_are_ignored_at_every_level(door: Door) -> None:
    action = fresh_action()
    tree = json.loads(
        json_logs(log(action, later={"a": [1, {"b": None}]}, body={"stringValue": "x", "y": 1}))
    )
    tree["x"] = [{}]
    tree["resourceLogs"][0]["x"] = 1
    tree["resourceLogs"][0]["resource"] = {"attributes": [], "x": {"y": "z"}}
    tree["resourceLogs"][0]["scopeLogs"][0]["x"] = True
    tree["resourceLogs"][0]["scopeLogs"][0]["scope"] = {"name": "s", "x": 1.5}
    assert post(door, json.dumps(tree).encode()).status == 200
    [row] = door.stored(action)
    assert row["message"] == "x"


def test_j06_names_as_in_protobuf_are_accepted_as_the_collector_does(door: Door) -> None:
    action = fresh_action()
    record = {
        "time_unix_nano": TIME,
        "event_name": "audit.x",
        "attributes": [{"key": "audit.action", "value": {"string_value": action}}],
    }
    body = json.dumps({"resource_logs": [{"scope_logs": [{"log_records": [record]}]}]}).encode()
    assert post(door, body).status == 200
    [row] = door.stored(action)
    assert row["event"] == "audit.x"


@pytest.mark.parametrize(("given", "number"), [(9, 9), (99, 99), ("SEVERITY_NUMBER_INFO", 9)])
def test_j07_enums_are_numbers_and_known_names_are_understood(
    door: Door, given: Any, number: int
) -> None:
    row = kept(door, fresh_action(), severityNumber=given)
    assert row["body"]["otlp"]["severity_number"] == number


def test_j07_an_unknown_name_of_an_enum_is_400(door: Door) -> None:
    message = refusal(door, json_logs(log(fresh_action(), severityNumber="SEVERITY_NUMBER_X")))
    assert "severityNumber" in message


@pytest.mark.parametrize("given", [TIME, int(TIME)])
def test_j08_times_as_text_and_as_numbers_are_exact(door: Door, given: Any) -> None:
    row = kept(door, fresh_action(), timeUnixNano=given)
    assert row["timestamp"] == "2026-01-01T00:00:00.000000000Z"


def test_j08_times_up_to_the_last_are_exact(door: Door) -> None:
    row = kept(door, fresh_action(), timeUnixNano=str(2**64 - 1))
    assert row["timestamp"] == "2554-07-21T23:34:33.709551615Z"


@pytest.mark.parametrize("bad", ["-1", -1, str(2**64), 2**64, 1.5, "1.5e18x"])
def test_j08_times_out_of_range_are_400(door: Door, bad: Any) -> None:
    assert "timeUnixNano" in refusal(door, json_logs(log(fresh_action(), timeUnixNano=bad)))


def test_j09_wide_integers_are_exact(door: Door) -> None:
    wide = attribute("n", intValue="9007199254740993")
    row = kept(door, fresh_action(), attributes=[wide])
    assert row["body"]["attributes"]["n"] == {"$int": "9007199254740993"}


@pytest.mark.parametrize("given", ["+/8=", "-_8=", "+/8", "-_8"])
def test_j10_base64_in_both_alphabets_padded_or_not(door: Door, given: str) -> None:
    row = kept(door, fresh_action(), attributes=[attribute("b", bytesValue=given)])
    assert row["body"]["attributes"]["b"] == {"$bytes": base64.b64encode(b"\xfb\xff").decode()}


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_j11_doubles_that_are_no_numbers_are_names(door: Door, name: str) -> None:
    row = kept(door, fresh_action(), attributes=[attribute("d", doubleValue=name)])
    assert row["body"]["attributes"]["d"] == {"$double": name}


@pytest.mark.parametrize("bare", [b"NaN", b"Infinity", b"-Infinity"])
def test_j11_bare_names_are_400(door: Door, bare: bytes) -> None:
    body = json_logs(log(fresh_action(), attributes=[attribute("d", doubleValue="@")]))
    refusal(door, body.replace(b'"@"', bare))


def test_j12_the_event_name_is_stored(door: Door) -> None:
    row = kept(door, fresh_action(), eventName="user.login.success")
    assert row["event"] == "user.login.success"
    assert row["body"]["otlp"]["event_name"] == "user.login.success"


def test_j13_a_key_that_repeats_is_kept_twice_and_flagged(door: Door) -> None:
    twice = [attribute("k", stringValue="a"), attribute("k", stringValue="b")]
    row = kept(door, fresh_action(), attributes=twice)
    assert "duplicate_keys" in row["flags"]
    raw = base64.b64decode(row["body"]["attributes_raw"])
    assert b"a" in raw
    assert b"b" in raw


def test_j14_of_a_member_that_repeats_the_last_holds(door: Door) -> None:
    action = fresh_action()
    body = json_logs(log(action, eventName="@"))
    body = body.replace(b'"eventName": "@"', b'"eventName": "first", "eventName": "last"')
    assert post(door, body).status == 200
    [row] = door.stored(action)
    assert row["event"] == "last"


def test_j14_of_two_members_of_a_oneof_the_last_holds(door: Door) -> None:
    two = {"key": "k", "value": {"stringValue": "a", "intValue": "7"}}
    assert kept(door, fresh_action(), attributes=[two])["body"]["attributes"]["k"] == 7


@pytest.mark.parametrize(
    ("given", "raw"),
    [(b"\xff\xfe", b"\xff\xfe"), (rb"\ud800", b"\xed\xa0\x80"), (rb"a\u0000b", b"a\0b")],
    ids=["bytes", "surrogate", "nul"],
)
def test_j15_text_that_is_no_utf8_is_kept_and_flagged(door: Door, given: bytes, raw: bytes) -> None:
    action = fresh_action()
    body = json_logs(log(action, body={"stringValue": "@"})).replace(b'"@"', b'"' + given + b'"')
    assert post(door, body).status == 200
    [row] = door.stored(action)
    assert "invalid_utf8" in row["flags"]
    assert row["body"]["otlp"]["body"] == {"$utf8": base64.b64encode(raw).decode()}


def nested(levels: int) -> bytes:
    """A log whose body nests so many arrays, written without recursion."""
    body = json_logs(log(fresh_action(), body="@"))
    text = b'{"arrayValue":{"values":[' * levels + b'{"intValue":1}' + b"]}}" * levels
    return body.replace(b'"@"', text)


def test_j16_forty_levels_are_kept(door: Door) -> None:
    assert post(door, nested(40)).status == 200


@pytest.mark.parametrize("levels", [128, 200_000])
def test_j16_deeper_ones_are_400_and_break_nothing(door: Door, levels: int) -> None:
    refusal(door, nested(levels))
    assert door.post(b"").status == 200


@pytest.mark.parametrize("member", ["intValue", "doubleValue"])
def test_j17_a_number_of_many_digits_is_400_and_quick(door: Door, member: str) -> None:
    body = json_logs(log(fresh_action(), body={member: "@"}))
    began = time.perf_counter()
    for number in (b"9" * 200_000, b'"' + b"9" * 200_000 + b'"'):
        refusal(door, body.replace(b'"@"', number))
    assert time.perf_counter() - began < 2


def test_j18_the_same_record_in_both_encodings_is_one_record(door: Door) -> None:
    action = fresh_action()
    attributes = {"audit.action": action, "n": 2**60, "d": 0.1, "b": b"\0\xff", "l": [1, None]}
    record = build.log_record("audit.x", {**attributes, "audit.record.id": action}, body={"k": "v"})
    message = build.request(record, signal="logs")
    assert door.post(message.SerializeToString(), "/v1/logs").status == 200
    assert post(door, build.json_bytes(message)).status == 200
    assert len(door.stored(action)) == 1


def test_j18_without_an_identity_both_have_the_same_content(door: Door) -> None:
    action = fresh_action()
    message = log_request(action, body=[True, {"a": 1.5}])
    assert door.post(message.SerializeToString(), "/v1/logs").status == 200
    assert post(door, build.json_bytes(message)).status == 200
    first, second = door.stored(action)
    assert second["duplicate_of"] == first["seq"]
    for name in ("attributes", "otlp", "resource", "scope"):
        assert first["body"][name] == second["body"][name]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"kvlistValue": {"values": [attribute("k", intValue=1)]}}, {"k": 1}),
        ({"kvlistValue": {"values": []}}, {}),
        ({"arrayValue": {"values": [{}, {"boolValue": False}]}}, [None, False]),
        ({"arrayValue": {}}, []),
        ({}, None),
        ({"stringValue": ""}, ""),
    ],
    ids=["map", "empty-map", "array", "empty-array", "empty", "empty-string"],
)
def test_j19_values_stay_distinct(door: Door, given: Any, stored: Any) -> None:
    row = kept(door, fresh_action(), body=given)
    assert row["body"]["otlp"]["body"] == stored
    assert type(row["body"]["otlp"]["body"]) is type(stored)


def test_j19_a_null_body_is_no_body(door: Door) -> None:
    assert "body" not in kept(door, fresh_action(), body=None)["body"]["otlp"]


def test_j01_ids_of_a_span_its_parent_and_its_links(door: Door) -> None:
    action = fresh_action()
    span = {
        "traceId": TRACE,
        "spanId": SPAN,
        "parentSpanId": SPAN[::-1],
        "links": [{"traceId": TRACE, "spanId": SPAN}],
        "attributes": [attribute("audit.action", stringValue=action)],
    }
    assert post(door, json_spans(span), "/v1/traces").status == 200
    [row] = door.stored(action)
    assert (row["trace_id"], row["span_id"]) == (TRACE.lower(), SPAN.lower())
    otlp = row["body"]["otlp"]
    assert otlp["parent_span_id"] == SPAN[::-1].lower()
    assert otlp["links"] == [{"trace_id": TRACE.lower(), "span_id": SPAN.lower()}]
