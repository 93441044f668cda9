"""Budget, deadline, and senders that leave: what was taken is committed once and given back."""

import asyncio
import gzip
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from audit_receiver.errors import LedgerBusy
from audit_receiver.otlp import receipt
from audit_receiver.receive.budget import Budget
from audit_receiver.telemetry import REGISTRY
from tests.kit import build
from tests.receive.doors import PROTOBUF, TRACES
from tests.receive.held import held
from tests.receive.rig import Rig, rig
from tests.receive.wire import head, wire


def span(size: int = 0) -> bytes:
    message = build.request(build.span("x" * size if size else "update_user_role"))
    data: bytes = message.SerializeToString()
    return data


async def post(doors: Rig, body: bytes) -> Any:
    """(HTTP status, receipt or None)"""
    url = f"http://127.0.0.1:{doors.http_port}/v1/traces"
    async with doors.session.post(url, data=body, headers=PROTOBUF) as answer:
        await answer.read()
        told = answer.headers.get("Audit-Receipt")
        return answer.status, receipt.decode(receipt.from_header(told)) if told else None


async def call(doors: Rig, body: bytes) -> Any:
    """(gRPC code, receipt or None)"""
    under_way = doors.channel.unary_unary(TRACES)(body, timeout=15)
    code = await under_way.code()
    told = dict(await under_way.trailing_metadata()).get("audit-receipt-bin")
    return code, receipt.decode(told) if told else None


SEND = {"http": post, "grpc": call}
GOOD = {"http": 200, "grpc": grpc.StatusCode.OK}
RETRY = {"http": 503, "grpc": grpc.StatusCode.UNAVAILABLE}
WRONG = {"http": 400, "grpc": grpc.StatusCode.INVALID_ARGUMENT}


@pytest.mark.parametrize("door", ["http", "grpc"])
async def test_a_full_budget_refuses_in_milliseconds_and_is_given_back(
    tmp_path: Path, door: str
) -> None:
    first, second = span(3000), span(3000)
    async with rig(tmp_path, in_flight=4000) as doors:
        async with held(doors) as writer:
            waiting = asyncio.create_task(SEND[door](doors, first))
            await writer.until_waiting(1)
            assert doors.budget.used_bytes == len(first)
            began = time.monotonic()
            for other in ("http", "grpc"):
                assert (await SEND[other](doors, second))[0] == RETRY[other]
            assert time.monotonic() - began < 0.3, "both, on two busy cores"
            assert doors.budget.used_bytes == len(first)
            writer.release()
            assert (await waiting)[0] == GOOD[door]
        assert doors.budget.used_bytes == 0
        assert (await SEND[door](doors, second))[0] == GOOD[door]
        assert doors.stored() == 2


@pytest.mark.parametrize("door", ["http", "grpc"])
async def test_the_budget_is_given_back_after_every_end(tmp_path: Path, door: str) -> None:
    async with rig(tmp_path, in_flight=5000) as doors:
        for _ in range(5):  # the second would already not fit, if the first were kept
            assert (await SEND[door](doors, b"\xff" * 3000))[0] == WRONG[door]
            assert (await SEND[door](doors, span(3000)))[0] == GOOD[door]
            await doors.wait_for(lambda: doors.budget.used_bytes == 0)
        assert doors.stored() == 5


async def test_inflated_bytes_count_against_the_budget_too(tmp_path: Path) -> None:
    body = gzip.compress(span(50_000))
    assert len(body) < 5000
    async with rig(tmp_path, in_flight=10_000) as doors, wire(doors.http_port) as line:
        answer = await line.ask(body, Content_Encoding="gzip")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert (doors.stored(), doors.lab.incidents()) == (0, [])


@pytest.mark.parametrize("door", ["http", "grpc"])
async def test_a_late_commit_is_answered_retryably_and_the_resend_is_recognised(
    tmp_path: Path, door: str
) -> None:
    body = span()
    async with rig(tmp_path, deadline_seconds=0.2) as doors:
        async with held(doors):
            began = time.monotonic()
            assert await SEND[door](doors, body) == (RETRY[door], None)
            assert 0.15 < time.monotonic() - began < 2
            assert doors.budget.used_bytes == 0
        await doors.wait_for(lambda: doors.stored() == 1)
        for other in ("http", "grpc"):
            code, told = await SEND[other](doors, body)
            assert code == GOOD[other]
            assert (told.stored, told.duplicates, told.HasField("first_seq")) == (0, 1, False)
        assert doors.stored() == 1


async def test_an_http_sender_that_hangs_up_has_its_record_committed_once(tmp_path: Path) -> None:
    body = span()
    async with rig(tmp_path) as doors:
        async with held(doors) as writer:
            async with wire(doors.http_port) as line:
                await line.write(head(body), body)
                await writer.until_waiting(1)
            await asyncio.sleep(0.05)  # the server has seen that the connection is gone
        await doors.wait_for(lambda: doors.stored() == 1 and doors.budget.used_bytes == 0)
        assert (await post(doors, body))[1].duplicates == 1
        assert doors.stored() == 1


async def test_a_cancelled_grpc_call_has_its_record_committed_once(tmp_path: Path) -> None:
    body = span()
    async with rig(tmp_path) as doors:
        async with held(doors) as writer:
            under_way = doors.channel.unary_unary(TRACES)(body)
            await writer.until_waiting(1)
            under_way.cancel()
            assert await under_way.code() is grpc.StatusCode.CANCELLED
            await doors.wait_for(lambda: doors.budget.used_bytes == 0)
        await doors.wait_for(lambda: doors.stored() == 1)
        assert (await call(doors, body))[1].duplicates == 1
        assert doors.stored() == 1


async def test_a_deadline_of_the_caller_loses_nothing(tmp_path: Path) -> None:
    body = span()
    async with rig(tmp_path) as doors:
        async with held(doors):
            under_way = doors.channel.unary_unary(TRACES)(body, timeout=0.2)
            assert await under_way.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await doors.wait_for(lambda: doors.stored() == 1)
        assert (await call(doors, body))[1].duplicates == 1


async def test_what_left_senders_had_stored_is_counted_for_the_heartbeat(tmp_path: Path) -> None:
    async with rig(tmp_path) as doors:
        async with held(doors) as writer:
            under_way = doors.channel.unary_unary(TRACES)(span())
            await writer.until_waiting(1)
            under_way.cancel()
        await doors.wait_for(lambda: doors.stored() == 1)
        lab = doors.lab
    [beat] = [event for event in lab.events("heartbeat") if event["services"]]
    assert beat["services"]["billing"]["received"] == 1
    assert beat["services"]["billing"]["stored"] == 1


@pytest.mark.parametrize("door", ["http", "grpc"])
async def test_what_is_in_flight_ends_well_when_the_doors_close(tmp_path: Path, door: str) -> None:
    async with rig(tmp_path, drain_seconds=5) as doors:
        async with held(doors) as writer:
            waiting = asyncio.create_task(SEND[door](doors, span()))
            await writer.until_waiting(1)
            stopped = asyncio.create_task(
                doors.http.stop() if door == "http" else doors.rpc.stop(5)
            )
            await asyncio.sleep(0.05)
            assert not waiting.done()
            writer.release()
            assert (await waiting)[0] == GOOD[door]
            await stopped
        assert doors.stored() == 1


async def test_a_connection_that_is_open_while_the_doors_close_is_answered_retryably(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        assert (await line.ask(span())).status == 200
        doors.http._closing = True
        answer = await line.ask(span())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        doors.rpc._closing = True
        assert (await call(doors, span()))[0] is grpc.StatusCode.UNAVAILABLE
        assert doors.stored() == 1


def test_the_budget_takes_up_to_its_limit_and_says_what_is_wrong() -> None:
    budget = Budget(100)
    with budget.share() as share:
        share.grow(60)
        share.grow(40)
        with pytest.raises(LedgerBusy, match="in_flight_bytes"):
            share.grow(1)
        assert REGISTRY.get_sample_value("audit_receiver_in_flight_bytes") == 100
    assert budget.used_bytes == 0
    assert REGISTRY.get_sample_value("audit_receiver_in_flight_bytes") == 0


def test_a_share_that_is_left_takes_nothing_more() -> None:
    budget = Budget(100)
    with budget.share() as share:
        share.grow(60)
    with pytest.raises(LedgerBusy):
        share.grow(10)  # as a thread that still inflates would
    assert budget.used_bytes == 0
