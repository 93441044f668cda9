"""Canonical text: RFC 8785 with the rules for OTLP values of DESIGN 3.3. One form only.

orjson is the fast path. It differs from RFC 8785 for doubles from 1e-6 up to 1e-5, for integral
doubles (which our values never hold bare) and in the order of keys beyond U+FFFF: `jcs` writes
texts in which one of these may stand.
"""

import base64
import json
import math
import re
import struct
from typing import Any

import orjson

from audit_receiver.record import jcs
from audit_receiver.record.model import CanonicalValue

MOST_EXACT = 2**53 - 1  # RFC 8785 numbers are doubles; larger integers become {"$int": "..."}
MOST_KEYS = 10_000  # keys remembered; senders choose them, so there is a bound

REASONS = ("not JSON", "repeated key", "key order", "number form", "spelling")

_FAST = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_CANONICAL_NAN = 0x7FF8000000000000
_BEYOND_BMP = re.compile(b"[\xf0-\xf4]")  # first byte of a character of four bytes
_TINY = re.compile(rb"e-6(?:[,}\]]|\Z)")  # 4e-6, which RFC 8785 writes 0.000004
_INTEGRAL = re.compile(rb"(?:\.0|e\+[0-9]+)(?:[,}\]]|\Z)")  # orjson signs every exponent
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_keys: dict[bytes, str] = {}


class NotCanonical(ValueError):
    """A text is not the one canonical form of its value.

    `reason` is one of REASONS; spelling is needless space, escapes, anything else that RFC 8785
    writes in another way. The message says where.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


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
    if math.isfinite(number):
        if not number.is_integer():
            return number
        if number == 0:
            return {"$double": "-0" if math.copysign(1, number) < 0 else "0"}
        return {"$double": jcs.number_text(number)}
    if number == number:
        return {"$double": "Infinity" if number > 0 else "-Infinity"}
    bits = struct.unpack(">Q", struct.pack(">d", number))[0]
    return {"$double": "NaN" if bits == _CANONICAL_NAN else f"NaN:{bits:016x}"}


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


def keys(raws: list[bytes], flags: set[str]) -> list[str]:
    """`key` for each of a list; the same ones come again and again."""
    names: list[Any] = list(map(_keys.get, raws))
    return names if all(names) else [key(raw, flags) for raw in raws]


def encode(value: CanonicalValue) -> bytes:
    """The canonical text of a canonical value, as UTF-8."""
    text = orjson.dumps(value, option=_FAST)
    if (b"e-6" in text and _TINY.search(text)) or (not text.isascii() and _BEYOND_BMP.search(text)):
        return jcs.text(value).encode()
    return text


def encode_strings(value: CanonicalValue) -> bytes:
    """`encode` for a value without any number in it: strings in lists and maps."""
    text = orjson.dumps(value, option=_FAST)
    return text if text.isascii() or not _BEYOND_BMP.search(text) else jcs.text(value).encode()


def decode(text: bytes) -> CanonicalValue:
    """The value of a canonical text. Raises NotCanonical for every other text."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise NotCanonical("not JSON", f"the text is not JSON: {exc}") from exc
    try:
        again = encode(value)
        if (b".0" in again or b"e+" in again) and _INTEGRAL.search(again):
            again = jcs.text(value).encode()
    except (orjson.JSONEncodeError, RecursionError) as exc:
        reason = "number form" if "Integer" in str(exc) else "not JSON"
        raise NotCanonical(reason, f"the text cannot be written again: {exc}") from exc
    if again != text:
        raise _why(text, again)
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
        text = jcs.number_text(value)
    else:
        text = encode(value).decode()
    if not text:
        return None, False
    if text.isprintable():
        return text, False
    clean = _CONTROL.sub("\ufffd", text)
    return clean, clean != text


def _text_of_map(value: dict[str, Any]) -> str:
    if len(value) == 1:
        (name, inner), *_ = value.items()
        if name in ("$int", "$double", "$bytes"):
            return str(inner)
        if name == "$utf8":
            return base64.b64decode(inner).decode(errors="replace")
    return encode(value).decode()


def _why(text: bytes, again: bytes) -> NotCanonical:
    """Say to a reader what is wrong; slow, for texts that are refused already."""
    place = next(
        (i for i, (a, b) in enumerate(zip(text, again, strict=False)) if a != b),
        min(len(text), len(again)),
    )
    here = text[max(place - 20, 0) : place + 20].decode(errors="replace")
    reason = _broken_rule(text)
    return NotCanonical(
        reason,
        f"the text is not the canonical form of its value ({reason}) at byte {place}: {here!r}",
    )


def _broken_rule(text: bytes) -> str:
    broken: set[str] = set()

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name.encode("utf-16-be", "surrogatepass") for name, _ in pairs]
        if len(set(names)) < len(names):
            broken.add("repeated key")
        elif names != sorted(names):
            broken.add("key order")

    def integer(digits: str) -> None:
        if len(digits) > 17 or digits == "-0" or abs(int(digits)) > MOST_EXACT:
            broken.add("number form")

    def fraction(digits: str) -> None:
        number = float(digits)
        if math.isinf(number) or number.is_integer() or jcs.number_text(number) != digits:
            broken.add("number form")

    try:
        json.loads(text, object_pairs_hook=look, parse_int=integer, parse_float=fraction)
    except (ValueError, RecursionError):
        return "spelling"
    return next((rule for rule in REASONS if rule in broken), "spelling")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
