"""Export requests opened by hand, against protobuf's own reading of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.logs.v1 import logs_pb2

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp.envelope import Request, ScopeGroup, open_request
from tests.kit import build
from tests.otlp.reading import field


def opened(data: bytes, signal: str = "logs", limit: int = 1000) -> Request:
    return open_request(signal, data, limit, 64)  # type: ignore[arg-type]


def test_a_request_is_opened_down_to_its_items() -> None:
    message = build.request(build.log_record("a"), build.log_record("b"), schema_url="u1")
    message.resource_logs[0].scope_logs[0].schema_url = "u2"
    second = message.resource_logs[0].scope_logs.add()
    second.log_records.append(build.log_record("c"))
    message.MergeFrom(build.request(build.log_record("d")))

    request = opened(message.SerializeToString())

    expected = message.resource_logs
    assert len(request.groups) == len(expected) == 2
    for group, want in zip(request.groups, expected, strict=True):
        assert group.resource == want.resource.SerializeToString()
        assert group.schema_url == want.schema_url.encode()
        assert group.scopes == [
            ScopeGroup(
                scope.scope.SerializeToString(),
                scope.schema_url.encode(),
                b"",
                [record.SerializeToString() for record in scope.log_records],
            )
            for scope in want.scope_logs
        ]


def test_the_order_of_fields_does_not_matter() -> None:  # Go writes them in descending order
    record = build.log_record("a").SerializeToString()
    scope = field(3, b"u2") + field(2, record) + field(1, field(1, b"name"))
    group = field(3, b"u1") + field(2, scope) + field(1, b"")

    request = opened(field(1, group))

    assert request.groups[0].schema_url == b"u1"
    assert request.groups[0].scopes == [ScopeGroup(field(1, b"name"), b"u2", b"", [record])]


def test_long_items_have_long_lengths() -> None:
    records = [build.log_record(body="x" * size) for size in (1, 200, 20_000, 3_000_000)]
    message = build.request(*records)

    request = opened(message.SerializeToString())

    assert request.groups[0].scopes[0].items == [r.SerializeToString() for r in records]


def test_an_empty_request_and_empty_envelopes_hold_nothing() -> None:  # H06, H11
    assert opened(b"").groups == []
    request = opened(field(1, b"") + field(1, field(2, b"")))
    assert [len(group.scopes) for group in request.groups] == [0, 1]
    assert request.groups[1].scopes[0].items == []


def test_scopes_in_the_place_of_old_senders_are_read() -> None:  # A11: field 1000
    record = build.log_record("a").SerializeToString()
    old = field(1, field(1, b"library")) + field(2, record)

    request = opened(field(1, field(1000, old)))

    assert request.groups[0].scopes == [ScopeGroup(field(1, b"library"), b"", b"", [record])]
    assert request.groups[0].unknown == b""


def test_scopes_in_both_places_are_all_read() -> None:
    data = field(1, field(2, field(2, b"")) + field(1000, field(2, b"") + field(2, b"")))

    assert [len(s.items) for s in opened(data).groups[0].scopes] == [1, 2]


def test_unknown_fields_are_kept_where_they_lie() -> None:
    item = field(2, b"")
    scope = item + field(1000, b"in a scope") + b"\x20\x07"
    group = b"\x09" + bytes(8) + field(2, scope)
    request = opened(field(2, b"on top") + field(1, group) + b"\x08\x01")

    assert request.unknown == field(2, b"on top") + b"\x08\x01"
    assert request.groups[0].unknown == b"\x09" + bytes(8)
    assert request.groups[0].scopes[0].unknown == field(1000, b"in a scope") + b"\x20\x07"


def test_a_resource_that_stands_twice_is_merged_as_protobuf_does() -> None:
    one, two = field(1, field(1, b"a")), b"\x10\x05"
    group = field(1, one) + field(1, two) + field(3, b"old") + field(3, b"new")

    assert opened(field(1, group)).groups[0].resource == one + two
    published = logs_pb2.ResourceLogs.FromString(group)
    assert published.resource.attributes[0].key == "a"
    assert published.resource.dropped_attributes_count == 5
    assert opened(field(1, group)).groups[0].schema_url == published.schema_url.encode() == b"new"


_MESSAGE = build.request(build.log_record("a"), build.log_record("b")).SerializeToString()


@pytest.mark.parametrize("cut", range(1, len(_MESSAGE)))
def test_a_request_cut_anywhere_is_refused(cut: int) -> None:  # H10
    with pytest.raises(MalformedRequest):
        opened(_MESSAGE[:cut])


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"\xff\xff\xff", "the request"),  # H09
        (field(1, b"\x12\x05a"), "resource_logs[0]"),
        (field(1, b"") + field(1, field(2, b"\x0f")), "resource_logs[1].scope_logs[0]"),
    ],
)
def test_a_broken_envelope_is_named(data: bytes, where: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        opened(data)

    assert refused.value.field == where
    assert where in str(refused.value)


def test_item_limit() -> None:
    message = build.request(*[build.log_record() for _ in range(10)])
    data = message.SerializeToString()
    whole = 10 + 2 + 2  # items, two envelopes, and the resource and scope within

    assert opened(data, limit=whole)
    with pytest.raises(RequestTooLarge, match=r"13 .* raise receivers\.otlp\.limits\.items"):
        opened(data, limit=whole - 1)


_AMPLIFIERS = {
    "resources": "b'\\x0a\\x00' * (1 << 23)",
    "scopes": "field(1, b'\\x12\\x00' * (1 << 23))",
    "items": "field(1, field(2, b'\\x12\\x00' * (1 << 23)))",
    "resource in pieces": "field(1, b'\\x0a\\x00' * (1 << 23))",
    "unknown": "field(1, b'\\x20\\x00' * (1 << 23))",
    "attributes": "item(b'\\x32\\x00' * (1 << 23) + field(6, field(1, b'audit.x')))",
    "resource attributes": "field(1, field(1, b'\\x0a\\x00' * (1 << 23)) + SCOPE)",
    "scope attributes": "field(1, field(2, field(1, b'\\x1a\\x00' * (1 << 23)) + field(2, AUDIT)))",
    "array": "item(field(6, field(1, b'audit.x') + field(2, field(5, b'\\x0a\\x00' * (1 << 23)))))",
    "map": "item(field(6, field(1, b'audit.x') + field(2, field(6, b'\\x0a\\x00' * (1 << 23)))))",
    "many arrays": "item(field(6, field(1, b'audit.x') + field(2, field(5, field(1, field(5,"
    " b'\\x0a\\x00' * 30_000)) * 270))))",
    "many records": "field(1, field(2, field(2, AUDIT + b'\\x32\\x00' * 30_000) * 270))",
}

_SCRIPT = """
import resource, sys, time
from audit_receiver.errors import RequestTooLarge
from audit_receiver.otlp import codec, walk
from audit_receiver.record.select import Rule
from tests.otlp.reading import field
AUDIT = field(6, field(1, b"audit.x") + field(2, field(1, b"y")))
SCOPE = field(2, field(2, AUDIT))
def item(data):
    return field(1, field(2, field(2, data)))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
data = %s
before, began = peak(), time.perf_counter()
try:
    request = codec.decode("logs", data, "protobuf", codec.Limits(1 << 26, 200_000))
    walk.walk("logs", request, Rule())
except RequestTooLarge:
    pass
print(peak() - before, time.perf_counter() - began)
"""


@pytest.mark.parametrize("payload", _AMPLIFIERS.values(), ids=_AMPLIFIERS.keys())
def test_sixteen_mebibytes_of_empty_messages_stay_small(payload: str) -> None:  # Z11
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT % payload],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    grown, seconds = run.stdout.split()
    assert int(grown) < 120, f"{grown} MiB"  # protobuf's own parser takes 529
    assert float(seconds) < 30  # a second or two; what is quadratic takes minutes
