"""The service in this process: real doors, a real ledger, and the signals that end it."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from audit_receiver.config.model import Config
from audit_receiver.service import _Service
from tests.kit.lab import check
from tests.kit.server import merged

ANY_PORT = {"endpoint": "127.0.0.1:0"}
PATIENCE_SECONDS = 15.0


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    body: Any


class Running:
    """One run of the service, as `serve` would start it."""

    def __init__(self, folder: Path, over: dict[str, Any]) -> None:
        self.ledger = folder / "data" / "ledger.db"
        base = {
            "receivers": {"otlp": {"protocols": {"grpc": ANY_PORT, "http": ANY_PORT}}},
            "ledger": {"path": str(self.ledger), "disk_reserve": 0, "drain": "5s"},
            "anchors": {"file": {"path": str(folder / "anchor" / "checkpoints.txt")}},
            "telemetry": {"health": ANY_PORT, "metrics": ANY_PORT},
        }
        self.config = Config.model_validate(merged(base, over))
        self.lines: list[str] = []
        self.service = _Service(self.config, self.lines.append, False)
        self.task = asyncio.create_task(self.service.serve())

    def port(self, what: str) -> int:
        """The port that `OTLP/gRPC`, `OTLP/HTTP`, `health` or `metrics` has announced."""
        found = re.search(rf"^{what} on 127\.0\.0\.1:(\d+)", "\n".join(self.lines), re.MULTILINE)
        assert found is not None, self.lines
        return int(found.group(1))

    async def ready(self) -> None:
        """Wait for the line `ready`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "ready" not in self.lines:
                assert not self.task.done(), (self.lines, self.task)
                await asyncio.sleep(0.005)

    def terminate(self) -> None:
        """SIGTERM, as a supervisor sends it."""
        os.kill(os.getpid(), signal.SIGTERM)

    async def settled(self) -> None:
        """Wait until genesis, start, config and anchor are written: then it is idle for long."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.get("/readyz")).body.get("entries") != 4:
                await asyncio.sleep(0.02)

    async def ended(self) -> int:
        """Wait for the end; the exit code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.task

    async def get(self, path: str) -> Reply:
        """GET of `/healthz`, `/readyz` or `/metrics` at its own endpoint."""
        port = self.port("metrics" if path == "/metrics" else "health")
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}") as answer,
        ):
            json = answer.content_type == "application/json"
            return Reply(answer.status, await (answer.json() if json else answer.text()))


@asynccontextmanager
async def running(folder: Path, over: dict[str, Any] | None = None) -> AsyncIterator[Running]:
    """A service that is ready; stopped in the end if it still runs, and the oracle looks."""
    run = Running(folder, over or {})
    try:
        await run.ready()
        yield run
        if not run.task.done():
            run.terminate()
        await run.ended()
    finally:
        run.task.cancel()
    check(run.ledger)


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
