"""How the service starts: in an order that people can read, whole or not at all."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from audit_receiver import __version__
from audit_receiver.ledger import lock
from tests.kit.lab import check
from tests.service.running import Running, is_open, running


def at(place: str, port: int) -> dict[str, Any]:
    """A configuration that puts one endpoint on this port."""
    endpoint = {"endpoint": f"127.0.0.1:{port}"}
    if place in ("grpc", "http"):
        return {"receivers": {"otlp": {"protocols": {place: endpoint}}}}
    return {"telemetry": {place: endpoint}}


async def test_it_says_what_it_opened_and_ready_last(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        first_words = [line.split(" ")[0] for line in run.lines]
        assert first_words == [
            *("audit-receiver", "ledger", "verifier", "health", "metrics"),
            *("OTLP/gRPC", "OTLP/HTTP", "ready"),
        ]
        assert run.lines[0] == f"audit-receiver {__version__}"
        assert "created" in run.lines[1]
        for what in ("health", "metrics", "OTLP/gRPC", "OTLP/HTTP"):
            assert is_open(run.port(what))


@pytest.mark.parametrize("place", ["grpc", "http", "health", "metrics"])
async def test_a_port_in_use_stops_the_start_and_everything_is_let_go(
    tmp_path: Path, place: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = Running(tmp_path, at(place, port))
        assert await run.ended() == 2
        [told] = [line for line in run.lines if str(port) in line]
        assert told.startswith("audit-receiver: ")
        assert "Stop what uses it or change the endpoint" in told
        assert "ready" not in run.lines
        for line in run.lines:
            if " on 127.0.0.1:" in line:
                assert not is_open(run.port(line.split(" on ")[0])), line
        assert not run.ledger.with_suffix(".sock").exists()
        assert not lock.is_held(run.ledger.with_suffix(".lock"))
        check(run.ledger)
    async with running(tmp_path) as again:
        assert "opened" in again.lines[1], "the next start goes on with the same ledger"


async def test_something_else_in_the_sockets_place_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sock").write_text("not a socket")
    run = Running(tmp_path, {})
    assert await run.ended() == 2
    assert "is not a socket; move it away" in run.lines[-2]
    assert (tmp_path / "data" / "ledger.sock").read_text() == "not a socket"
    assert not lock.is_held(run.ledger.with_suffix(".lock"))


async def test_a_signal_before_it_is_ready_ends_it_cleanly(tmp_path: Path) -> None:
    run = Running(tmp_path, {})
    await asyncio.sleep(0)  # its first step: the signals are its own from now on
    run.terminate()
    assert await run.ended() == 0
    assert run.lines[-1] == "stopped"
    check(run.ledger)


async def test_the_supervisor_is_told_when_it_is_ready_and_when_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        async with running(tmp_path):
            assert supervisor.recv(100) == b"READY=1"
        assert supervisor.recv(100) == b"STOPPING=1"
