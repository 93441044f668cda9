"""A body that is slow, late, broken or too large: asked for, counted and given up as it should."""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2

from audit_receiver.receive import http_body, http_server
from tests.receive.held import held
from tests.receive.rig import rig
from tests.receive.wire import JSON, PROTOBUF, assert_status, head, span, wire


async def test_a_declared_length_over_the_limit_is_refused_before_the_body(tmp_path: Path) -> None:
    async with rig(tmp_path, max_bytes=5000) as doors, wire(doors.http_port) as line:
        began = time.monotonic()
        await line.write(head(5001))
        answer = await line.read()
        assert time.monotonic() - began < 1
        assert_status(answer, 413, code_pb2.RESOURCE_EXHAUSTED, PROTOBUF)
        assert "retry-after" not in answer.headers
        async with wire(doors.http_port) as other:
            assert (await other.ask(span())).status == 200


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"body": 5001}, 413),
        ({"body": 10, "content_type": "text/plain"}, 415),
        ({"body": 10, "path": "/nope"}, 404),
        ({"body": 10, "method": "PUT"}, 405),
        ({"body": 10, "Content_Encoding": "foo"}, 400),
        ({"body": None, "Content_Encoding": "br", "Transfer_Encoding": "chunked"}, 400),
    ],
)
async def test_a_body_that_will_not_be_taken_is_not_asked_for(
    tmp_path: Path, parts: dict[str, Any], status: int
) -> None:
    async with rig(tmp_path, max_bytes=5000) as doors, wire(doors.http_port) as line:
        await line.write(head(Expect="100-continue", **parts))
        assert (await line.read()).status == status


async def test_a_body_is_not_asked_for_while_the_budget_is_used_up(tmp_path: Path) -> None:
    async with rig(tmp_path, in_flight=4000, max_bytes=3000) as doors:
        async with wire(doors.http_port) as slow, wire(doors.http_port) as line:
            await slow.write(head(2500), b"\x0a" * 2400)
            await doors.wait_for(lambda: doors.budget.used_bytes == 2400)
            await line.write(head(2500, Expect="100-continue"))
            answer = await line.read()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        await doors.wait_for(lambda: doors.budget.used_bytes == 0)


async def test_senders_that_declare_much_and_send_little_take_little(tmp_path: Path) -> None:
    body = span()
    async with rig(tmp_path, in_flight=4000, max_bytes=3000) as doors, AsyncExitStack() as stack:
        for number in range(1, 5):  # together they declare 10,000 of 4,000 bytes
            slow = await stack.enter_async_context(wire(doors.http_port))
            await slow.write(head(2500), b"\x0a")
            await doors.wait_for(lambda number=number: doors.budget.used_bytes == number)
        async with wire(doors.http_port) as line:
            assert (await line.ask(body)).status == 200
        await slow.write(b"\x0a" * 2000)
        await doors.wait_for(lambda: doors.budget.used_bytes == 2004)
        async with wire(doors.http_port) as line:
            await line.write(head(2500))
            assert (await line.read()).status == 503, "what has arrived counts"
    await doors.wait_for(lambda: doors.budget.used_bytes == 0)
    assert doors.budget.used_bytes == 0


async def test_a_body_for_which_the_room_ends_while_it_arrives_is_refused_retryably(
    tmp_path: Path,
) -> None:
    async with (
        rig(tmp_path, in_flight=4000, max_bytes=3000) as doors,
        wire(doors.http_port) as first,
        wire(doors.http_port) as second,
    ):
        for line in (first, second):
            await line.write(head(2500), b"\x0a" * 1500)
        await doors.wait_for(lambda: doors.budget.used_bytes == 3000)
        await first.write(b"\x0a" * 900)
        await doors.wait_for(lambda: doors.budget.used_bytes == 3900)
        await second.write(b"\x0a" * 900)
        answer = await second.read()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        await doors.wait_for(lambda: doors.budget.used_bytes == 2400)
        await first.write(b"\x0a" * 100)
        assert (await first.read()).status == 400, "read to its end"


@pytest.mark.parametrize("arrived", ["with the headers", "later", "behind another request"])
async def test_a_body_that_is_not_chunked_as_it_says_is_answered_at_once(
    tmp_path: Path, arrived: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = head(None, Transfer_Encoding="chunked")
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        began = time.monotonic()
        if arrived == "behind another request":
            async with held(doors) as writer:
                body = span()
                await line.write(head(body), body)
                await writer.until_waiting(1)
                await line.write(broken, b"5\r\nhello\r\n")
                await asyncio.sleep(0.05)
                await line.write(b"not a size\r\n")
                await asyncio.sleep(0.05)
            assert (await line.read()).status == 200, "the one before is not touched"
        elif arrived == "later":
            await line.write(broken, b"5\r\nhello\r\n")
            await asyncio.sleep(0.05)
            await line.write(b"not a size\r\n")
        else:
            await line.write(broken + b"not a size\r\n")
        answer = await line.read()
        media = JSON if arrived == "with the headers" else PROTOBUF
        assert_status(answer, 400, code_pb2.INVALID_ARGUMENT, media)
        assert await line.rest() == b"", "closed, and answered once"
        assert time.monotonic() - began < 2
        assert doors.budget.used_bytes == 0
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_body_that_will_be_taken_is_asked_for_once(tmp_path: Path) -> None:
    body = span()
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        for word in ("100-continue", "100-Continue"):
            await line.write(head(body, Expect=word))
            assert (await line.read()).status == 100
            await line.write(body)
            assert (await line.read()).status == 200
        assert doors.stored() == 1, "the second time it was a duplicate"


async def test_an_http_1_0_client_is_served_and_not_told_to_continue(tmp_path: Path) -> None:
    body = span()
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        await line.write(head(body, version="1.0", Expect="100-continue"), body)
        answer = await line.read()  # RFC 9110, 10.1.1: no 100 to HTTP/1.0
        assert (answer.version, answer.status) == ("HTTP/1.0", 200)
        assert await line.rest() == b"", "closed, as HTTP/1.0 is without keep-alive"
        assert doors.stored() == 1


async def test_a_body_that_does_not_arrive_is_given_up_retryably(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_body, "SECONDS", 0.2)
    monkeypatch.setattr(http_server, "LINGERING_SECONDS", 0.1)
    async with rig(tmp_path) as doors:
        async with wire(doors.http_port) as slow, wire(doors.http_port) as other:
            await slow.write(head(100), b"\x0a")
            assert (await other.ask(span())).status == 200, "nobody waits for it"
            answer = await slow.read()
            assert_status(answer, 503, code_pb2.UNAVAILABLE, PROTOBUF, "did not arrive")
            assert answer.headers["retry-after"] == "1"
            assert await slow.rest() == b"", "closed"
        assert doors.stored() == 1


async def test_a_sender_that_leaves_within_its_body_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as doors:
        for framing in (head(1000), head(None, Transfer_Encoding="chunked") + b"3e8\r\n"):
            async with wire(doors.http_port) as line:
                await line.write(framing, b"\x0a")
                await asyncio.sleep(0.05)
        await doors.wait_for(lambda: doors.budget.used_bytes == 0)
        assert (doors.stored(), doors.lab.incidents()) == (0, [])
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
