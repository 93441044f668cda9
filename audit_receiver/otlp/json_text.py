"""JSON text to Python values without losing a byte of any string.

`string_bytes` gives back the bytes of a string as they came. Two things are not UTF-8 and come all
the same: raw bytes (Collectors pass on what is in a log file), and escapes of lone surrogates,
which count as their three bytes ED A0..BF xx.
Of a member name that stands twice in one object the last value holds.
"""

import json
import re
from typing import Any, NoReturn

import orjson

from audit_receiver.errors import MalformedRequest, RequestTooLarge

# Every escape, so that a backslash that is escaped itself does not start one.
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|.)", re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(data: bytes, most: int) -> Any:
    """Parse JSON text.

    Args:
        data: the text, UTF-8 but for the two exceptions above.
        most: how many objects, arrays and commas it may hold; each can cost a hundred bytes.

    Raises:
        MalformedRequest: it is not JSON (RFC 8259), or nests deeper than the parser goes.
        RequestTooLarge: it holds more than `most`.
    """
    if data.count(b"{") + data.count(b"[") + data.count(b",") > most:
        raise RequestTooLarge(
            f"the JSON text holds more than {most} values; send smaller batches, or protobuf"
        )
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if data.isascii() and not _SURROGATE.search(data):
            raise MalformedRequest(f"not JSON: {error}") from None
    try:
        # orjson refuses what is not Unicode. Here lone escapes become their bytes, and bytes that
        # are not UTF-8 become lone surrogates, which by then stand for nothing else.
        text = _ESCAPE.sub(_without_lone, data).decode("utf-8", "surrogateescape")
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise MalformedRequest("not JSON that can be read: it nests too deeply") from None
    except ValueError as error:
        raise MalformedRequest(f"not JSON: {error}") from None


def string_bytes(text: str) -> bytes:
    """The bytes of a string that `parse` returned."""
    return text.encode("utf-8", "surrogateescape")


def _without_lone(match: re.Match[bytes]) -> bytes:
    first, second = match.groups()
    if first is None:
        return match[0]
    high = int(first, 16)
    if 0xD800 <= high <= 0xDBFF and second:
        return match[0]  # a pair: an ordinary character
    low = _three_bytes(int(second, 16)) if second else b""
    if 0xD800 <= high <= 0xDFFF:
        return _three_bytes(high) + low
    return match[0][:6] + low


def _three_bytes(surrogate: int) -> bytes:
    return chr(surrogate).encode("utf-8", "surrogatepass")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
