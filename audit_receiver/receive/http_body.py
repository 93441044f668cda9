"""The body of one HTTP request: asked for only if it will be taken, counted as it arrives."""

import asyncio
from typing import Any

from aiohttp import HttpVersion11, web

from audit_receiver.errors import LedgerBusy, MalformedRequest, RequestTooLarge
from audit_receiver.otlp.codec import Limits
from audit_receiver.otlp.inflate import require_served
from audit_receiver.receive.budget import Share

SECONDS = 60.0  # for a body to arrive
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class SenderGone(ConnectionError):
    """Nobody is there to be answered; aiohttp ends such connections quietly."""


class BrokenFraming(MalformedRequest):
    """Where the body ends cannot be told, so nothing more can be read from this connection."""


async def read(request: web.BaseRequest, limits: Limits, share: Share) -> bytes:
    """The whole body, never more than the limit.

    Raises:
        RequestTooLarge: it is, or says that it will be, over the limit.
        LedgerBusy: the in-flight budget has no room for it, or it did not arrive in time.
        UnsupportedEncoding: it would have been asked for in vain.
        BrokenFraming: it is not chunked as it says.
        SenderGone: the connection was lost.
    """
    declared = request.content_length
    if declared is not None:
        _refuse_if_too_large(declared, limits)
    content = request.content
    if content.is_eof() and content.exception() is None:  # all of it came with the headers
        whole: bytes = content.read_nowait()
        _refuse_if_too_large(len(whole), limits)
        share.grow(len(whole))
        return whole
    if declared is not None:
        share.foresee(declared)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await _invite(request)
    try:
        async with asyncio.timeout(SECONDS):
            return await _rest(content, limits, share)
    except TimeoutError:
        raise LedgerBusy(f"the body did not arrive within {SECONDS:g} s; send again") from None
    except ConnectionError as exc:
        raise SenderGone("the connection was lost before the body was complete") from exc


async def _invite(request: web.BaseRequest) -> None:
    """Say 100 Continue (RFC 9110, 10.1.1), but not to what will be refused whatever it holds."""
    require_served(request.headers.get("Content-Encoding", ""))
    if request.version >= HttpVersion11:
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0


async def _rest(content: Any, limits: Limits, share: Share) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := await content.readany():
        pieces.append(piece)
        size += len(piece)
        _refuse_if_too_large(size, limits)
        share.grow(len(piece))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _refuse_if_too_large(size: int, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise RequestTooLarge(
            f"the request body has {size} bytes or more, over the limit of"
            f" {limits.max_bytes} (max_request_body_size); send smaller batches"
        )
