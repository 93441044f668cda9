"""Requests to observations: selection, conversion to DESIGN 3.4, counts."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp import codec, walk
from audit_receiver.otlp.walk import Walk, literals
from audit_receiver.record.select import Rule
from tests.kit import build
from tests.otlp.test_envelope import field

LIMITS = codec.Limits(1 << 24, 1000)
T0 = 1_767_225_600_000_000_000
PLAIN = {"http.request.method": "GET", "url.path": "/"}


def walked(data: Any, signal: Any = None, rule: Rule | None = None) -> Walk:
    """A walk over a message, or over protobuf bytes."""
    if not isinstance(data, bytes):
        signal, data = build.signal_of(data), data.SerializeToString()
    request = codec.decode(signal, data, "protobuf", LIMITS)
    return walk.walk(signal, request, rule or Rule())


def one(item: Any, **shared: Any) -> Any:
    """The observation of one item."""
    (observation,) = walked(build.request(item, **shared)).observations
    return observation


def raw_log(data: bytes) -> Any:
    """The observation of a log record in protobuf bytes, made audit by an attribute."""
    record = data + field(6, field(1, b"audit.x") + b"\x12\x00")
    (observation,) = walked(field(1, field(2, field(2, record))), "logs").observations
    return observation


# Selection


@pytest.mark.parametrize(
    "record",
    [
        build.log_record("audit", {}),
        build.log_record("audit.login", {}),
        build.log_record("", {"event.name": "audit.login"}),
        build.log_record("other", {"event.name": "audit"}),
        build.log_record("user.login.success", {**PLAIN, "audit.record.id": "1"}),
        build.log_record("", {"audit.": 1}),
        build.log_record("", {"audit.integrity.value": "x", "audit.action": "y"}),
    ],
)
def test_logs_that_are_audit(record: Any) -> None:  # A02, DESIGN 4
    assert len(walked(build.request(record)).observations) == 1


@pytest.mark.parametrize(
    "record",
    [
        build.log_record("", {}),
        build.log_record("login", PLAIN, body="audit.login"),
        build.log_record("auditing", {"auditor": "x", "my.audit.x": 1, "Audit.x": 1}),
        build.log_record("", {"audit.integrity.value": "x"}),
        build.log_record("", {"event.name": ["audit"], "x": {"audit.action": 1}}),
        build.log_record("", {"audit": "without a dot"}),
    ],
)
def test_logs_that_are_not_audit(record: Any) -> None:
    assert walked(build.request(record)) == Walk([], {"billing": 1}, {"billing": 1})


@pytest.mark.parametrize(
    "span",
    [
        build.span("audit", {}),
        build.span("audit.role", {}),
        build.span("x", {"audit.action": "y"}),
        build.span("x", PLAIN, events=[("e", PLAIN), ("e", {"audit.action": "y"})]),
        build.span("x", {}, events=[("audit.login", {})]),
    ],
)
def test_spans_that_are_audit(span: Any) -> None:
    assert len(walked(build.request(span)).observations) == 1


@pytest.mark.parametrize(
    "span",
    [
        build.span("x", PLAIN),
        build.span("GET /audit.html", {"event.name": "audit"}, events=[("auditing", PLAIN)]),
        build.span("x", {}, links=[Span.Link(attributes=build.attributes({"audit.x": 1}))]),
    ],
)
def test_spans_that_are_not_audit(span: Any) -> None:
    assert walked(build.request(span)) == Walk([], {"billing": 1}, {"billing": 1})


@pytest.mark.parametrize(("scope", "found"), [("audit", 2), ("audit.app", 2), ("auditor", 0)])
def test_a_scope_by_its_name_takes_all_its_items(scope: str, found: int) -> None:
    message = build.request(build.span("x", PLAIN), build.span("y", PLAIN), scope=scope)

    assert len(walked(message).observations) == found


def test_resource_and_scope_attributes_do_not_select() -> None:
    scope = build.InstrumentationScope(attributes=build.attributes({"audit.x": 1}))
    message = build.request(build.span("x", {}), resource={"audit.x": 1}, scope=scope)

    assert walked(message).observations == []


def test_another_rule_is_followed() -> None:
    rule = Rule(attributes=("*.changed_by", "x[yz]"), except_=("secret.*",), names=("??gin",))
    items = [
        build.log_record("", {"app.changed_by": 1}),
        build.log_record("", {"secret.changed_by": 1}),
        build.log_record("login", {}),
        build.log_record("", {"xy": 1}),
        build.log_record("", {"xq": 1, "audit.action": "x"}),
    ]

    found = walked(build.request(*items), rule=rule).observations

    assert [o.name or next(iter(o.attributes)) for o in found] == ["app.changed_by", "login", "xy"]


def test_a_rule_without_patterns_selects_nothing() -> None:
    rule = Rule(attributes=(), names=())

    assert walked(build.request(build.span()), rule=rule).observations == []


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (("audit.*", "audit"), (b"audit",)),
        (("a.*", "*.b"), (b".b", b"a.")),
        (("*",), (b"",)),
        (("a*longer*b",), (b"longer",)),
        (("x[abc]y",), (b"x",)),
        (("?",), (b"",)),
        ((), ()),
        (("grüße.*",), ("grüße.".encode(),)),
    ],
)
def test_words_that_every_match_contains(patterns: Any, words: Any) -> None:
    assert literals(patterns) == words


_globs = st.lists(st.text("ab.*?[]!", min_size=1, max_size=5), max_size=3).map(tuple)
_short = st.text("ab.", max_size=4)


@settings(max_examples=200, deadline=None)
@given(_globs, _globs, _short, st.lists(_short, max_size=3), _short)
def test_looking_for_words_first_never_changes_what_is_selected(
    attributes: Any, names: Any, name: str, keys: list[str], scope: str
) -> None:
    rule = Rule(attributes=attributes, except_=(), names=names)
    message = build.request(build.log_record(name, [(key, 1) for key in keys]), scope=scope)

    found = walked(message, rule=rule).observations

    wanted = [rule.wants_key(key.encode()) for key in keys] + [rule.wants_name(scope.encode())]
    if name:  # a record without a name has none that could match
        wanted.append(rule.wants_name(name.encode()))
    assert bool(found) == any(wanted)


# Counts


def test_counts_by_service() -> None:  # A01, DESIGN 3.6
    message = build.request(build.span(), build.span("x", PLAIN), build.span("y", PLAIN))
    message.MergeFrom(build.request(build.span(), resource={"service.name": "web"}))
    message.MergeFrom(build.request(build.span("z", {}), resource={}))
    message.MergeFrom(build.request(build.span("z", {})))
    message.MergeFrom(build.request(signal="traces", resource={"service.name": "none"}))

    result = walked(message)

    assert len(result.observations) == 2
    assert result.received == {"billing": 4, "web": 1, "": 1}
    assert result.skipped == {"billing": 3, "": 1}


@pytest.mark.parametrize(
    ("resource", "service"),
    [
        ([("service.name", "a"), ("service.name", "b")], "b"),
        ({"service.name": 7}, "7"),
        ({"service.name": ""}, ""),
        ({"service.name": "a\nb"}, "a\ufffdb"),
        ({"x": "y"}, ""),
    ],
)
def test_services_are_named_as_in_the_records(resource: Any, service: str) -> None:
    result = walked(build.request(build.span("x", {}), resource=resource))

    assert result.received == {service: 1}


def test_the_order_of_the_request_is_kept() -> None:
    message = build.request(*[build.log_record(f"audit.{i}") for i in range(5)])
    message.MergeFrom(build.request(build.log_record("audit.5"), resource={}))

    names = [o.name for o in walked(message).observations]

    assert names == [f"audit.{i}" for i in range(6)]


# Conversion


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
