"""RFC 8785 in full, slowly: keys in UTF-16 order, numbers as ECMAScript writes them.

`canonical` comes here only for what orjson writes differently.
"""

from typing import Any

import orjson


def text(value: Any) -> str:
    """The canonical text of a canonical value."""
    if isinstance(value, dict):
        # RFC 8785, 3.2.3: by UTF-16 code units, not by code points.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_plain(name)}:{text(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(text, value)) + "]"
    if isinstance(value, float):
        number = number_text(value)
        # No canonical value holds an integral double bare: whoever meets one sees a wrapper.
        return '{"$double":"' + number + '"}' if value.is_integer() else number
    return _plain(value)


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


def _plain(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER).decode()
