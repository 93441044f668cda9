"""Spans and log records as they stand in the body (DESIGN 3.4), and the flags raised in reading."""

import base64
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.kit import build
from tests.otlp.reading import one, walked

T0 = 1_767_225_600_000_000_000


def test_a_span_in_full() -> None:  # A09
    link = Span.Link(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        trace_state="a=b",
        attributes=build.attributes({"l": True}),
        dropped_attributes_count=1,
        flags=0x101,
    )
    event = Span.Event(
        time_unix_nano=T0 + 5,
        name="denied",
        attributes=build.attributes({"audit.reason": "no"}),
        dropped_attributes_count=2,
    )
    span = build.span(
        "update_user_role",
        {"audit.action": "role_update", "n": 1},
        trace_id=bytes(range(16, 32)),
        span_id=bytes(range(8, 16)),
        parent_span_id=bytes(range(1, 9)),
        trace_state="ot=th:0",
        flags=0x100,
        kind=2,
        start_time_unix_nano=T0,
        end_time_unix_nano=T0 + 1,
        dropped_attributes_count=3,
        events=[event, Span.Event()],
        dropped_events_count=4,
        links=[link, Span.Link(trace_id=bytes(range(16)), span_id=bytes(range(8)))],
        dropped_links_count=5,
        status=(2, "denied"),
    )

    observation = one(span)

    assert observation.kind == "span"
    assert observation.otlp == {
        "trace_id": "101112131415161718191a1b1c1d1e1f",
        "span_id": "08090a0b0c0d0e0f",
        "parent_span_id": "0102030405060708",
        "trace_state": "ot=th:0",
        "flags": 256,
        "name": "update_user_role",
        "kind": 2,
        "start": "2026-01-01T00:00:00.000000000Z",
        "end": "2026-01-01T00:00:00.000000001Z",
        "dropped_attributes_count": 3,
        "events": [
            {
                "time": "2026-01-01T00:00:00.000000005Z",
                "name": "denied",
                "attributes": {"audit.reason": "no"},
                "dropped_attributes_count": 2,
            },
            {},
        ],
        "dropped_events_count": 4,
        "links": [
            {
                "trace_id": "000102030405060708090a0b0c0d0e0f",
                "span_id": "0001020304050607",
                "trace_state": "a=b",
                "attributes": {"l": True},
                "dropped_attributes_count": 1,
                "flags": 257,
            },
            {"trace_id": "000102030405060708090a0b0c0d0e0f", "span_id": "0001020304050607"},
        ],
        "dropped_links_count": 5,
        "status": {"code": 2, "message": "denied"},
    }
    assert observation.attributes == {"audit.action": "role_update", "n": 1}
    assert observation.attributes_raw is None
    assert observation.event_attributes == ({"audit.reason": "no"}, {})
    assert observation.name == "update_user_role"
    assert observation.status_code == 2
    assert observation.time_unix_nano == T0
    assert observation.trace_id == "101112131415161718191a1b1c1d1e1f"
    assert observation.span_id == "08090a0b0c0d0e0f"
    assert observation.flags == {"truncated"}


def test_a_log_record_in_full() -> None:
    record = build.log_record(
        "audit.config",
        {"audit.action": "UPDATE"},
        body={"m": [1]},
        time_unix_nano=T0,
        observed_time_unix_nano=T0 + 1,
        severity_number=9,
        severity_text="INFO",
        dropped_attributes_count=1,
        flags=1,
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
    )

    observation = one(record)

    assert observation.kind == "log"
    assert observation.otlp == {
        "time": "2026-01-01T00:00:00.000000000Z",
        "observed_time": "2026-01-01T00:00:00.000000001Z",
        "severity_number": 9,
        "severity_text": "INFO",
        "body": {"m": [1]},
        "dropped_attributes_count": 1,
        "flags": 1,
        "trace_id": "000102030405060708090a0b0c0d0e0f",
        "span_id": "0001020304050607",
        "event_name": "audit.config",
    }
    assert observation.attributes == {"audit.action": "UPDATE"}
    assert observation.name == "audit.config"
    assert observation.event_attributes == ()
    assert observation.status_code == 0
    assert observation.flags == {"truncated"}


def test_what_is_not_said_is_left_out() -> None:
    assert one(build.log_record("audit", {}, time_unix_nano=0, observed_time_unix_nano=0)).otlp == {
        "event_name": "audit"
    }
    span = Span(attributes=build.attributes({"audit.x": None}))
    span.status.SetInParent()
    assert one(span).otlp == {}


def test_a_body_that_is_empty_is_not_one_that_is_missing() -> None:  # J19
    assert one(build.log_record(body=None)).otlp["body"] is None
    assert "body" not in one(build.log_record()).otlp


@pytest.mark.parametrize(
    ("times", "expected", "flags"),
    [((T0, T0 + 1), T0, set()), ((0, T0 + 1), T0 + 1, {"observed_time"}), ((0, 0), 0, set())],
)
def test_time_of_a_log(times: tuple[int, int], expected: int, flags: set[str]) -> None:
    record = build.log_record(time_unix_nano=times[0], observed_time_unix_nano=times[1])

    observation = one(record)

    assert (observation.time_unix_nano, observation.flags) == (expected, flags)


@pytest.mark.parametrize(("times", "expected"), [((T0, 5), T0), ((0, T0), T0), ((0, 0), 0)])
def test_time_of_a_span(times: tuple[int, int], expected: int) -> None:
    span = build.span(start_time_unix_nano=times[0], end_time_unix_nano=times[1])

    assert one(span).time_unix_nano == expected


def test_the_last_time_there_is() -> None:
    observation = one(build.log_record(time_unix_nano=2**64 - 1))

    assert observation.otlp["time"] == "2554-07-21T23:34:33.709551615Z"


def test_a_name_may_be_an_attribute() -> None:
    assert one(build.log_record("", {"event.name": "audit.login"})).name == "audit.login"
    assert one(build.log_record("audit", {"event.name": "audit.login"})).name == "audit"


# Ids


@pytest.mark.parametrize(
    ("trace_id", "span_id", "flags"),
    [
        (bytes(range(16)), bytes(range(8)), set()),
        (b"", b"", set()),
        (bytes(16), bytes(range(8)), {"invalid_id"}),
        (bytes(range(16)), bytes(8), {"invalid_id"}),
        (b"\xab\xcd\xef", b"", {"invalid_id"}),
        (b"5b8efff798038103d269b633813fc60c", b"eee19b7ec3c1b174", {"invalid_id"}),
    ],
)
def test_ids_of_a_log(trace_id: bytes, span_id: bytes, flags: set[str]) -> None:  # 1.40, A10
    observation = one(build.log_record(trace_id=trace_id, span_id=span_id))

    assert observation.flags == flags
    assert observation.otlp.get("trace_id", "") == trace_id.hex()
    assert observation.otlp.get("span_id", "") == span_id.hex()
    valid = trace_id.hex() if len(trace_id) == 16 and any(trace_id) else ""
    assert observation.trace_id == valid
    assert observation.span_id == (span_id.hex() if len(span_id) == 8 and any(span_id) else "")


@pytest.mark.parametrize(
    "fields",
    [
        {"trace_id": b""},
        {"span_id": b""},
        {"span_id": bytes(8)},
        {"parent_span_id": b"abc"},
        {"links": [Span.Link(trace_id=bytes(range(16)))]},
        {"links": [Span.Link(trace_id=bytes(16), span_id=bytes(range(8)))]},
    ],
)
def test_a_span_and_its_links_need_ids(fields: Any) -> None:
    assert one(build.span(**fields)).flags == {"invalid_id"}


def test_a_root_span_has_no_parent() -> None:
    assert one(build.span(parent_span_id=b"")).flags == set()


# Flags


@pytest.mark.parametrize(
    ("trace_state", "sampled"),
    [
        ("ot=th:c", True),
        ("ot=th:c;rv:9b8233f7e3a151", True),
        ("a=b, ot=rv:1;th:08", True),
        ("ot=th:0", False),
        ("ot=th:000", False),
        ("ot=rv:1", False),
        ("oth=th:c", False),
        ("x=th:c", False),
        ("", False),
    ],
)
def test_sampled(trace_state: str, sampled: bool) -> None:
    expected = {"sampled"} if sampled else set()

    assert one(build.span(trace_state=trace_state)).flags == expected


@pytest.mark.parametrize(
    "item",
    [
        build.span(dropped_attributes_count=1),
        build.span(dropped_events_count=1),
        build.span(dropped_links_count=1),
        build.span(events=[Span.Event(dropped_attributes_count=1)]),
        build.span(
            links=[
                Span.Link(
                    trace_id=bytes(range(16)), span_id=bytes(range(8)), dropped_attributes_count=1
                )
            ]
        ),
        build.log_record(dropped_attributes_count=1),
    ],
)
def test_truncated(item: Any) -> None:
    assert one(item).flags == {"truncated"}


def test_flags_do_not_pass_from_record_to_record() -> None:
    items = [build.log_record(dropped_attributes_count=1), build.log_record()]

    flags = [o.flags for o in walked(build.request(*items)).observations]

    assert flags == [{"truncated"}, set()]


def test_flags_of_resource_and_scope_are_the_records_too() -> None:
    scope = build.InstrumentationScope(attributes=build.attributes([("a", 1), ("a", 2)]))
    resource = build.Resource(dropped_attributes_count=1)

    observation = one(build.log_record(), resource=resource, scope=scope)

    assert observation.flags == {"truncated", "duplicate_keys"}
    assert observation.resource.flags == {"truncated"}
    assert observation.scope.flags == {"duplicate_keys"}


def test_text_that_is_not_utf8_is_kept_in_every_place() -> None:  # J15, 0.9
    item = build.span("NAME!", {"audit.x": "VALUE"}, trace_state="STATE", status=(2, "MESSAGE"))
    message = build.request(item, schema_url="URL!!!", scope="SCOPE")
    data = message.SerializeToString()
    for place in ("NAME!", "VALUE", "STATE", "MESSAGE", "URL!!!", "SCOPE"):
        data = build.patched(data, place, b"\xff" + place[1:].encode())

    (observation,) = walked(data, "traces").observations

    def utf8(place: str) -> dict[str, str]:
        return {"$utf8": base64.b64encode(b"\xff" + place[1:].encode()).decode()}

    assert observation.otlp["name"] == utf8("NAME!")
    assert observation.attributes == {"audit.x": utf8("VALUE")}
    assert observation.otlp["trace_state"] == utf8("STATE")
    assert observation.otlp["status"]["message"] == utf8("MESSAGE")
    assert observation.resource.object["schema_url"] == utf8("URL!!!")
    assert observation.scope.object["name"] == utf8("SCOPE")
    assert observation.flags == {"invalid_utf8"}
    assert observation.name == "\ufffdAME!"
