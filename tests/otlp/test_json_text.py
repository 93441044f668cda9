"""JSON text whose strings come back byte for byte."""

import json
import time

import pytest

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp.json_text import parse, string_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"plain"', b"plain"),
        (b'"gr\xc3\xbc\xc3\x9fe"', "grüße".encode()),
        (rb'"\u00fc"', "ü".encode()),
        (rb'"\ud83d\ude00"', "😀".encode()),
        (rb'"a\u0000b"', b"a\0b"),
        (b'"\xff\xfe"', b"\xff\xfe"),
        (b'"\xc3"', b"\xc3"),
        (b'"\xf0\x9f\x98"', b"\xf0\x9f\x98"),
        (b'"\xed\xb2\x80"', b"\xed\xb2\x80"),  # a surrogate, as raw bytes
        (rb'"\ud800"', b"\xed\xa0\x80"),  # and as an escape: DESIGN 3.3
        (rb'"\uDFFF"', b"\xed\xbf\xbf"),
        (rb'"\udc80"', b"\xed\xb2\x80"),  # not the raw byte 80
        (b'"\x80"', b"\x80"),
        (rb'"\udc80' + b'\x80"', b"\xed\xb2\x80\x80"),
        (rb'"\ud800\ud83d\ude00"', b"\xed\xa0\x80" + "😀".encode()),
        (rb'"\ude00\ud83d"', b"\xed\xb8\x80\xed\xa0\xbd"),
        (rb'"\u0041\udc80"', b"A\xed\xb2\x80"),
        (rb'"\udc80\udc81"', b"\xed\xb2\x80\xed\xb2\x81"),
        (rb'"\\ud800"', rb"\ud800"),  # an escaped backslash
        (rb'"\\\ud800"', b"\\\xed\xa0\x80"),
        (rb'"\\\\ud800' + b'\xff"', b"\\\\ud800\xff"),
        (rb'"\"\n' + b'\xff\xc3\xbc"', b'"\n\xff\xc3\xbc'),
    ],
)
def test_strings(text: bytes, expected: bytes) -> None:  # J15
    assert string_bytes(parse(text, 10)) == expected
    assert string_bytes(parse(b'["\xff",' + text + b"]", 10)[1]) == expected  # beside raw bytes


@pytest.mark.parametrize(
    "text", [b"", b" ", b"{} x", b"{", b"[1,]", b"{'a':1}", b"\xef\xbb\xbf{}", b"nul", b"NaN",
             b"[Infinity]", b"-Infinity", b'"\x01"', b'"\\x"', b'"\\u12"', b'"a', b"01", b"1.",
             b"{}\x00", b"\xff", "{}".encode("utf-16"), b'["\xff", NaN]', b'["\\ud800", 1.]',
             b'["\xff"] x', b'["\xff\x01"]'],
)  # fmt: skip
def test_what_is_not_json_is_refused(text: bytes) -> None:  # H08, J11
    with pytest.raises(MalformedRequest, match="not JSON"):
        parse(text, 10)


@pytest.mark.parametrize("tail", [b"", b',"\xff"', rb',"\ud800"'], ids=["plain", "raw", "escape"])
@pytest.mark.parametrize(
    "text",
    [b"1" * 200_000, b"-" + b"1" * 200_000, b"[" * 200_000, b'{"a":' * 100_000, b"1e400"],
    ids=["digits", "negative", "arrays", "objects", "exponent"],
)
def test_extremes_end_at_once(text: bytes, tail: bytes) -> None:  # J16, J17
    began = time.perf_counter()

    try:
        parse(b"[" + text + tail + b"]", 1_000_000)
    except MalformedRequest:
        pass
    else:
        assert text == b"1e400"
        assert tail

    assert time.perf_counter() - began < 1


def test_the_last_of_two_members_holds() -> None:  # J14
    assert parse(b'{"a":1,"a":2}', 10) == {"a": 2}
    assert parse(b'{"a":1,"a":2,"b":"\xff"}', 10)["a"] == 2


def test_more_values_than_allowed_are_refused_unparsed() -> None:
    assert parse(b"[{},{}]", 4) == [{}, {}]
    with pytest.raises(RequestTooLarge, match="more than 3 values"):
        parse(b"[{},{}]", 3)


def test_numbers_are_exact_by_both_ways() -> None:
    text = b"[18446744073709551615,-9223372036854775808,0.1,9007199254740993,-0.0]"

    assert parse(text, 10) == json.loads(text)
    assert parse(text[:-1] + b',"\xff"]', 10)[:-1] == json.loads(text)
