"""DER of a time-stamp response, as far as the library that verifies it leaves something to do.

It drops fractions of seconds, so the time is read here. And it wants a SET OF sorted, as DER asks
for, while OpenSSL writes the certificates of a token in the order in which it was given them, and
real authorities with two or more do the same. No signature covers the order of that set (RFC 5652,
5.4: the content and the signed attributes are signed), so sorting it changes nothing that the token
says.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

SEQUENCE, INTEGER, OID, SET, CONTEXT_0 = 0x30, 0x02, 0x06, 0x31, 0xA0
OCTET_STRING, GENERALIZED_TIME = 0x04, 0x18
_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z")  # X.690, 11.7: no zeros at the end


class DerError(ValueError):
    """Not the DER that is expected here; the message says where."""


class Part(NamedTuple):
    """One element: its tag, where it starts, where its content starts and ends."""

    tag: int
    start: int
    content: int
    end: int


def parts(data: bytes, start: int, end: int) -> list[Part]:
    """The elements that lie one after another between two positions. Raises DerError."""
    found = []
    while start < end:
        part = _part(data, start, end)
        found.append(part)
        start = part.end
    return found


def _part(data: bytes, start: int, end: int) -> Part:
    if start + 2 > end or data[start] & 0x1F == 0x1F:
        raise DerError(f"no element with a short tag at byte {start}")
    size, content = data[start + 1], start + 2
    if size >= 0x80:
        digits = size & 0x7F
        if not 1 <= digits <= 4 or content + digits > end:
            raise DerError(f"no definite length at byte {start + 1}")
        size = int.from_bytes(data[content : content + digits], "big")
        content += digits
    if content + size > end:
        raise DerError(f"the element at byte {start} is longer than what holds it")
    return Part(data[start], start, content, content + size)


def _inside(data: bytes, outer: Part, *tags: int) -> list[Part]:
    """The elements of a constructed one, which has to begin with these tags."""
    found = parts(data, outer.content, outer.end)
    if [part.tag for part in found[: len(tags)]] != list(tags):
        raise DerError(f"the element at byte {outer.start} is not built as a token is")
    return found


def _signed_data(response: bytes) -> list[Part] | None:
    """The fields of the token's SignedData; None where the response has no token."""
    whole = parts(response, 0, len(response))
    if [part.tag for part in whole] != [SEQUENCE]:
        raise DerError("a time-stamp response is one SEQUENCE with nothing behind it")
    answer = _inside(response, whole[0], SEQUENCE)  # status, then the token where it was granted
    if len(answer) == 1:
        return None
    token = _inside(response, answer[1], OID, CONTEXT_0)  # RFC 5652, 3: ContentInfo
    signed = _inside(response, token[1], SEQUENCE)[0]
    # RFC 5652, 5.1: version, digestAlgorithms, encapContentInfo, certificates [0], …
    return _inside(response, signed, INTEGER, SET, SEQUENCE)


def with_sorted_certificates(response: bytes) -> bytes:
    """The same TimeStampResp (RFC 3161, 2.4.2) with its certificates sorted. Raises DerError."""
    fields = _signed_data(response)
    if fields is None or len(fields) < 4 or fields[3].tag != CONTEXT_0:
        return response
    certificates = fields[3]
    members = parts(response, certificates.content, certificates.end)
    ordered = sorted(response[one.start : one.end] for one in members)
    return response[: certificates.content] + b"".join(ordered) + response[certificates.end :]


def gen_time(response: bytes) -> int:
    """The token's genTime (RFC 3161, 2.4.2) in nanoseconds since 1970. Raises DerError."""
    fields = _signed_data(response)
    if fields is None:
        raise DerError("the response has no token")
    content = _inside(response, fields[2], OID, CONTEXT_0)[1]
    text = _inside(response, content, OCTET_STRING)[0]
    info = parts(response, text.content, text.end)
    if len(info) != 1:
        raise DerError("the token's content is not one TSTInfo")
    # version, policy, messageImprint, serialNumber, genTime
    tags = (INTEGER, OID, SEQUENCE, INTEGER, GENERALIZED_TIME)
    stated = _inside(response, info[0], *tags)[4]
    return parse_time(response[stated.content : stated.end])


def parse_time(text: bytes) -> int:
    """A GeneralizedTime as DER has it, in nanoseconds since 1970. Raises DerError."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise DerError("genTime is not written YYYYMMDDhhmmss[.fraction]Z")
    try:
        moment = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as exc:
        raise DerError(f"genTime is no time: {exc}") from exc
    return int(moment.timestamp()) * 10**9 + int((match[2] or b"0").ljust(9, b"0"))
