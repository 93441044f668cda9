"""The protobuf wire format, as far as envelopes and unknown fields need it read by hand."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from audit_receiver.errors import MalformedRequest

VARINT, I64, LEN, START_GROUP, END_GROUP, I32 = range(6)

# What a definition's field type looks like on the wire; all others of OTLP are varints.
_WIRE_TYPES = {
    FieldDescriptor.TYPE_BYTES: LEN,
    FieldDescriptor.TYPE_MESSAGE: LEN,
    FieldDescriptor.TYPE_FIXED64: I64,
    FieldDescriptor.TYPE_DOUBLE: I64,
    FieldDescriptor.TYPE_FIXED32: I32,
}

_MAX_GROUPS = 100  # what protobuf's own parsers allow


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a base-128 integer: its value and the position after it.

    Raises:
        IndexError: the data end within it.
        MalformedRequest: it has more than ten bytes.
    """
    byte = data[position]
    position += 1
    if byte < 0x80:
        return byte, position
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift >= 70:
            raise MalformedRequest("a protobuf integer is longer than ten bytes")


def encode_varint(value: int) -> bytes:
    """An integer, negative ones as their 64 bits, in base 128."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def skip(data: bytes, position: int, end: int) -> tuple[int, int, int]:
    """Step over the field at `position`: its tag, where its value starts, where it ends.

    For a length-delimited field the value starts after the length, for a group after the start tag.

    Raises:
        IndexError: the data end within it.
        MalformedRequest: it is not a protobuf field.
    """
    tag, position = varint(data, position)
    if not 8 <= tag <= 0xFFFF_FFFF:
        raise MalformedRequest(f"{tag} is not a protobuf tag")
    wire = tag & 7
    start = position
    if wire == LEN:
        size, start = varint(data, position)
        position = start + size
    elif wire == VARINT:
        position = varint(data, position)[1]
    elif wire == I64:
        position += 8
    elif wire == I32:
        position += 4
    elif wire == START_GROUP:
        position = _after_group(data, position, end, tag >> 3)
    else:
        raise MalformedRequest(f"protobuf field {tag >> 3} has wire type {wire}")
    if position > end:
        raise IndexError(position)
    return tag, start, position


def _after_group(data: bytes, position: int, end: int, number: int) -> int:
    opened = [number]
    while opened:
        if position >= end:
            raise IndexError(position)
        tag, after = varint(data, position)
        if tag & 7 == START_GROUP:
            opened.append(tag >> 3)
            if len(opened) > _MAX_GROUPS:
                raise MalformedRequest(f"protobuf groups nest deeper than {_MAX_GROUPS}")
            position = after
        elif tag & 7 == END_GROUP:
            if opened.pop() != tag >> 3:
                raise MalformedRequest(f"protobuf group {tag >> 3} ends without having begun")
            position = after
        else:
            position = skip(data, position, end)[2]
    return position


def fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Each field of a message: tag, where it starts, where its value starts, where it ends."""
    position, end = 0, len(data)
    while position < end:
        tag, start, after = skip(data, position, end)
        yield tag, position, start, after
        position = after


def unknown_fields(message: Any) -> bytes:
    """The fields of a message that its definition does not have, as protobuf, in order."""
    known = _known_tags(message.DESCRIPTOR)
    raw = message.SerializeToString()
    return b"".join(
        raw[position:after] for tag, position, _, after in fields(raw) if tag not in known
    )


@cache
def _known_tags(descriptor: Any) -> frozenset[int]:
    return frozenset(
        field.number << 3 | _WIRE_TYPES.get(field.type, VARINT) for field in descriptor.fields
    )


def count_fields(data: bytes, nested_tags: tuple[int, ...], limit: int) -> int:
    """How many fields a message and its parts under `nested_tags` have; stops past `limit`.

    A field of two bytes can cost a parser sixty, so large messages are counted before.
    """
    total = 0
    for tag, _, start, after in fields(data):
        total += 1
        if tag in nested_tags and total <= limit:
            total += count_fields(data[start:after], (), limit - total)
        if total > limit:
            break
    return total
