"""Both doors in this process, in front of an appender that a test can make misbehave."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import aiohttp
import grpc

from audit_receiver.ledger.appender import Appended, Done, Tip
from audit_receiver.otlp.codec import Limits
from audit_receiver.receive.admission import Admission
from audit_receiver.receive.budget import Budget
from audit_receiver.receive.grpc_server import GrpcServer
from audit_receiver.receive.http_server import HttpServer
from audit_receiver.receive.intake import Intake
from audit_receiver.receive.listening import Place
from audit_receiver.record.model import Draft
from audit_receiver.record.normalise import Vocabulary
from audit_receiver.record.select import Rule

TIP = Tip(7, b"r" * 32, b"s" * 64, 0xABCD, "test/0", 6)
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
HEADERS = ("x-audit-pipeline",)


class StandIn:
    """Takes what an Appender takes; `submit` does what the test puts into `behave`."""

    tip = TIP

    def __init__(self) -> None:
        self.behave: Callable[[Sequence[Draft], Done], None] = self.store
        self.submitted: list[Sequence[Draft]] = []
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.counts: dict[str, int] = {}
        self.noted: dict[str, tuple[int, int]] = {}

    def submit(self, drafts: Sequence[Draft], done: Done, _exact: bool = False) -> None:
        self.submitted.append(drafts)
        self.behave(drafts, done)

    def store(self, drafts: Sequence[Draft], done: Done) -> None:
        done(Appended(7, 6 + len(drafts), len(drafts), 0, 0, TIP))

    def store_later(self, seconds: float) -> None:
        """From now on, answer from another thread after so long, as the writer does."""
        loop = asyncio.get_running_loop()

        def behave(drafts: Sequence[Draft], done: Done) -> None:
            result = Appended(7, 6 + len(drafts), len(drafts), 0, 0, TIP)
            timer = threading.Timer(seconds, _tell, (loop, done, result))
            timer.daemon = True
            timer.start()

        self.behave = behave

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        self.told.append((event, fields))

    def note(self, service: str, received: int = 0, skipped: int = 0) -> None:
        before = self.noted.get(service, (0, 0))
        self.noted[service] = (before[0] + received, before[1] + skipped)

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number


def _tell(loop: asyncio.AbstractEventLoop, done: Done, result: Appended) -> None:
    with suppress(RuntimeError):  # the test, and its loop, are over
        loop.call_soon_threadsafe(done, result)


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Doors:
    """Two running doors and clients for them."""

    def __init__(
        self,
        stand_in: StandIn,
        intake: Intake,
        http: HttpServer,
        rpc: GrpcServer,
        port: int,
        session: aiohttp.ClientSession,
        channel: Any,
    ) -> None:
        self.stand_in = stand_in
        self.intake = intake
        self.http = http
        self.rpc = rpc
        self.port = port
        self.session = session
        self.channel = channel

    async def post(
        self,
        data: Any,
        path: str = "/v1/traces",
        headers: Mapping[str, str] = PROTOBUF,
        method: str = "POST",
    ) -> Reply:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(
            method, url, data=data, headers=headers, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def call(self, data: bytes, method: str = TRACES, timeout: float = 10) -> Any:
        """The finished gRPC call: code(), trailing_metadata(), and the answer or None."""
        call = self.channel.unary_unary(method)(data, timeout=timeout)
        with suppress(grpc.aio.AioRpcError):
            await call
        return call


@asynccontextmanager
async def doors(
    max_bytes: int = 1 << 20, in_flight: int = 1 << 22, deadline_seconds: float = 4.0
) -> AsyncIterator[Doors]:
    """Open both doors on free ports; close them in the end."""
    stand_in = StandIn()
    intake = Intake(stand_in, Rule(), Vocabulary(), Budget(in_flight), deadline_seconds)  # type: ignore[arg-type]
    limits = Limits(max_bytes, 1000)
    http = HttpServer(intake, limits, Admission("http", HEADERS), drain_seconds=0)
    rpc = GrpcServer(intake, limits, Admission("grpc", HEADERS))
    [opened] = await http.start([Place("127.0.0.1")])
    [rpc_place] = await rpc.start([Place("127.0.0.1")])
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{rpc_place.port}")
    session = aiohttp.ClientSession(auto_decompress=False)
    try:
        yield Doors(stand_in, intake, http, rpc, opened.port, session, channel)
    finally:
        await session.close()
        await channel.close()
        await rpc.stop(0)
        await http.stop()
