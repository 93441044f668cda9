"""OTLP/HTTP: POST /v1/traces and /v1/logs, protobuf or JSON, plain or packed.

aiohttp's low-level server without router and middlewares: one handler, which answers every request
itself and lets no exception of ours become a 500, because a sender drops its data at that.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import LineTooLong

from audit_receiver.errors import LedgerBusy, RequestTooLarge, ShuttingDown
from audit_receiver.otlp import codec, receipt, status
from audit_receiver.otlp.codec import CONTENT_TYPE, Limits, Media
from audit_receiver.otlp.envelope import Signal
from audit_receiver.otlp.status import Answer
from audit_receiver.receive import listening
from audit_receiver.receive.admission import Admission, Peer
from audit_receiver.receive.budget import Share
from audit_receiver.receive.intake import Delivered, Intake
from audit_receiver.receive.listening import Place
from audit_receiver.receive.refusals import Refusal, Refusals
from audit_receiver.telemetry import REQUESTS

PATHS: dict[str, Signal] = {"/v1/logs": "logs", "/v1/traces": "traces"}
KEEP_ALIVE_SECONDS = 120.0  # longer than the 90 s of Go's client, so that it closes first
BODY_SECONDS = 60.0  # for a body to arrive
LINGERING_SECONDS = 2.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_SERVER = "audit-receiver"
_SUCCEEDED = REQUESTS.labels("http", "200")


class HttpServer:
    """The HTTP door."""

    def __init__(
        self,
        intake: Intake,
        limits: Limits,
        admission: Admission,
        drain_seconds: float = 10.0,
        tls: ssl.SSLContext | None = None,
        paths: Mapping[str, Signal] = PATHS,
    ) -> None:
        self._intake = intake
        self._limits = limits
        self._admission = admission
        self._tls = tls
        self._sockets: list[str] = []
        self._paths = paths
        self._signals = {**paths, **{f"{path}/": signal for path, signal in paths.items()}}
        self._refusals = intake.refusals
        self._closing = False
        # No access log and no decompression: the one costs time, the other answers 500.
        self._runner = web.ServerRunner(
            _Server(
                self._refusals,
                self._handle,
                access_log=None,
                auto_decompress=False,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                lingering_time=LINGERING_SECONDS,
            ),
            handle_signals=False,
            shutdown_timeout=drain_seconds,
        )

    async def start(self, places: Sequence[Place]) -> list[Place]:
        """Listen; returns where. Raises OSError if one of the places cannot be had."""
        await self._runner.setup()
        bound: list[Place] = []
        try:
            for place in places:
                bound += await self._listen(place)
        except BaseException:
            await self.stop()
            raise
        return bound

    async def _listen(self, place: Place) -> list[Place]:
        if place.path:
            listening.clear(place.path)
            await web.UnixSite(self._runner, place.path, ssl_context=self._tls).start()
            self._sockets.append(place.path)
            listening.open_to_group(place.path)
            return [place]
        before = len(self._runner.addresses)
        await web.TCPSite(
            self._runner, place.host, place.port, backlog=1024, ssl_context=self._tls
        ).start()
        ports = {address[1] for address in self._runner.addresses[before:]}
        return [place._replace(port=port) for port in sorted(ports)]

    async def stop(self) -> None:
        """Stop accepting, let requests in flight end, close idle connections."""
        self._closing = True
        await self._runner.cleanup()
        for path in self._sockets:
            listening.remove(path)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        media: Media | None = None
        try:
            signal = self._signals.get(request.path)
            if signal is None:
                return _refuse(self._refusals, request, status.not_found(request.path, self._paths))
            if request.method != "POST":
                return _refuse(self._refusals, request, status.method_not_allowed(request.method))
            media = codec.media_type(request.headers.get("Content-Type"))
            peer = self._admission.admit(request.headers, self._certificate(request))
            with self._intake.budget.share() as share:
                return await self._export(request, signal, media, peer, share)
        except (asyncio.CancelledError, _SenderGone):
            raise
        except Exception as error:
            return _refuse(self._refusals, request, error, media)

    def _certificate(self, request: web.BaseRequest) -> bytes | None:
        """The certificate that the client has shown, which TLS has verified."""
        if not self._admission.asks_for_certificates or request.transport is None:
            return None
        found = request.transport.get_extra_info("ssl_object")
        der: bytes | None = found.getpeercert(True) if found is not None else None
        return der

    async def _export(
        self, request: web.BaseRequest, signal: Signal, media: Media, peer: Peer, share: Share
    ) -> web.Response:
        if self._closing:
            raise ShuttingDown("the service is stopping; send again")
        delivered = Delivered(
            signal,
            media,
            await self._body(request, share),
            request.headers.get("Content-Encoding"),
            peer,
            self._limits,
        )
        outcome = await self._intake.receive(delivered, share)
        _SUCCEEDED.inc()
        return web.Response(
            body=status.success_body(media),
            headers={
                "Content-Type": CONTENT_TYPE[media],
                receipt.HTTP_HEADER: receipt.to_header(outcome.receipt),
                "Server": _SERVER,
            },
        )

    async def _body(self, request: web.BaseRequest, share: Share) -> bytes:
        """The whole body, never more than the limit; asked for only if it will be taken."""
        declared = request.content_length
        if declared is not None:
            self._refuse_if_too_large(declared)
            share.grow(declared)
        expects = request.headers.get("Expect", "").lower() == "100-continue"
        if expects and request.version >= HttpVersion11:  # RFC 9110, 10.1.1
            await request.writer.write(_CONTINUE)
            request.writer.output_size = 0
        content = request.content
        if declared == 0 and not request.body_exists:
            return b""
        try:
            if content.is_eof() and content.exception() is None:  # all of it came with the headers
                return await self._rest(content, declared is None, share)
            async with asyncio.timeout(BODY_SECONDS):
                return await self._rest(content, declared is None, share)
        except TimeoutError:
            raise LedgerBusy(
                f"the body did not arrive within {BODY_SECONDS:g} s; send again"
            ) from None
        except ConnectionError as exc:
            raise _SenderGone("the connection was lost before the body was complete") from exc

    async def _rest(self, content: Any, count: bool, share: Share) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await content.readany():
            pieces.append(piece)
            size += len(piece)
            self._refuse_if_too_large(size)
            if count:
                share.grow(len(piece))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _refuse_if_too_large(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise RequestTooLarge(
                f"the request body has {size} bytes or more, over the limit of"
                f" {self._limits.max_bytes} (max_request_body_size); send smaller batches"
            )


class _SenderGone(ConnectionError):
    """Nobody is there to be answered; aiohttp ends such connections quietly."""


class _Connection(web.RequestHandler):
    """aiohttp's side of one connection, with our answers where it would give its own."""

    refusals: Refusals

    async def shutdown(self, timeout: float | None = 0.0) -> None:
        """Let the request under way end, for so long at most; then the connection is cut.

        aiohttp alone would wait twice as long, and for ever if it is told 0.
        """
        try:
            async with asyncio.timeout(timeout):
                await super().shutdown(None)
        except TimeoutError:
            if self._task_handler is not None:
                self._task_handler.cancel()
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are not HTTP, and the last net under our own faults."""
        if isinstance(exc, _SenderGone) or request.writer.output_size > 0:
            raise ConnectionError("nobody can be answered any more") from exc
        if status == 400:
            words = f"this is not HTTP/1.1 as served here: {' '.join((message or '').split())}"
            code = 431 if isinstance(exc, LineTooLong) else 400
            response = _refuse(self.refusals, request, Answer(code, "INVALID_ARGUMENT", words))
        else:
            response = _refuse(self.refusals, request, exc or RuntimeError(message))
        response.force_close()
        return response


class _Server(web.Server):
    """Makes our connections; without aiohttp's way of dropping options that it does not know."""

    def __init__(self, refusals: Refusals, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._refusals = refusals

    def __call__(self) -> web.RequestHandler:
        connection = _Connection(self, loop=self._loop, **self._kwargs)
        connection.refusals = self._refusals
        return connection


def _refuse(
    refusals: Refusals,
    request: web.BaseRequest,
    why: Answer | BaseException,
    media: Media | None = None,
) -> web.Response:
    """The answer that is not a success, counted and told."""
    error = why if isinstance(why, BaseException) else None
    answer = why if isinstance(why, Answer) else status.answer(why)
    refusals.tell(
        Refusal("http", str(answer.http), request.remote or "", request.path, answer.message, error)
    )
    return _error(answer, media)


def _error(answer: Answer, media: Media | None) -> web.Response:
    code, headers, body = status.http_error(answer, media)
    return web.Response(status=code, headers={**headers, "Server": _SERVER}, body=body)
