"""AnyValue to canonical value, by the rules of DESIGN 3.3."""

import base64
import math
import struct
from typing import Any

import pytest
from opentelemetry.proto.common.v1 import common_pb2

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp import anyvalue, schema
from audit_receiver.otlp.anyvalue import ValueReader
from tests.kit import build


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read(data: bytes, flags: set[str] | None = None, careful: bool = True) -> Any:
    """The canonical value of an AnyValue in protobuf."""
    reader = ValueReader()
    value = reader.value(schema.AnyValue.FromString(data), careful)
    assert reader.flags == (flags or set())
    return value


def read_list(data: bytes, flags: set[str] | None = None) -> Any:
    """The attribute list of a serialised KeyValueList."""
    reader = ValueReader()
    item, careful = anyvalue.parse(schema.KeyValueList, data)
    result = reader.attributes(item.values, careful)
    assert reader.flags == (flags or set())
    return result


def pairs(given: Any) -> bytes:
    return common_pb2.KeyValueList(values=build.attributes(given)).SerializeToString()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("text", "text"),
        ("", ""),
        (None, None),
        (True, True),
        (False, False),
        (0, 0),
        (-1, -1),
        (2**53 - 1, 2**53 - 1),
        (2**53, {"$int": "9007199254740992"}),
        (-(2**63), {"$int": "-9223372036854775808"}),
        (0.5, 0.5),
        (4e-6, 4e-6),
        (200.0, {"$double": "200"}),
        (-0.0, {"$double": "-0"}),
        (math.inf, {"$double": "Infinity"}),
        (math.nan, {"$double": "NaN"}),
        (b"\x00\xff", {"$bytes": "AP8="}),
        (b"", {"$bytes": ""}),
        ([], []),
        ({}, {}),
        ([1, "a", None, [True]], [1, "a", None, [True]]),
        ({"a": {"b": []}, "$x": 1, "": 2}, {"a": {"b": []}, "$$x": 1, "": 2}),
        ({"$int": "5"}, {"$$int": "5"}),
    ],
)
@pytest.mark.parametrize("careful", [True, False])
def test_values(given: Any, expected: Any, careful: bool) -> None:
    data = build.any_value(given).SerializeToString()

    assert read(data, careful=careful) == expected
    assert type(read(data, careful=careful)) is type(expected)


def test_a_nan_with_a_payload_keeps_it() -> None:
    data = b"\x21" + struct.pack("<Q", 0x7FF8000000000001)

    assert read(data) == {"$double": "NaN:7ff8000000000001"}


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"a\0b", b"\xed\xa0\x80", b"\0"])
def test_text_that_is_not_clean(raw: bytes) -> None:
    value = schema.AnyValue(string_value=raw).SerializeToString()
    pair = schema.KeyValue(key=raw, value={"string_value": raw})
    both = schema.KeyValueList(values=[pair]).SerializeToString()

    assert read(value, {"invalid_utf8"}) == {"$utf8": b64(raw)}
    assert read_list(both, {"invalid_utf8"}) == (
        {f"$utf8:{b64(raw)}": {"$utf8": b64(raw)}},
        None,
    )


def test_an_attribute_list_is_one_object() -> None:
    given = {"s": "v", "empty": "", "n": 1, "$d": None, "m": {"k": [0.5]}}

    assert read_list(pairs(given)) == (
        {"s": "v", "empty": "", "n": 1, "$$d": None, "m": {"k": [0.5]}},
        None,
    )


def test_a_repeated_key_keeps_the_whole_list() -> None:
    data = pairs([("k", "1"), ("other", 2), ("k", "3")])

    assert read_list(data, {"duplicate_keys"}) == ({"k": "3", "other": 2}, b64(data))


def test_the_raw_list_is_a_key_value_list_that_others_read() -> None:
    given = [("k", "1"), ("k", [2])]

    _, raw = read_list(pairs(given), {"duplicate_keys"})

    whole = common_pb2.KeyValueList.FromString(base64.b64decode(raw))
    assert list(whole.values) == build.attributes(given)


def test_a_map_with_a_repeated_key_is_raw() -> None:
    inner = pairs([("k", 1), ("k", 2)])
    value = b"\x32" + bytes([len(inner)]) + inner
    outer = b"\x0a" + bytes([len(value)]) + value
    array = b"\x2a" + bytes([len(outer)]) + outer

    assert read(value, {"raw_value"}) == {"$otlp": b64(value)}
    assert read(array, {"raw_value"}) == [{"$otlp": b64(value)}]  # the innermost that must


@pytest.mark.parametrize(
    "value",
    [
        b"\x40\x05",  # string_value_strindex
        b"\x0a\x01s\x40\x05",  # beside a string
        b"\x0a\x01s\xa2\x06\x01x",  # an unknown field
        b"\x08\x01",  # string_value with the type of an integer
        b"\x2a\x06\x0a\x00\x12\x02ab",  # an unknown field of the array
        b"\x32\x04\x12\x02ab",  # of the map
        b"\x32\x07\x0a\x05\x0a\x01k\x18\x05",  # key_strindex in the map's pair
    ],
)
def test_unknown_and_index_fields_make_a_value_raw(value: bytes) -> None:
    expected = {"$otlp": b64(value)}
    inner = b"\x0a\x01k\x12" + bytes([len(value)]) + value
    whole = b"\x0a" + bytes([len(inner)]) + inner

    assert read(value, {"raw_value"}) == expected
    assert read_list(whole, {"raw_value"}) == ({"k": expected}, None)


@pytest.mark.parametrize("tail", [b"\x18\x05", b"\xa2\x06\x01x"], ids=["key_strindex", "unknown"])
def test_a_pair_with_more_in_it_keeps_the_whole_list(tail: bytes) -> None:
    pair = b"\x0a\x01k\x12\x03\x0a\x01v" + tail
    data = b"\x0a" + bytes([len(pair)]) + pair

    assert read_list(data, {"raw_value"}) == ({"k": "v"}, b64(data))


def test_a_pair_without_value_differs_from_one_that_is_empty() -> None:
    data = b"\x0a\x03\x0a\x01a" + b"\x0a\x05\x0a\x01b\x12\x00"

    assert read_list(data, {"raw_value"}) == ({"a": {"$otlp": ""}, "b": None}, None)


def test_defaults_that_are_written_out_change_nothing() -> None:  # as Go senders do
    data = b"\x0a\x07\x0a\x00\x12\x03\x0a\x01v"

    assert read_list(data) == ({"": "v"}, None)


@pytest.mark.parametrize("kind", ["array", "map"])
def test_nesting_to_64_levels(kind: str) -> None:  # J16
    def nested(levels: int) -> bytes:
        value = schema.AnyValue(int_value=1)
        for _ in range(levels - 1):
            if kind == "array":
                inside = schema.ArrayValue(values=[value]).SerializeToString()
                value = schema.AnyValue(array_value=inside)
            else:
                pair = schema.KeyValue(key=b"k", value=value)
                inside = schema.KeyValueList(values=[pair]).SerializeToString()
                value = schema.AnyValue(kvlist_value=inside)
        return value.SerializeToString()  # type: ignore[no-any-return]

    found, depth = read(nested(64)), 1
    while found != 1:
        found = found[0] if kind == "array" else found["k"]
        depth += 1
    assert depth == 64
    with pytest.raises(MalformedRequest, match="deeper than 64 levels"):
        read(nested(65))


@pytest.mark.parametrize("data", [b"\x2a\x01\x0a", b"\x32\x02\x0a\x05", b"\x2a\x03\x0a\x01\xff"])
def test_what_is_not_protobuf_inside_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRequest, match="not a valid"):
        read(data)


def test_the_values_of_a_request_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anyvalue, "MAX_VALUES", 5)
    reader = ValueReader()
    five = schema.AnyValue.FromString(build.any_value([1, 2, 3, 4, 5]).SerializeToString())
    one = schema.KeyValueList.FromString(pairs({"a": 1}))

    assert reader.value(five, careful=False) == [1, 2, 3, 4, 5]
    with pytest.raises(RequestTooLarge, match="more than 5"):
        reader.attributes(one.values, careful=False)
    with pytest.raises(RequestTooLarge):
        reader.value(five, careful=False)
