"""Content codings undone: gzip, deflate, zlib, zstd, snappy, lz4, never beyond a limit.

Bounded in memory and time, however a body is built: output comes in steps and is counted, a body
has at most so many frames, a declared length or window is looked at before anything is made for it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import cramjam
import lz4.frame
from backports import zstd
from isal import igzip_lib

from audit_receiver.errors import MalformedRequest, RequestTooLarge, UnsupportedEncoding

CODINGS = ("gzip", "deflate", "zlib", "zstd", "snappy", "x-snappy-framed", "lz4")

_STEP = 1 << 20  # of output, and of input in the long run
_FIRST_WINDOW = 1 << 10  # what is left of a window is copied: small ones for small frames
_FRAMES = 10_000
_ZSTD_WINDOW_LOG = 25  # 32 MiB, the largest that the encoders of Go choose by themselves

_SNAPPY_MAGIC = b"\xff\x06\x00\x00sNaPpY"
_SNAPPY_FRAME = 1 << 16  # what one chunk may hold (framing_format.txt, 4.2)
_SNAPPY_DATA = (0x00, 0x01)  # compressed, uncompressed; below 0x80 no other may be skipped


_Open = Callable[[], Any]  # a decoder of one frame, as bz2, lzma and zstd of the standard library


class _Broken(Exception):
    """The body is not what its coding says."""


def inflate(body: bytes, coding: str, max_bytes: int) -> bytes:
    """The body without its content coding.

    Args:
        body: as it came.
        coding: the value of Content-Encoding, in any case; "" and "identity" are none.
        max_bytes: the most that may come out.

    Raises:
        UnsupportedEncoding: a coding that is not served, or more than one.
        MalformedRequest: not of that coding: wrong header, checksum or length, cut short, empty.
        RequestTooLarge: more than `max_bytes` would come out, or more frames than anybody sends.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    require_served(coding)
    if not body:
        raise MalformedRequest(f"{name}: the body is empty")
    undo, errors = _CODERS[name]
    try:
        return undo(body, max_bytes)
    except errors as error:
        raise MalformedRequest(f"{name}: {error}") from None


def require_served(coding: str) -> None:
    """Raises UnsupportedEncoding for a coding that is not served, or more than one."""
    name = coding.strip().lower()
    if name not in ("", "identity") and name not in _CODERS:
        raise UnsupportedEncoding(
            f"content encoding {_quoted(coding)} is not supported; send none, or one of"
            f" {', '.join(CODINGS)}"
        )


def _frames(body: bytes, opened: _Open, max_bytes: int) -> bytes:
    """All frames of a stream, in bounded steps of input and output."""
    view = memoryview(body)
    pieces: list[bytes] = []
    left, position, frames = max_bytes, 0, 0
    while position < len(view):
        frames += 1
        if frames > _FRAMES:
            raise RequestTooLarge(f"the body has more than {_FRAMES} compressed frames")
        decoder, window = opened(), _FIRST_WINDOW
        while not decoder.eof:
            given = bytes(view[position : position + window]) if decoder.needs_input else b""
            position += len(given)
            window = min(window * 2, _STEP)
            piece = decoder.decompress(given, min(_STEP, left + 1))
            left -= len(piece)
            if left < 0:
                raise _too_large(max_bytes)
            pieces.append(piece)
            if not (piece or given or decoder.eof):
                raise _Broken("the compressed body is cut short")
        position -= len(decoder.unused_data or b"")
    return b"".join(pieces)


def _snappy(body: bytes, max_bytes: int) -> bytes:
    """A block, whose declared length is looked at first; or chunks that some call by that name."""
    if body.startswith(_SNAPPY_MAGIC):
        return _snappy_framed(body, max_bytes)
    if cramjam.snappy.decompress_raw_len(body) > max_bytes:
        raise _too_large(max_bytes)
    return bytes(cramjam.snappy.decompress_raw(body))


def _snappy_framed(body: bytes, max_bytes: int) -> bytes:
    """Chunk by chunk (framing_format.txt), since a decoder of the whole knows no limit."""
    if not body.startswith(_SNAPPY_MAGIC):
        raise _Broken("the body does not begin with a stream identifier")
    view = memoryview(body)
    pieces: list[bytes] = []
    left, position, chunks = max_bytes, 0, 0
    while position < len(view):
        if position + 4 > len(view):
            raise _Broken("a chunk is cut short")
        kind = view[position]
        end = position + 4 + int.from_bytes(view[position + 1 : position + 4], "little")
        if end > len(view):
            raise _Broken("a chunk is cut short")
        chunks += 1
        if chunks > _FRAMES:
            raise RequestTooLarge(f"the body has more than {_FRAMES} chunks")
        if kind in _SNAPPY_DATA:
            if kind == 0x00 and cramjam.snappy.decompress_raw_len(view[position + 8 : end]) > (
                _SNAPPY_FRAME
            ):
                raise _Broken("a chunk declares more than 65536 bytes")
            piece = bytes(cramjam.snappy.decompress(_SNAPPY_MAGIC + bytes(view[position:end])))
            left -= len(piece)
            if left < 0:
                raise _too_large(max_bytes)
            pieces.append(piece)
        elif kind < 0x80:
            raise _Broken(f"a chunk of the reserved type {kind:#04x}")
        elif kind == 0xFF and view[position:end] != _SNAPPY_MAGIC:
            raise _Broken("a stream identifier that is none")
        position = end
    return b"".join(pieces)


def _gzip(body: bytes, max_bytes: int) -> bytes:
    return _frames(body, partial(igzip_lib.IgzipDecompressor, igzip_lib.DECOMP_GZIP), max_bytes)


def _zlib(body: bytes, max_bytes: int) -> bytes:
    return _frames(body, partial(igzip_lib.IgzipDecompressor, igzip_lib.DECOMP_ZLIB), max_bytes)


def _deflate(body: bytes, max_bytes: int) -> bytes:
    """RFC 9110, 8.4.1.2: a zlib stream; some senders leave the zlib part away."""
    # RFC 1950, 2.2: method 8, and the first two bytes are a multiple of 31.
    if body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0:
        return _zlib(body, max_bytes)
    return _frames(body, partial(igzip_lib.IgzipDecompressor, igzip_lib.DECOMP_DEFLATE), max_bytes)


def _zstd(body: bytes, max_bytes: int) -> bytes:
    options: Any = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    return _frames(body, partial(zstd.ZstdDecompressor, options=options), max_bytes)


def _lz4(body: bytes, max_bytes: int) -> bytes:
    return _frames(body, lz4.frame.LZ4FrameDecompressor, max_bytes)


_IsalError: Any = igzip_lib.IsalError  # its stub says that it is an instance
_Coder = tuple[Callable[[bytes, int], bytes], tuple[type[Exception], type[Exception]]]
_CODERS: dict[str, _Coder] = {
    "gzip": (_gzip, (_IsalError, _Broken)),
    "x-gzip": (_gzip, (_IsalError, _Broken)),
    "deflate": (_deflate, (_IsalError, _Broken)),
    "zlib": (_zlib, (_IsalError, _Broken)),
    "zstd": (_zstd, (zstd.ZstdError, _Broken)),
    "snappy": (_snappy, (cramjam.DecompressionError, _Broken)),
    "x-snappy-framed": (_snappy_framed, (cramjam.DecompressionError, _Broken)),
    "lz4": (
        _lz4,
        (RuntimeError, _Broken),
    ),  # of lz4's own making; there is nothing else of ours in there
}


def _too_large(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"the inflated request body is over the limit of {max_bytes} bytes; send smaller batches or"
        " raise max_request_body_size (HTTP)"
    )


def _quoted(text: str) -> str:
    """A header's value for a message: short and printable."""
    return repr(text[:80] + ("…" if len(text) > 80 else ""))
