"""The JSON forms of protobuf's scalar types, each with what it refuses."""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from typing import Any

from audit_receiver.otlp.json_text import string_bytes

_DECIMAL = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")
_NAMED_DOUBLES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SHOWN = 40  # characters of a wrong value in a message


class WrongValue(Exception):
    """A value that its field cannot take. `path` grows on the way up, innermost first."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: list[str] = []

    @property
    def field(self) -> str:
        """Where, as `resourceLogs[0].scopeLogs[0].logRecords[2].traceId`."""
        return "".join(reversed(self.path)).removeprefix(".")


def text(value: Any) -> bytes:
    """A string field, as its bytes."""
    if value.__class__ is str:
        return string_bytes(value)
    raise WrongValue(f"expected a string, found {shown(value)}")


def hex_id(value: Any) -> bytes:
    """A trace or span id: hex digits in any case, of any even number; "" is none."""
    if value.__class__ is str:
        try:
            return binascii.unhexlify(value)
        except ValueError:
            pass
    raise WrongValue(f"expected an id as hex digits (not base64), found {shown(value)}")


def base64_bytes(value: Any) -> bytes:
    """A bytes field: base64 in the standard or the URL-safe alphabet, padded or not."""
    if value.__class__ is str:
        plain = value.translate(_URL_SAFE)
        if _BASE64.fullmatch(plain):
            digits = plain.rstrip("=")
            if len(digits) % 4 != 1:
                return base64.b64decode(digits + "=" * (-len(digits) % 4))
    raise WrongValue(f"expected base64, found {shown(value)}")


def boolean(value: Any) -> bool:
    """A bool field."""
    if value.__class__ is bool:
        return bool(value)
    raise WrongValue(f"expected true or false, found {shown(value)}")


def integer(value: Any, low: int, high: int) -> int:
    """An integer field: a JSON number without fraction or exponent, or the same as a string."""
    if value.__class__ is str and _DECIMAL.fullmatch(value):
        value = int(value)
    if value.__class__ is not int:
        raise WrongValue(f"expected an integer, found {shown(value)}")
    if not low <= value <= high:
        raise WrongValue(f"{shown(value)} is not between {low} and {high}")
    return int(value)


def int32(value: Any) -> int:
    """An int32 field."""
    return integer(value, -(1 << 31), (1 << 31) - 1)


def int64(value: Any) -> int:
    """An int64 field."""
    return integer(value, -(1 << 63), (1 << 63) - 1)


def uint32(value: Any) -> int:
    """A uint32 or fixed32 field."""
    return integer(value, 0, (1 << 32) - 1)


def uint64(value: Any) -> int:
    """A fixed64 field, such as a time."""
    return integer(value, 0, (1 << 64) - 1)


def double(value: Any) -> float:
    """A double field: a number, a number as a string, or "NaN", "Infinity", "-Infinity"."""
    if value.__class__ is str:
        if value in _NAMED_DOUBLES:
            return _NAMED_DOUBLES[value]
        if not _NUMBER.fullmatch(value):
            raise WrongValue(f"expected a number, found {shown(value)}")
    elif value.__class__ not in (int, float):
        raise WrongValue(f"expected a number, found {shown(value)}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if math.isinf(result):
        raise WrongValue(f"{shown(value)} is beyond a double")
    return result


def enumeration(value: Any, names: Mapping[str, int]) -> int:
    """An enum field: its number, known or not; as in the Collector also a known name."""
    if value.__class__ is str and value in names:
        return names[value]
    if value.__class__ is str and not _DECIMAL.fullmatch(value):
        raise WrongValue(f"expected the number of an enum value, found {shown(value)}")
    return int32(value)


def shown(value: Any) -> str:
    """A value for a message: short, and of one line."""
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
        case int() if not isinstance(value, bool) and value.bit_length() > 128:
            return "a very long number"  # printing it takes time that grows with the square
        case str() if len(value) > _SHOWN:
            return ascii(value[:_SHOWN]) + "…"
        case str():
            return ascii(value)
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
