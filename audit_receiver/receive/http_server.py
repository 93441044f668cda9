"""OTLP/HTTP: POST /v1/traces, /v1/logs and, if asked for, /v1/audit; protobuf or JSON.

aiohttp's low-level server without router and middlewares: one handler, which answers every request
itself and lets no exception of ours become a 500, because a sender drops its data at that.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import _ErrInfo

from audit_receiver.errors import ShuttingDown
from audit_receiver.otlp import codec, receipt, status
from audit_receiver.otlp.codec import CONTENT_TYPE, Limits, Media
from audit_receiver.otlp.status import Answer
from audit_receiver.receive import audit, http_body, keys, listening
from audit_receiver.receive.admission import Admission, Peer
from audit_receiver.receive.audit import Way
from audit_receiver.receive.budget import Share
from audit_receiver.receive.http_body import BrokenFraming, SenderGone
from audit_receiver.receive.intake import Delivered, Intake
from audit_receiver.receive.listening import Place
from audit_receiver.receive.refusals import Refusal, Refusals
from audit_receiver.telemetry import REQUESTS

PATHS: dict[str, Way] = {"/v1/logs": "logs", "/v1/traces": "traces"}
KEEP_ALIVE_SECONDS = 120.0  # longer than the 90 s of Go's client, so that it closes first
LINGERING_SECONDS = 2.0
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
        paths: Mapping[str, Way] = PATHS,
        told_keys: keys.Keys | None = None,
    ) -> None:
        self._intake = intake
        self._limits = limits
        self._admission = admission
        self._tls = tls
        self._sockets: list[str] = []
        self._paths = paths
        self._told_keys = told_keys
        self._ways = {**paths, **{f"{path}/": way for path, way in paths.items()}}
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
            way = self._ways.get(request.path)
            if self._told_keys is not None and request.path == keys.PATH:
                return await self._keys(request, self._told_keys)
            if way is None:
                return _refuse(self._refusals, request, status.not_found(request.path, self._paths))
            if request.method != "POST":
                return _refuse(self._refusals, request, status.method_not_allowed(request.method))
            media = codec.media_type(request.headers.get("Content-Type"))
            peer = self._admission.admit(request.headers, self._certificate(request))
            with self._intake.budget.share() as share:
                return await self._export(request, way, media, peer, share)
        except (asyncio.CancelledError, SenderGone):
            raise
        except Exception as error:
            response = _refuse(self._refusals, request, error, media)
            if isinstance(error, BrokenFraming):
                response.force_close()
            return response

    async def _keys(self, request: web.BaseRequest, told: keys.Keys) -> web.StreamResponse:
        if request.method != "GET":
            return _refuse(self._refusals, request, keys.NOT_GET)
        self._admission.admit(request.headers, self._certificate(request))
        return await keys.answer(request, told)

    def _certificate(self, request: web.BaseRequest) -> bytes | None:
        """The certificate that the client has shown, which TLS has verified."""
        if not self._admission.asks_for_certificates or request.transport is None:
            return None
        found = request.transport.get_extra_info("ssl_object")
        der: bytes | None = found.getpeercert(True) if found is not None else None
        return der

    async def _export(
        self, request: web.BaseRequest, way: Way, media: Media, peer: Peer, share: Share
    ) -> web.Response:
        if self._closing:
            raise ShuttingDown("the service is stopping; send again")
        delivered = Delivered(
            audit.signal_of(way),
            media,
            await http_body.read(request, self._limits, share),
            request.headers.get("Content-Encoding"),
            peer,
            self._limits,
            way == "audit",
        )
        outcome = await self._intake.receive(delivered, share)
        _SUCCEEDED.inc()
        return web.Response(
            body=status.success_body(media) if way != "audit" else audit.answer(media, outcome),
            headers={
                "Content-Type": CONTENT_TYPE[media],
                receipt.HTTP_HEADER: receipt.to_header(outcome.receipt),
                "Server": _SERVER,
            },
        )


class _Connection(web.RequestHandler):
    """aiohttp's side of one connection, with our answers where it would give its own."""

    refusals: Refusals

    def data_received(self, data: bytes) -> None:
        """Bytes of requests; a body that turns out to be broken is told to who waits for it.

        aiohttp would let it wait, and answer in the place of the next request.
        """
        super().data_received(data)
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            self._tell_reader(self._messages[-1][0].message)

    def _tell_reader(self, message: str) -> None:
        if len(self._messages) > 1:
            content = self._messages[-2][1]
        elif self._current_request is not None:
            content = self._current_request.content
        else:
            return
        if not content.is_eof():
            words = " ".join(message.split())
            content.set_exception(BrokenFraming(f"the body is not chunked as it says: {words}"))
            content.feed_eof()

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
        if isinstance(exc, SenderGone) or request.writer.output_size > 0:
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
    code, remote = str(answer.http), request.remote
    peer = "unix" if remote == "" else remote or ""  # aiohttp knows no name for a Unix socket
    refusals.tell(Refusal("http", code, peer, request.path, answer.message, error))
    return _error(answer, media)


def _error(answer: Answer, media: Media | None) -> web.Response:
    code, headers, body = status.http_error(answer, media)
    return web.Response(status=code, headers={**headers, "Server": _SERVER}, body=body)
