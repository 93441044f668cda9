"""What stands in front of a receiver and gets in the way: a door that refuses, or answers too late.

Everything that is let through reaches the real receiver as it came, byte for byte.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import aiohttp
import grpc
from aiohttp import web
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from tests.kit.server import free_port

_KEPT = ("Content-Type", "Content-Encoding", "X-Audit-Pipeline")


class Fault:
    """A front to both doors of a receiver.

    Args:
        http, grpc_endpoint: the receiver's own doors.
        refusals: how many requests are answered 503 / UNAVAILABLE before any is let through.
        delays: how many answers are held back, each for `delay_seconds`.
        pace_seconds: what every request takes at least, so that a load lasts.
    """

    def __init__(
        self,
        http: str,
        grpc_endpoint: str,
        refusals: int = 0,
        delays: int = 0,
        delay_seconds: float = 0,
        pace_seconds: float = 0,
    ) -> None:
        self.http, self.grpc = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self._behind = (http, grpc_endpoint)
        self.refusals, self.delays, self._delay_seconds = refusals, delays, delay_seconds
        self._pace_seconds = pace_seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Fault":
        self._thread.start()
        self._wait(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_as_coroutine(work), self._loop).result(30)

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.ServerRunner(web.Server(self._http_request, auto_decompress=False))
        await self._runner.setup()
        host, port = self.http.split(":")
        await web.TCPSite(self._runner, host, int(port)).start()
        self._channel = grpc.aio.insecure_channel(self._behind[1])
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((_Any(self._grpc_call),))
        self._server.add_insecure_port(self.grpc)
        await self._server.start()

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._server.stop(0)
        await self._channel.close()
        await self._session.close()

    async def _late(self) -> None:
        if self.delays > 0:
            self.delays -= 1
            await asyncio.sleep(self._delay_seconds)

    async def _http_request(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if self.refusals > 0:
            self.refusals -= 1
            return web.Response(status=503, headers={"Retry-After": "1"})
        headers = {name: request.headers[name] for name in _KEPT if name in request.headers}
        url = f"http://{self._behind[0]}{request.path}"
        await asyncio.sleep(self._pace_seconds)
        try:
            async with self._session.post(url, data=body, headers=headers) as answer:
                text = await answer.read()
                kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        except aiohttp.ClientError:  # the receiver was killed: so ends this connection
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError from None
        await self._late()
        return web.Response(status=answer.status, body=text, headers=kept)

    async def _grpc_call(self, method: str, body: bytes, context: Any) -> bytes:
        if self.refusals > 0:
            self.refusals -= 1
            retry = RetryInfo(retry_delay=Duration(seconds=1)).SerializeToString()
            await context.abort(
                grpc.StatusCode.UNAVAILABLE,
                "later",
                trailing_metadata=(("google.rpc.retryinfo-bin", retry),),
            )
        await asyncio.sleep(self._pace_seconds)
        try:
            answer: bytes = await self._channel.unary_unary(method)(body, timeout=30)
        except grpc.aio.AioRpcError as error:  # as its own channel would tell the sender
            await context.abort(error.code(), error.details(), tuple(error.trailing_metadata()))
        await self._late()
        return answer


class _Any(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Every method, as bytes."""

    def __init__(self, call: Callable[[str, bytes, Any], Awaitable[bytes]]) -> None:
        self._call = call

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method

        async def handle(body: bytes, context: Any) -> bytes:
            return await self._call(method, body, context)

        return grpc.unary_unary_rpc_method_handler(handle)


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work
