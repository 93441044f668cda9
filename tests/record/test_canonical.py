"""Canonical text against golden vectors (made by Node) and against rfc8785."""

import base64
import math
import struct
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from audit_receiver.record import canonical, jcs
from audit_receiver.record.canonical import NotCanonical
from tests.record.vectors import cases, value_of

VALUES = cases("canonical/values.json")
TEXTS = cases("canonical/texts.json")
REFUSED = [case for case in TEXTS if case["reason"] is not None]
MOST = 2**53 - 1

strings = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-MOST, MOST) | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: not number.is_integer()
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | strings,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=12,
)


def test_there_are_vectors_and_most_texts_are_refusals() -> None:
    assert len(VALUES) >= 75
    assert len(TEXTS) >= 70
    assert len(REFUSED) > 0.75 * len(TEXTS)
    assert {case["reason"] for case in REFUSED} == {
        *("not JSON", "repeated key", "key order", "number form", "spelling")
    }


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case["name"])
def test_value_has_its_golden_text(case: dict[str, Any]) -> None:
    flags: set[str] = set()
    text = canonical.encode(value_of(case["value"], flags))
    assert text.decode() == case["text"]
    assert sorted(flags) == case["flags"]
    assert canonical.encode(canonical.decode(text)) == text


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: case["name"])
def test_text_is_read_or_refused_for_the_golden_reason(case: dict[str, Any]) -> None:
    text = base64.b64decode(case["base64"])
    if case["reason"] is None:
        assert canonical.encode(canonical.decode(text)) == text
        return
    with pytest.raises(NotCanonical) as refused:
        canonical.decode(text)
    assert refused.value.reason == case["reason"]


@given(json_values)
@example({"\uffff": 1, "\U0001f600": 2})
@example([4e-6, -9.999999999999999e-06, 1e-7, 5e-324, 0.1])
def test_encode_is_rfc_8785(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)
    assert jcs.text(value).encode() == rfc8785.dumps(value)


@given(st.floats(1e-7, 1e-4))
def test_small_doubles_are_written_as_rfc_8785_does(number: float) -> None:
    assert canonical.encode({"a": [number]}) == rfc8785.dumps({"a": [number]})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_text_is_ecmascripts(number: float) -> None:
    assert jcs.number_text(number).encode() == rfc8785.dumps(number)


@given(json_values)
def test_decode_takes_every_canonical_text_back(value: Any) -> None:
    assert canonical.decode(rfc8785.dumps(value)) == value


@given(json_values)
def test_decode_refuses_every_other_spelling(value: Any) -> None:
    text = rfc8785.dumps(value)
    for other in (
        orjson.dumps(value, option=orjson.OPT_INDENT_2),
        orjson.dumps(value),
        text + b" ",
        text.replace(b'"', b"'"),
    ):
        if other != text:
            with pytest.raises(NotCanonical):
                canonical.decode(other)


@given(st.binary(max_size=40))
def test_decode_never_fails_in_another_way(raw: bytes) -> None:
    try:
        value = canonical.decode(raw)
    except NotCanonical:
        return
    assert canonical.encode(value) == raw


@pytest.mark.parametrize("levels", [255, 1100, 100_000])
def test_nesting_beyond_reason_is_refused_and_not_a_crash(levels: int) -> None:
    with pytest.raises(NotCanonical):
        canonical.decode(b"[" * levels + b"]" * levels)


@given(st.integers(0, 2**64 - 1))
@example(0x7FF0000000000001)
@example(0xFFF8000000000000)
def test_every_double_is_kept_bit_by_bit(bits: int) -> None:
    (number,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    if struct.pack(">d", number) != bits.to_bytes(8, "big"):
        return  # the machine itself quietened a signalling NaN
    value = canonical.decode(canonical.encode(canonical.of_double(number)))
    assert _double_bits(value) == bits


def _double_bits(value: Any) -> int:
    """A double back from its canonical value, written after DESIGN 3.3."""
    if isinstance(value, dict):
        text = value["$double"]
        if text.startswith("NaN"):
            return int(text[4:], 16) if ":" in text else 0x7FF8000000000000
        number = float(text)
        assert math.isinf(number) or number.is_integer()
        assert number != 0 or text in ("0", "-0")
    else:
        number = value
        assert not number.is_integer()
    return int.from_bytes(struct.pack(">d", number), "big")


@given(st.binary(max_size=12))
@example(b"\xed\xa0\x80")
@example(b"$utf8:AA==")
def test_strings_and_keys_are_kept_byte_by_byte(raw: bytes) -> None:
    flags: set[str] = set()
    value, key = canonical.of_string(raw, flags), canonical.key(raw, flags)
    if isinstance(value, dict):
        assert flags == {"invalid_utf8"}
        assert base64.b64decode(value["$utf8"]) == raw
        assert base64.b64decode(key.removeprefix("$utf8:")) == raw
    else:
        assert not flags
        assert value.encode() == raw
        assert (key[1:] if key.startswith("$") else key).encode() == raw
        assert not key.startswith("$") or key.startswith("$$")


def test_keys_remembered_are_bounded_and_stay_right() -> None:
    for number in range(canonical.MOST_KEYS + 100):
        assert canonical.key(b"$%d" % number, set()) == f"$${number}"
    assert len(canonical._keys) <= canonical.MOST_KEYS
    assert canonical.key(b"k" * 1000, set()) == "k" * 1000
    assert b"k" * 1000 not in canonical._keys


def test_fragments_stand_as_they_are() -> None:
    assert canonical.encode({"b": orjson.Fragment(b'{"z":0}'), "a": 1}) == b'{"a":1,"b":{"z":0}}'
    assert canonical.encode({"b": orjson.Fragment(b"[0]"), "\U0001f600": 4e-6}) == (
        '{"b":[0],"\U0001f600":0.000004}'.encode()
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("admin", "admin"),
        ("", None),
        (None, None),
        (True, "true"),
        (False, "false"),
        (-7, "-7"),
        (0, "0"),
        ({"$int": "9223372036854775807"}, "9223372036854775807"),
        (0.000004, "0.000004"),
        (1e-7, "1e-7"),
        ({"$double": "200"}, "200"),
        ({"$double": "NaN"}, "NaN"),
        ({"$bytes": "AA=="}, "AA=="),
        ({"$utf8": "Y2Fm6Q=="}, "caf\ufffd"),
        ({"$otlp": "CgFh"}, '{"$otlp":"CgFh"}'),
        ([], "[]"),
        (["b", 1, None], '["b",1,null]'),
        ({"b": 1, "a": [4e-6]}, '{"a":[0.000004],"b":1}'),
        ({}, "{}"),
        ({"$$int": "5"}, '{"$$int":"5"}'),
        ("ab\u200bc", "ab\u200bc"),
    ],
)
def test_text_of_a_value(value: Any, text: str | None) -> None:
    assert canonical.text_of(value) == (text, False)


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_text_of_replaces_control_characters_and_says_so(code: int) -> None:
    assert canonical.text_of(f"a{chr(code)}b") == ("a\ufffdb", True)
    assert canonical.text_of([chr(code)]) == (
        (f'["{chr(code)}"]'.replace(chr(code), "\ufffd"), True)
        if code >= 0x7F
        else (canonical.encode([chr(code)]).decode(), False)
    )


def test_text_of_replaces_a_nul_that_came_as_bytes() -> None:
    assert canonical.text_of({"$utf8": "YQBi"}) == ("a\ufffdb", True)
