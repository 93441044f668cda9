"""Body bytes to an opened request: media type, content coding, protobuf or JSON. No socket here."""

from dataclasses import dataclass
from typing import Any, Literal

from isal import isal_zlib

from audit_receiver.errors import (
    MalformedRequest,
    RequestTooLarge,
    UnsupportedEncoding,
    UnsupportedMediaType,
)
from audit_receiver.otlp import envelope, json_decoder
from audit_receiver.otlp.envelope import Request, Signal

Media = Literal["protobuf", "json"]

CONTENT_TYPE: dict[Media, str] = {
    "protobuf": "application/x-protobuf",
    "json": "application/json",
}
_MEDIA: dict[str, Media] = {name: media for media, name in CONTENT_TYPE.items()}

_GZIP_WINDOW = 31  # zlib's wbits for "gzip header and trailer required"
_GzipError: Any = isal_zlib.error  # its stub says that it is an instance
_STEP = 1 << 20
_FIRST_WINDOW = 1 << 10
_MEMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be."""

    max_bytes: int  # before and after inflating
    items: int  # spans, log records and their envelopes
    nesting: int = 64  # AnyValue levels


def media_type(content_type: str | None) -> Media:
    """The encoding that a Content-Type header names; parameters and case do not matter.

    Raises:
        UnsupportedMediaType: neither protobuf nor JSON, or no header.
    """
    essence = (content_type or "").partition(";")[0].strip().lower()
    try:
        return _MEDIA[essence]
    except KeyError:
        given = f"content type {_quoted(essence)}" if essence else "a request without content type"
        raise UnsupportedMediaType(
            f"{given} is not supported; send {' or '.join(_MEDIA)}"
        ) from None


def inflate(body: bytes, content_encoding: str | None, limits: Limits) -> bytes:
    """The body without its content coding, never more than `limits.max_bytes`.

    Raises:
        UnsupportedEncoding: a coding that is not served, or more than one.
        MalformedRequest: not gzip: wrong header, checksum or length, cut short, empty.
        RequestTooLarge: over the limit, before or after inflating.
    """
    coding = (content_encoding or "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise UnsupportedEncoding(
            f"content encoding {_quoted(coding)} is not supported; send gzip or none"
        )
    if len(body) > limits.max_bytes:
        raise _too_large("the request body", limits)
    return _gunzip(body, limits) if coding.endswith("gzip") else body


def decode(signal: Signal, data: bytes, media: Media, limits: Limits) -> Request:
    """An export request out of an inflated body.

    The items of the request are parsed later, one at a time, by `walk`.

    Raises:
        MalformedRequest: it cannot be decoded; `field` names the place where that is known.
        RequestTooLarge: more than `limits.items` items and envelopes.
    """
    if media == "protobuf":
        return envelope.open_request(signal, data, limits.items, limits.nesting)
    return json_decoder.decode(signal, data, limits.items, limits.nesting)


def _gunzip(body: bytes, limits: Limits) -> bytes:
    """All members of a gzip stream (RFC 1952, 2.2), in bounded steps of input and output."""
    if not body:
        raise MalformedRequest("gzip: the body is empty")
    view = memoryview(body)
    pieces: list[bytes] = []
    left = limits.max_bytes
    position = members = 0
    while position < len(view):
        members += 1
        if members > _MEMBERS:
            raise RequestTooLarge(f"gzip: the body has more than {_MEMBERS} members")
        member = isal_zlib.decompressobj(_GZIP_WINDOW)
        window = _FIRST_WINDOW  # what is left of a window is copied: small ones for small members
        while not member.eof:
            given = view[position : position + window]
            try:
                piece = member.decompress(given, min(_STEP, left + 1))
            except _GzipError as error:
                raise MalformedRequest(f"gzip: {error}") from None
            left -= len(piece)
            if left < 0:
                raise _too_large("the inflated request body", limits)
            pieces.append(piece)
            position += len(given) - len(member.unused_data or member.unconsumed_tail)
            window = min(window * 2, _STEP)
            if not (piece or given or member.eof):
                raise MalformedRequest("gzip: the body is cut short")
    return b"".join(pieces)


def _too_large(what: str, limits: Limits) -> RequestTooLarge:
    return RequestTooLarge(
        f"{what} is over the limit of {limits.max_bytes} bytes; send smaller batches or raise "
        "max_request_body_size (HTTP) or max_recv_msg_size_mib (gRPC)"
    )


def _quoted(text: str) -> str:
    """A header's value for a message: short and printable."""
    return repr(text[:80] + ("…" if len(text) > 80 else ""))
