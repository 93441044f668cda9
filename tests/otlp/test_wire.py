"""Protobuf fields read by hand; the encodings are those of the protobuf documentation."""

import pytest

from audit_receiver.errors import MalformedRequest
from audit_receiver.otlp import schema
from audit_receiver.otlp.wire import (
    count_fields,
    encode_varint,
    fields,
    skip,
    unknown_fields,
    varint,
)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x00", 0),
        (b"\x7f", 127),
        (b"\x96\x01", 150),  # the documentation's own example
        (b"\xff" * 9 + b"\x01", 2**64 - 1),
    ],
)
def test_varint(data: bytes, value: int) -> None:
    assert varint(data, 0) == (value, len(data))
    assert encode_varint(value) == data


def test_negative_numbers_are_written_as_64_bits() -> None:
    assert encode_varint(-2) == b"\xfe" + b"\xff" * 8 + b"\x01"


def test_a_varint_that_is_cut_short_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        varint(b"\x80\x80", 0)


def test_a_varint_of_eleven_bytes_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="ten bytes"):
        varint(b"\xff" * 10 + b"\x01", 0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x08\x96\x01", (0x08, 1, 3)),
        (b"\x09" + bytes(8), (0x09, 1, 9)),
        (b"\x12\x03abc", (0x12, 2, 5)),
        (b"\x0d" + bytes(4), (0x0D, 1, 5)),
        (b"\x0b\x08\x01\x0c", (0x0B, 1, 4)),
        (b"\x0b\x13\x14\x0c", (0x0B, 1, 4)),
    ],
    ids=["varint", "64 bits", "bytes", "32 bits", "group", "group in a group"],
)
def test_skip_steps_over_one_field(data: bytes, expected: tuple[int, int, int]) -> None:
    assert skip(data + b"\x08\x01", 0, len(data) + 2) == expected


@pytest.mark.parametrize(
    "data",
    [b"\x00\x01", b"\x07\x01", b"\x0e\x00", b"\x0f\x00", b"\x0c", b"\x0b\x14", b"\x0b" * 101],
    ids=["field 0", "field 0, type 7", "type 6", "type 7", "end", "other end", "too deep"],
)
def test_what_is_no_field_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRequest):
        skip(data, 0, len(data))


@pytest.mark.parametrize(
    "data", [b"\x08", b"\x09" + bytes(7), b"\x12\x03ab", b"\x0d" + bytes(3), b"\x0b\x08\x01"]
)
def test_a_field_that_is_cut_short_is_an_index_error(data: bytes) -> None:
    with pytest.raises(IndexError):
        skip(data, 0, len(data))


def test_fields_gives_each_field_with_its_places() -> None:
    assert list(fields(b"\x08\x01\x12\x01a")) == [(0x08, 0, 1, 2), (0x12, 2, 4, 5)]


def test_unknown_fields_are_found_in_order() -> None:
    status = schema.Status.FromString(b"\x08\x07\x12\x02no\x18\x02\xa2\x06\x01x\x19" + bytes(8))

    # 1 is reserved, 100 unknown, 3 has the wrong type the second time.
    assert unknown_fields(status) == b"\x08\x07\xa2\x06\x01x\x19" + bytes(8)


def test_nothing_unknown() -> None:
    assert unknown_fields(schema.Status(code=2, message=b"no")) == b""


def test_count_fields_counts_inside_the_named_ones() -> None:
    inner = b"\x08\x01" * 3
    data = b"\x12" + bytes([len(inner)]) + inner + b"\x1a\x02\x08\x01"

    assert count_fields(data, (), 100) == 2
    assert count_fields(data, (0x12,), 100) == 5


def test_count_fields_stops_past_the_limit() -> None:
    assert count_fields(b"\x0a\x00" * 1000, (), 10) == 11
