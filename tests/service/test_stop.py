"""How the service ends: both doors at once, within the drain, whatever hangs (DESIGN 2)."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from audit_receiver import service
from audit_receiver.errors import LedgerFatal
from audit_receiver.ledger.async_reader import AsyncReader
from audit_receiver.receive.intake import Intake
from tests.kit import build
from tests.receive.doors import PROTOBUF, TRACES
from tests.receive.wire import head, wire
from tests.service.running import Running, is_open, running

DOORS = ("OTLP/gRPC", "OTLP/HTTP")


def span() -> bytes:
    data: bytes = build.request(build.span()).SerializeToString()
    return data


async def post(run: Running) -> int:
    url = f"http://127.0.0.1:{run.port('OTLP/HTTP')}/v1/traces"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=span(), headers=PROTOBUF) as answer,
    ):
        return answer.status


async def call(run: Running) -> Any:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{run.port('OTLP/gRPC')}") as channel:
        return await channel.unary_unary(TRACES)(span(), timeout=20).code()


class Waiting:
    """Requests that both doors have taken wait in the intake until `release`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered = 0
        self.gate = asyncio.Event()
        whole = Intake.receive

        async def receive(intake: Intake, *given: Any) -> Any:
            self.entered += 1
            await self.gate.wait()
            return await whole(intake, *given)

        monkeypatch.setattr(Intake, "receive", receive)

    async def until(self, number: int) -> None:
        async with asyncio.timeout(10):
            while self.entered < number:
                await asyncio.sleep(0.005)


def events(ledger: Path) -> list[str]:
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT action FROM entry WHERE kind = 'ledger' ORDER BY seq"
        ).fetchall()
    connection.close()
    return [action for (action,) in rows]


async def test_what_is_in_flight_is_stored_before_the_last_heartbeat_and_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(monkeypatch)
    async with running(tmp_path) as run:
        requests = [asyncio.create_task(post(run)), asyncio.create_task(call(run))]
        await waiting.until(2)
        run.terminate()
        await asyncio.sleep(0.1)
        assert not run.task.done(), "it waits for both"
        assert (await run.get("/healthz")).status == 200
        readiness = await run.get("/readyz")
        assert (readiness.status, readiness.body["reason"]) == (503, "shutting down")
        assert [is_open(run.port(door)) for door in DOORS] == [False, False]
        waiting.gate.set()
        assert [await request for request in requests] == [200, grpc.StatusCode.OK]
        assert await run.ended() == 0
    assert events(run.ledger)[-2:] == ["ledger.heartbeat", "ledger.stop"]
    assert run.lines[-1] == "stopped"
    assert not run.ledger.with_suffix(".sock").exists()
    assert not run.ledger.with_name("ledger.db-wal").exists(), "it left WAL mode"


@pytest.mark.parametrize(
    ("drain_seconds", "most_seconds"),
    [(0, 1.0), (1, 1.9)],  # one after the other they would take two drains; 0 is not "no limit"
    ids=["nothing", "a second"],
)
async def test_both_doors_together_take_no_longer_than_the_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drain_seconds: int, most_seconds: float
) -> None:
    waiting = Waiting(monkeypatch)
    over = {"ledger": {"drain": f"{drain_seconds}s"}}
    async with running(tmp_path, over) as run:
        requests = [asyncio.create_task(post(run)), asyncio.create_task(call(run))]
        await waiting.until(2)
        began = time.monotonic()
        run.terminate()
        assert await run.ended() == 0
        took = time.monotonic() - began
        assert drain_seconds <= took < most_seconds
        for request in requests:  # neither was acknowledged
            with pytest.raises((aiohttp.ClientError, AssertionError)):
                assert await request in (200, grpc.StatusCode.OK)


async def test_a_sender_in_the_middle_of_its_body_does_not_hold_the_stop(tmp_path: Path) -> None:
    async with (
        running(tmp_path, {"ledger": {"drain": "200ms"}}) as run,
        wire(run.port("OTLP/HTTP")) as line,
    ):
        await line.write(head(1000), b"\x0a")
        await asyncio.sleep(0.05)
        began = time.monotonic()
        run.terminate()
        assert await run.ended() == 0
        assert time.monotonic() - began < 1.5


async def test_a_probe_that_hangs_does_not_hold_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def never(_: AsyncReader) -> int:
        asked.set()
        await asyncio.sleep(3600)
        return 0

    monkeypatch.setattr(AsyncReader, "size", never)
    async with running(tmp_path, {"ledger": {"drain": "100ms"}}) as run:
        probe = asyncio.create_task(run.get("/readyz"))
        await asked.wait()
        began = time.monotonic()
        run.terminate()
        assert await run.ended() == 0
        assert time.monotonic() - began < 1
        with pytest.raises(aiohttp.ClientError):
            await probe


async def test_a_second_signal_during_the_drain_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(monkeypatch)
    async with running(tmp_path) as run:
        request = asyncio.create_task(post(run))
        await waiting.until(1)
        for _ in range(3):
            run.terminate()
            await asyncio.sleep(0.05)
        assert not run.task.done()
        waiting.gate.set()
        assert await request == 200
        assert await run.ended() == 0
    assert run.lines.count("stopping: finishing what is in flight") == 1
    assert events(run.ledger).count("ledger.stop") == 1


async def test_a_commit_that_leaves_the_file_unknown_ends_it_with_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    whole = service.Appender.open

    def keep(*given: Any) -> Any:
        opened.append(whole(*given))
        return opened[-1]

    def fail(*_: Any, **__: Any) -> None:
        raise LedgerFatal("COMMIT failed with an input/output error")

    monkeypatch.setattr(service.Appender, "open", keep)
    run = Running(tmp_path, {})
    try:
        await run.ready()
        await run.settled()
        pen = opened[0]._writer.pen
        monkeypatch.setattr(pen, "write", fail)
        assert await post(run) == 503, "answered, retryably, before the process ends"
        assert await run.ended() == 1
    finally:
        run.task.cancel()
        pen.connection.close()
        opened[0]._lock.release()
    assert "ledger.stop" not in events(run.ledger)


@pytest.mark.parametrize("stuck", [False, True])
async def test_the_writer_has_what_the_doors_left_of_the_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stuck: bool
) -> None:
    waiting = Waiting(monkeypatch)
    given: list[float] = []
    whole = service.Appender.close

    def close(appender: Any, drain_seconds: float) -> str:
        given.append(drain_seconds)
        return whole(appender, drain_seconds)

    monkeypatch.setattr(service.Appender, "close", close)
    over = {"ledger": {"drain": "300ms" if stuck else "5s"}}
    async with running(tmp_path, over) as run:
        request = asyncio.create_task(post(run)) if stuck else None
        await waiting.until(1 if stuck else 0)
        run.terminate()
        assert await run.ended() == 0
        if request is not None:
            with pytest.raises(aiohttp.ClientError):
                await request
    [seconds] = given
    assert seconds == 0 if stuck else 2 < seconds <= 5
