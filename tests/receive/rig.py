"""Both doors in this process, in front of a real ledger in a box; the oracle looks at it last."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc

from audit_receiver.ledger.appender import Appender, LedgerSettings
from audit_receiver.otlp.codec import Limits
from audit_receiver.receive.admission import Admission
from audit_receiver.receive.budget import Budget
from audit_receiver.receive.grpc_server import GrpcServer
from audit_receiver.receive.http_server import HttpServer
from audit_receiver.receive.intake import Intake, deliver_to
from audit_receiver.receive.listening import Place
from audit_receiver.record.normalise import Vocabulary
from audit_receiver.record.select import Rule
from tests.kit.lab import LedgerLab

LOCAL = "127.0.0.1"


class Rig:
    """A lab whose appender is open, and the doors in front of it."""

    def __init__(self, lab: LedgerLab, budget: Budget, http: HttpServer, rpc: GrpcServer) -> None:
        self.lab = lab
        self.budget = budget
        self.http = http
        self.rpc = rpc
        self.http_port = 0
        self.rpc_port = 0
        self.session: aiohttp.ClientSession = None  # type: ignore[assignment]
        self.channel: Any = None

    @property
    def vkey(self) -> str:
        """The verifier key, as it stands beside the ledger."""
        return self.lab.path.with_suffix(".vkey").read_text().strip()

    def stored(self) -> int:
        """How many records of senders are durable."""
        rows = self.lab.rows("SELECT count(*) FROM entry WHERE kind <> 'ledger'")
        return int(rows[0][0])

    async def wait_for(self, condition: Any, seconds: float = 10.0) -> None:
        """Let the loop run until `condition()` holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def rig(
    directory: Path,
    *,
    max_bytes: int = 1 << 20,
    in_flight: int = 1 << 24,
    deadline_seconds: float = 10.0,
    drain_seconds: float = 0.5,
    headers: tuple[str, ...] = ("x-audit-pipeline",),
    **settings: Any,
) -> AsyncIterator[Rig]:
    """Open ledger and doors; close them in the service's order; ask the oracle."""
    lab = LedgerLab(directory, **settings)
    lab.appender = Appender.open(
        LedgerSettings(**lab._settings),
        lab.clock.clock(),
        lab.witness,
        deliver_to(asyncio.get_running_loop()),
    )
    budget = Budget(in_flight)
    intake = Intake(lab.appender, Rule(), Vocabulary(), budget, deadline_seconds)
    limits = Limits(max_bytes, 1000)
    opened = Rig(
        lab,
        budget,
        HttpServer(intake, limits, Admission("http", headers), drain_seconds),
        GrpcServer(intake, limits, Admission("grpc", headers)),
    )
    opened.http_port = (await opened.http.start([Place(LOCAL, 0)]))[0].port
    opened.rpc_port = (await opened.rpc.start([Place(LOCAL, 0)]))[0].port
    opened.session = aiohttp.ClientSession(auto_decompress=False)
    opened.channel = grpc.aio.insecure_channel(f"{LOCAL}:{opened.rpc_port}")
    try:
        yield opened
    finally:
        await opened.session.close()
        await opened.channel.close()
        await opened.http.stop()
        await opened.rpc.stop(drain_seconds)
        await asyncio.to_thread(lab.discard)
    assert budget.used_bytes == 0, "everything that was taken was given back"
    lab.check()
