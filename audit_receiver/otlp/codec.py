"""Body bytes to an opened request: media type, content coding, protobuf or JSON. No socket here."""

from dataclasses import dataclass
from typing import Literal

from audit_receiver.errors import RequestTooLarge, UnsupportedMediaType
from audit_receiver.otlp import envelope, json_decoder
from audit_receiver.otlp.envelope import Request, Signal
from audit_receiver.otlp.inflate import inflate as undo

Media = Literal["protobuf", "json"]

CONTENT_TYPE: dict[Media, str] = {
    "protobuf": "application/x-protobuf",
    "json": "application/json",
}
_MEDIA: dict[str, Media] = {name: media for media, name in CONTENT_TYPE.items()}


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
        UnsupportedEncoding, MalformedRequest, RequestTooLarge: as `otlp.inflate.inflate`.
    """
    if len(body) > limits.max_bytes:
        raise RequestTooLarge(
            f"the request body is over the limit of {limits.max_bytes} bytes; send smaller batches"
            " or raise max_request_body_size (HTTP) or max_recv_msg_size_mib (gRPC)"
        )
    return undo(body, content_encoding, limits.max_bytes) if content_encoding else body


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


def _quoted(text: str) -> str:
    """A header's value for a message: short and printable."""
    return repr(text[:80] + ("…" if len(text) > 80 else ""))
