"""A receiver that does nothing: the same server libraries, the request read and thrown away.

`python -m bench.null HTTP_ENDPOINT GRPC_ENDPOINT` answers until SIGTERM. What the load reaches
here is more than any receiver on these libraries can do, and shows that the load is not the limit.
"""

import asyncio
import signal
import sys

import grpc
import uvloop
from aiohttp import web


async def _post(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(content_type="application/x-protobuf")


class _Export(grpc.GenericRpcHandler):
    def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._export)

    @staticmethod
    async def _export(_: bytes, __: grpc.aio.ServicerContext) -> bytes:
        return b""


async def serve(http_endpoint: str, grpc_endpoint: str) -> None:
    """Answer both until SIGTERM."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v1/traces", _post)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    host, port = http_endpoint.rsplit(":", 1)
    await web.TCPSite(runner, host, int(port)).start()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((_Export(),))
    server.add_insecure_port(grpc_endpoint)
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await stop.wait()
    await server.stop(None)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:3]))
