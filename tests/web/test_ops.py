"""/healthz, /readyz and /metrics over real sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from audit_receiver import telemetry
from audit_receiver.web.ops import OpsServer, health_routes, metrics_routes

LOCAL = "127.0.0.1"


@asynccontextmanager
async def served(routes: dict[str, object]) -> AsyncIterator[str]:
    """The address of an endpoint with these routes."""
    server = OpsServer(routes)  # type: ignore[arg-type]
    [(host, port)] = await server.start(LOCAL, 0)
    try:
        yield f"http://{host}:{port}"
    finally:
        await server.stop()


async def ask(url: str, method: str = "GET") -> tuple[int, str, str]:
    """(status, content type, text)"""
    async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


async def test_health_says_that_the_process_lives_whatever_the_ledger_does() -> None:
    async def readiness() -> tuple[str, int]:
        return "disk: full", 0

    async with served(health_routes(readiness)) as url:
        assert (await ask(f"{url}/healthz"))[::2] == (200, '{"status": "alive"}')


async def test_readiness_is_the_number_of_entries_or_the_reason_why_not() -> None:
    answers = [("", 42), ("clock: it ran ahead", 0)]

    async def readiness() -> tuple[str, int]:
        return answers.pop(0)

    async with served(health_routes(readiness)) as url:
        good = await ask(f"{url}/readyz")
        assert good[0] == 200
        assert good[2] == '{"status": "ready", "entries": 42}'
        bad = await ask(f"{url}/readyz")
        assert bad[0] == 503
        assert bad[2] == '{"status": "not ready", "reason": "clock: it ran ahead"}'


async def test_a_fault_while_it_looks_is_503_with_what_happened() -> None:
    async def readiness() -> tuple[str, int]:
        raise PermissionError(13, "Permission denied")

    async with served(health_routes(readiness)) as url:
        status, _, text = await ask(f"{url}/readyz")
        assert status == 503
        assert "Permission denied" in text


async def test_metrics_are_prometheus_text_and_refreshed_first() -> None:
    def refresh() -> None:
        telemetry.LEDGER_ENTRIES.set(4711)

    async with served(metrics_routes(refresh)) as url:
        status, content_type, text = await ask(f"{url}/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    [sample] = families["audit_receiver_ledger_entries"].samples
    assert sample.value == 4711
    assert {name for name in families if not name.startswith("audit_receiver_")} == set()


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 404), ("/x", "POST", 405)])
async def test_there_is_nothing_else_and_nothing_to_write(
    path: str, method: str, status: int
) -> None:
    async def found(_: web.Request) -> web.StreamResponse:
        return web.Response()

    async with served({"/x": found}) as url:
        assert (await ask(url + path, method))[0] == status


async def test_a_port_in_use_is_an_os_error_and_leaves_nothing_open() -> None:
    with socket.create_server((LOCAL, 0)) as taken:
        server = OpsServer({})
        with pytest.raises(OSError, match="in use"):
            await server.start(LOCAL, taken.getsockname()[1])
        await server.stop()


async def test_an_answer_that_never_comes_does_not_hold_the_stop() -> None:
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(3600)
        raise AssertionError

    server = OpsServer({"/x": never})
    [(host, port)] = await server.start(LOCAL, 0)
    waiting = asyncio.create_task(ask(f"http://{host}:{port}/x"))
    await asked.wait()
    began = time.monotonic()
    async with asyncio.timeout(5):
        await server.stop()
    assert time.monotonic() - began < 1
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_an_answer_under_way_is_still_given() -> None:
    asked = asyncio.Event()

    async def soon(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(0.02)
        return web.Response(text="here it is")

    server = OpsServer({"/x": soon})
    [(host, port)] = await server.start(LOCAL, 0)
    waiting = asyncio.create_task(ask(f"http://{host}:{port}/x"))
    await asked.wait()
    await server.stop()
    assert (await waiting)[::2] == (200, "here it is")
