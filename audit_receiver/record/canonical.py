"""Canonical text: RFC 8785 with the rules for OTLP values of DESIGN 3.3. One form only.

orjson is the fast path. It differs from RFC 8785 for doubles below 1e-5, for integral doubles
(which our values never hold bare) and in the order of keys beyond U+FFFF; such texts are written
by the slow path below.
"""

import base64
import re
import struct
from typing import Any

import orjson

from audit_receiver.record.model import CanonicalValue

MOST_EXACT = 2**53 - 1  # RFC 8785 numbers are doubles; larger integers become {"$int": "..."}
MOST_KEYS = 10_000  # keys remembered; senders choose them, so there is a bound

_FAST = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_CANONICAL_NAN = 0x7FF8000000000000
_BEYOND_BMP = re.compile(b"[\xf0-\xf4]")
_ODD_NUMBER = re.compile(rb"[:,\[]-?[0-9]+(?:\.0[,}\]]|[.0-9]*[eE])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_keys: dict[bytes, str] = {}


class NotCanonical(ValueError):
    """A text is not the one canonical form of its value; the message says how."""


def of_string(raw: bytes, flags: set[str]) -> CanonicalValue:
    """A string; {"$utf8"} and flag invalid_utf8 if it is not valid UTF-8 or contains U+0000."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        flags.add("invalid_utf8")
        return {"$utf8": _b64(raw)}
    if "\0" in text:
        flags.add("invalid_utf8")
        return {"$utf8": _b64(raw)}
    return text


def of_int(number: int) -> CanonicalValue:
    """An integer; {"$int"} beyond ±(2**53 - 1)."""
    return number if -MOST_EXACT <= number <= MOST_EXACT else {"$int": str(number)}


def of_double(number: float) -> CanonicalValue:
    """A double; {"$double"} where it is integral, infinite, negative zero or not a number."""
    if number - number == 0 and not number.is_integer():
        return number
    if number != number:
        bits = struct.unpack(">Q", struct.pack(">d", number))[0]
        return {"$double": "NaN" if bits == _CANONICAL_NAN else f"NaN:{bits:016x}"}
    if number == 0:
        return {"$double": "-0" if str(number)[0] == "-" else "0"}
    return {"$double": number_text(number)}


def of_bytes(raw: bytes) -> CanonicalValue:
    """Bytes as {"$bytes"}."""
    return {"$bytes": _b64(raw)}


def raw_value(protobuf: bytes, flags: set[str]) -> CanonicalValue:
    """An AnyValue that the rules cannot hold, as {"$otlp"} with flag raw_value."""
    flags.add("raw_value")
    return {"$otlp": _b64(protobuf)}


def key(raw: bytes, flags: set[str]) -> str:
    """A key: another "$" before one that begins with "$"; "$utf8:..." if it is not clean UTF-8."""
    known = _keys.get(raw)
    if known is not None:
        return known
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        flags.add("invalid_utf8")
        return f"$utf8:{_b64(raw)}"
    if text[:1] == "$":
        text = f"${text}"
    if len(_keys) < MOST_KEYS and len(raw) <= 256:
        _keys[raw] = text
    return text


def encode(value: CanonicalValue) -> bytes:
    """The canonical text of a canonical value, as UTF-8."""
    text = orjson.dumps(value, option=_FAST)
    if b"e-6" in text or (not text.isascii() and _BEYOND_BMP.search(text)):
        return _slow(value).encode()
    return text


def decode(text: bytes) -> CanonicalValue:
    """The value of a canonical text. Raises NotCanonical for every other text."""
    try:
        value = orjson.loads(text)
        again = encode(value)
        if again == text and (_ODD_NUMBER.search(text) or text[:1] not in (b"{", b"[", b'"')):
            again = _slow(value).encode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError) as exc:
        raise NotCanonical(f"the text is not JSON: {exc}") from exc
    if again != text:
        raise NotCanonical(_difference(text, again))
    return value


def text_of(value: CanonicalValue) -> tuple[str | None, bool]:
    """A canonical value as a string of `audit` or `subject`, and whether it was changed for that.

    Integers in decimal, booleans as words, doubles in their number form, lists and maps as
    canonical text; control characters become U+FFFD (then the second is True). None for null
    and for the empty string, which say nothing.
    """
    if type(value) is str:
        text = value
    elif value is None:
        return None, False
    elif value is True:
        return "true", False
    elif value is False:
        return "false", False
    elif type(value) is dict:
        text = _text_of_map(value)
    elif type(value) is float:
        text = number_text(value)
    else:
        text = encode(value).decode()
    if not text:
        return None, False
    if text.isprintable():
        return text, False
    clean = _CONTROL.sub("\ufffd", text)
    return clean, clean != text


def number_text(number: float) -> str:
    """A finite double as ECMAScript writes it (ECMA-262, Number::toString; RFC 8785, 3.2.2.3)."""
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)  # the value is 0.digits times 10**point
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    rest = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if power > 0 else '-'}{abs(power)}"


def _text_of_map(value: dict[str, Any]) -> str:
    if len(value) == 1:
        (name, inner), *_ = value.items()
        if name in ("$int", "$double", "$bytes"):
            return str(inner)
        if name == "$utf8":
            return base64.b64decode(inner).decode(errors="replace")
    return encode(value).decode()


def _slow(value: CanonicalValue) -> str:
    """RFC 8785 in full: keys in UTF-16 order, numbers as ECMAScript writes them."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        pairs = (f"{orjson.dumps(name).decode()}:{_slow(value[name])}" for name in names)
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_slow, value)) + "]"
    if isinstance(value, float):
        # An integral double is no canonical value: {"$double"} never leaves one bare.
        return (
            '{"$double":"' + number_text(value) + '"}' if value.is_integer() else number_text(value)
        )
    return orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER).decode()


def _difference(text: bytes, again: bytes) -> str:
    place = next(
        (i for i, (a, b) in enumerate(zip(text, again, strict=False)) if a != b),
        min(len(text), len(again)),
    )
    here = text[max(place - 20, 0) : place + 20].decode(errors="replace")
    return f"the text is not the canonical form of its value, from byte {place}: {here!r}"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
