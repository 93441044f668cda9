"""A body gives its message back: nothing that came as protobuf is lost (DESIGN 3.4).

Messages come from hypothesis; what they are compared with is read by the published schema.
"""

import math
import struct
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from audit_receiver.otlp import codec, walk
from audit_receiver.otlp.rebuild import any_value, rebuild
from audit_receiver.record import canonical
from audit_receiver.record.select import Rule
from tests.kit import build
from tests.otlp.reading import field

LIMITS = codec.Limits(1 << 24, 1000)
PUBLISHED = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}
EVERYTHING = Rule(attributes=("*",), except_=(), names=("*",))


def bodies(signal: Any, data: bytes, media: Any = "protobuf") -> list[Any]:
    """The bodies of a request, as they are read back from their canonical text."""
    request = codec.decode(signal, data, media, LIMITS)
    result = []
    for observation in walk.walk(signal, request, EVERYTHING).observations:
        body = {
            "attributes": observation.attributes,
            "kind": observation.kind,
            "otlp": observation.otlp,
            "resource": observation.resource.object,
            "scope": observation.scope.object,
        }
        if observation.attributes_raw is not None:
            body["attributes_raw"] = observation.attributes_raw
        text = canonical.encode(body)
        assert canonical.encode(observation.resource.object).decode() == observation.resource.text
        result.append(canonical.decode(text))
    return result


def rebuilt(signal: str, data: bytes) -> bytes:
    (body,) = bodies(signal, data)
    result: bytes = rebuild(body["kind"], body).SerializeToString()
    return result


def ordered(message: Message) -> Message:
    """The message without what a body does not keep: order of attributes, what is empty."""
    for name, value in list(message.ListFields()):  # type: ignore[attr-defined]
        parts = value if name.is_repeated else [value]
        for part in parts:
            if isinstance(part, Message):
                ordered(part)
        if name.name == "attributes" or message.DESCRIPTOR.name == "KeyValueList":
            if len({pair.key for pair in value}) == len(value):
                pairs = sorted(value, key=lambda pair: pair.SerializeToString(deterministic=True))
                message.ClearField(name.name)
                getattr(message, name.name).extend(pairs)
        elif name.name in ("status", "resource", "scope") and not value.ByteSize():
            message.ClearField(name.name)
    return message


def same(signal: str, one: bytes, other: bytes) -> None:
    left, right = (ordered(PUBLISHED[signal].FromString(data)) for data in (one, other))
    assert left.SerializeToString(deterministic=True) == right.SerializeToString(deterministic=True)


# Strategies over the published messages.

texts = st.text(max_size=8) | st.sampled_from(
    ["", "$", "$$int", "$utf8:", "audit.x", "\ufb33", "😀"]
)
u32 = st.integers(0, 2**32 - 1) | st.just(0)
times = st.integers(0, 2**64 - 1) | st.just(0)
ids = (
    st.binary(max_size=20) | st.binary(min_size=16, max_size=16) | st.binary(min_size=8, max_size=8)
)
nans = st.sampled_from([0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000])
doubles = (
    st.floats()
    | nans.map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
    | st.sampled_from([4e-6, 1e-7, 5e-324, 200.0, -0.0, 1e21, 2.0**53])
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | doubles
    | texts
    | st.binary(max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def pair_lists(draw: Any) -> list[common_pb2.KeyValue]:
    """Attribute lists: now and then with a repeated key, a missing value or an index."""
    pairs = build.attributes(draw(st.lists(st.tuples(texts, values), max_size=4)))
    for pair in pairs:
        match draw(st.integers(0, 15)):
            case 0:
                pair.ClearField("value")
            case 1:
                pair.key_strindex = draw(st.integers(-5, 5))
            case 2:
                pair.value.string_value_strindex = draw(st.integers(-5, 5))
            case 3:
                twice = build.attributes([("k", 1), ("k", 2)])
                pair.value.kvlist_value.values.extend(twice)
    return pairs


events = st.builds(
    Span.Event,
    time_unix_nano=times,
    name=texts,
    attributes=pair_lists(),
    dropped_attributes_count=u32,
)
links = st.builds(
    Span.Link,
    trace_id=ids,
    span_id=ids,
    trace_state=texts,
    attributes=pair_lists(),
    dropped_attributes_count=u32,
    flags=u32,
)
spans = st.builds(
    Span,
    trace_id=ids,
    span_id=ids,
    trace_state=texts,
    parent_span_id=ids,
    flags=u32,
    name=texts,
    kind=st.integers(-1, 7),
    start_time_unix_nano=times,
    end_time_unix_nano=times,
    attributes=pair_lists(),
    dropped_attributes_count=u32,
    events=st.lists(events, max_size=2),
    dropped_events_count=u32,
    links=st.lists(links, max_size=2),
    dropped_links_count=u32,
    status=st.none() | st.builds(Status, code=st.integers(0, 5), message=texts),
)
records = st.builds(
    build.LogRecord,
    time_unix_nano=times,
    observed_time_unix_nano=times,
    severity_number=st.integers(-1, 30),
    severity_text=texts,
    body=st.none() | values.map(build.any_value),
    attributes=pair_lists(),
    dropped_attributes_count=u32,
    flags=u32,
    trace_id=ids,
    span_id=ids,
    event_name=texts,
)
refs = st.builds(
    common_pb2.EntityRef,
    schema_url=texts,
    type=texts,
    id_keys=st.lists(texts, max_size=2),
    description_keys=st.lists(texts, max_size=2),
)
resources = st.builds(
    build.Resource,
    attributes=pair_lists(),
    dropped_attributes_count=u32,
    entity_refs=st.lists(refs, max_size=2),
)
scopes = st.builds(
    build.InstrumentationScope,
    name=texts,
    version=texts,
    attributes=pair_lists(),
    dropped_attributes_count=u32,
)
requests = st.builds(
    lambda item, resource, scope, url: build.request(
        item, resource=resource, scope=scope, schema_url=url
    ),
    spans | records,
    resources,
    scopes,
    texts,
)


@settings(max_examples=300, deadline=None)
@given(requests)
def test_every_message_comes_back_from_its_body(message: Any) -> None:
    signal, data = build.signal_of(message), message.SerializeToString()

    same(signal, rebuilt(signal, data), data)


@settings(max_examples=300, deadline=None)
@given(requests)
def test_json_and_protobuf_give_the_same_body(message: Any) -> None:  # J18
    signal, data = build.signal_of(message), message.SerializeToString()
    _without_payloads(message)

    by_json = bodies(signal, build.json_bytes(message), "json")

    assert canonical.encode(by_json) == canonical.encode(
        bodies(signal, message.SerializeToString())
    )
    same(signal, rebuilt(signal, data), data)


def _without_payloads(message: Message) -> None:
    """JSON has one NaN only."""
    for _, value in message.ListFields():
        for part in (
            [value] if isinstance(value, Message) else value if hasattr(value, "add") else []
        ):
            _without_payloads(part)
    if isinstance(message, common_pb2.AnyValue) and math.isnan(message.double_value):
        message.double_value = math.nan


_tags = st.sampled_from(
    [b"\xa2\x06\x01x", b"\xa0\x06\x05", b"\xa9\x06" + bytes(8), b"\xa3\x06\x08\x01\xa4\x06"]
)


@settings(max_examples=100, deadline=None)
@given(requests, st.data())
def test_unknown_fields_come_back_in_their_object(message: Any, data: Any) -> None:
    signal = build.signal_of(message)
    outer = message.resource_spans[0] if signal == "traces" else message.resource_logs[0]
    inner = (outer.scope_spans if signal == "traces" else outer.scope_logs)[0]
    item = (inner.spans if signal == "traces" else inner.log_records)[0]
    objects = [message, outer, outer.resource, inner, inner.scope, item]
    objects += [*item.attributes, *outer.resource.attributes]
    objects += [pair.value for pair in item.attributes if pair.HasField("value")]
    if signal == "traces":
        objects += [*item.events, *item.links]
    for part in data.draw(st.lists(st.sampled_from(objects), max_size=4)):
        part.MergeFromString(data.draw(_tags))
    sent = message.SerializeToString()

    same(signal, rebuilt(signal, sent), sent)


def test_text_that_is_not_utf8_comes_back() -> None:
    message = build.request(build.log_record("NAME!", {"KEY!!": ["VALUE"]}), resource={"a": 1})
    data = message.SerializeToString()
    for place in ("NAME!", "KEY!!", "VALUE"):
        data = build.patched(data, place, b"\xff\xfe\x00\xc3" + place[:1].encode())

    assert rebuilt("logs", data) == data


def test_several_records_come_back_one_by_one() -> None:
    message = build.request(build.span(), build.span("x"), schema_url="u")

    found = [rebuild(b["kind"], b) for b in bodies("traces", message.SerializeToString())]

    spans = [request.resource_spans[0].scope_spans[0].spans[0] for request in found]
    assert [span.name for span in spans] == [b"update_user_role", b"x"]
    assert all(request.resource_spans[0].schema_url == b"u" for request in found)


def test_scopes_of_old_senders_come_back_in_the_new_place() -> None:
    record = build.log_record().SerializeToString()
    scope = field(1, field(1, b"library")) + field(2, record)

    same("logs", rebuilt("logs", field(1, field(1000, scope))), field(1, field(2, scope)))


@pytest.mark.parametrize("seconds", [0, 1, 59])
def test_times_come_back_to_the_nanosecond(seconds: int) -> None:
    time = build.START + seconds * 1_000_000_000 + 987_654_321
    message = build.request(build.log_record(time_unix_nano=time))

    data = rebuilt("logs", message.SerializeToString())

    back = ExportLogsServiceRequest.FromString(data)
    assert back.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano == time


def test_a_wrapper_is_only_what_was_wrapped() -> None:
    assert any_value({"$$int": "5"}).WhichOneof("value") == "kvlist_value"
    assert any_value({"$int": "5"}).int_value == 5
