"""Whoever is refused is counted for the heartbeat and told in the log, and a flood is not."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from audit_receiver.errors import LedgerBusy, MalformedRequest, UnsupportedMediaType
from audit_receiver.ledger.appender import Done
from audit_receiver.receive import refusals
from audit_receiver.receive.grpc_server import _address
from audit_receiver.receive.listening import Place
from audit_receiver.receive.refusals import Refusal, Refusals
from audit_receiver.telemetry import REGISTRY
from tests.kit import build
from tests.receive.doors import TRACES, Doors, doors
from tests.receive.rig import rig
from tests.receive.wire import JSON, head, wire

AUDIT = build.request(build.span()).SerializeToString()
MANY = build.request(*(build.span() for _ in range(1001))).SerializeToString()  # doors take 1000
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says about refusals."""
    return [r.getMessage() for r in caplog.records if r.name == refusals.__name__]


def requests(transport: str, code: str) -> float:
    labels = {"transport": transport, "code": code}
    return REGISTRY.get_sample_value("audit_receiver_requests_total", labels) or 0.0


async def told(door: Doors, caplog: pytest.LogCaptureFixture, words: str, total: str) -> None:
    """Exactly one line, at the level that is on by default, and one in the heartbeat's total."""
    [line] = lines(caplog)
    assert re.search(words, line), line
    assert " from 127.0.0.1 " in line
    assert door.stand_in.counts == {total: 1}


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize(
    ("parts", "code", "words", "total"),
    [
        ({"path": "/v1/metrics"}, 404, "'/v1/metrics'.* with 404: .*/v1/logs", "refused"),
        ({"method": "PUT"}, 405, "'/v1/traces'.* with 405: .*PUT", "refused"),
        ({"content_type": "text/plain"}, 415, "with 415: .*text/plain", "refused"),
        ({"body": 2_000_000}, 413, "with 413: .*2000000", "refused"),
        ({"body": MANY}, 413, "with 413: .*1000", "refused"),
        ({"body": b"\xff"}, 400, "with 400: ", "undecodable"),
        ({"body": b"{", "content_type": JSON}, 400, "with 400: ", "undecodable"),
        ({"body": b"x", "Content_Encoding": "br"}, 400, "with 400: .*br", "undecodable"),
        ({"version": "1.1", "Content_Length": "-1"}, 400, "with 400: .*HTTP/1.1", "refused"),
        ({"X": "a" * 9000}, 431, "with 431: ", "refused"),
    ],
    ids=["404", "405", "415", "413", "items", "protobuf", "JSON", "coding", "no HTTP", "431"],
)
async def test_an_http_sender_that_is_refused_is_told_and_counted(
    caplog: pytest.LogCaptureFixture, parts: dict[str, Any], code: int, words: str, total: str
) -> None:
    before = requests("http", str(code))
    body = parts.pop("body", None)
    async with doors() as door, wire(door.port) as line:
        whole = body if isinstance(body, bytes) else b""
        await line.write(head(body, **parts), whole)
        assert (await line.read()).status == code
        await told(door, caplog, words, total)
    assert requests("http", str(code)) == before + 1


@pytest.mark.parametrize(
    ("method", "body", "code", "words", "total"),
    [
        (TRACES, b"\xff", "INVALID_ARGUMENT", f"{TRACES}'.* with INVALID_ARG", "undecodable"),
        (TRACES, MANY, "RESOURCE_EXHAUSTED", "with RESOURCE_EXHAUSTED: .*1000", "refused"),
        (METRICS, AUDIT, "UNIMPLEMENTED", f"{METRICS}'.*: .*logs.v1.LogsService", "refused"),
    ],
    ids=["undecodable", "items", "metrics"],
)
async def test_a_grpc_sender_that_is_refused_is_told_and_counted(
    caplog: pytest.LogCaptureFixture, method: str, body: bytes, code: str, words: str, total: str
) -> None:
    before = requests("grpc", code)
    async with doors() as door:
        call = await door.call(body, method)
        assert await call.code() is getattr(grpc.StatusCode, code)
        await told(door, caplog, words, total)
    assert requests("grpc", code) == before + 1


@pytest.mark.parametrize("what", ["budget", "closing", "ledger", "deadline"])
@pytest.mark.parametrize("way", ["http", "grpc"])
async def test_a_sender_that_has_to_try_again_is_told_and_counted(
    caplog: pytest.LogCaptureFixture, way: str, what: str
) -> None:
    def busy(_: object, done: Done) -> None:
        done(LedgerBusy("4096 requests wait"))

    in_flight = len(AUDIT) - 1 if what == "budget" else 1 << 20
    async with doors(in_flight=in_flight, deadline_seconds=0.1) as door:
        if what == "ledger":
            door.stand_in.behave = busy
        if what == "deadline":
            door.stand_in.behave = lambda drafts, done: None
        if what == "closing":
            door.http._closing = door.rpc._closing = True
        if way == "http":
            assert (await door.post(AUDIT)).status == 503
        else:
            assert await (await door.call(AUDIT)).code() is grpc.StatusCode.UNAVAILABLE
        code = "503" if way == "http" else "UNAVAILABLE"
        word = {"budget": "in_flight", "closing": "stopping", "ledger": "4096"}.get(what, "0.1 s")
        await told(door, caplog, f"refused {way} .* with {code}: .*{word}", "refused")


async def test_a_fault_of_ours_is_told_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug of ours")

    async with doors() as door:
        door.stand_in.behave = broken
        assert (await door.post(AUDIT)).status == 503
        await told(door, caplog, "with 503", "refused")
    [record] = [r for r in caplog.records if r.name == refusals.__name__]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "a bug of ours" in str(record.exc_info[1])


async def test_success_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with doors() as door:
        assert (await door.post(AUDIT)).status == 200
        assert await (await door.call(AUDIT)).code() is grpc.StatusCode.OK
        assert door.stand_in.counts == {}
    assert lines(caplog) == []


async def test_the_next_heartbeat_says_how_many_were_refused(tmp_path: Path) -> None:
    async with rig(tmp_path) as door, wire(door.http_port) as line:
        for _ in range(3):
            assert (await line.ask(AUDIT, content_type="text/plain")).status == 415
        assert (await line.ask(b"\xff")).status == 400
        lab = door.lab
    beat = lab.events("heartbeat")[-1]
    assert (beat["refused"], beat["undecodable"], beat["unauthenticated"]) == (3, 1, 0)


def refusal(peer: str = "10.0.0.1", reason: str = "no", error: Any = None) -> Refusal:
    return Refusal("http", "415", peer, "/v1/logs", reason, error)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "INTERVAL_SECONDS", 0.1)


async def test_of_a_flood_the_first_is_told_at_once_and_the_rest_once_an_interval(
    caplog: pytest.LogCaptureFixture, quick: None
) -> None:
    counted: list[str] = []
    told = Refusals(counted.append)
    for number in range(1000):
        told.tell(refusal(reason=f"number {number}"))
    assert [line.rpartition(": ")[2] for line in lines(caplog)] == ["number 0"]
    assert counted == ["refused"] * 1000
    await asyncio.sleep(0.15)
    assert len(lines(caplog)) == 2
    assert lines(caplog)[1].endswith("number 999 (and 998 more like it within a second)")
    await asyncio.sleep(0.15)  # a quiet interval: the peer is forgotten
    told.tell(refusal(reason="again"))
    assert lines(caplog)[2].endswith("with 415: again")
    await asyncio.sleep(0.25)
    assert (len(lines(caplog)), told._told) == (3, {})


async def test_each_peer_and_each_reason_has_its_own_line(
    caplog: pytest.LogCaptureFixture, quick: None
) -> None:
    told = Refusals(lambda _: None)
    errors = (UnsupportedMediaType("a"), MalformedRequest("b"), LedgerBusy("c"), None)
    for _ in range(5):
        for peer in ("10.0.0.1", "10.0.0.2"):
            for error in errors:
                told.tell(refusal(peer, error=error))
    assert len(lines(caplog)) == 8


async def test_a_flood_from_many_peers_shares_its_lines(
    caplog: pytest.LogCaptureFixture, quick: None
) -> None:
    told = Refusals(lambda _: None)
    for number in range(1000):
        told.tell(refusal(f"10.0.{number // 250}.{number % 250}"))
    assert len(lines(caplog)) == refusals.MOST_TOLD_APART + 1
    await asyncio.sleep(0.15)
    assert len(lines(caplog)) == refusals.MOST_TOLD_APART + 2
    assert "(and 898 more like it" in lines(caplog)[-1]  # 1000 - 101 told - the last itself


async def test_what_a_sender_wrote_cannot_write_lines_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Refusals(lambda _: None)
    evil = "\x1b[2J\r\n2026-01-01 INFO all is well \udcff" + "x" * 10_000
    told.tell(Refusal("http", "404", "10.0.0.1", "/" + evil, evil))
    [line] = lines(caplog)
    assert line.isprintable()
    assert len(line) < 1000


def test_a_grpc_peer_is_named_without_port() -> None:
    assert _address("ipv4:10.0.0.7:51234") == "10.0.0.7"
    assert _address("ipv6:%5B::1%5D:51234") == "::1"
    assert _address("ipv6:[fe80::1]:51234") == "fe80::1"
    assert _address("unix:") == "unix"
    assert _address("unix:/run/otlp.sock") == "unix"


async def test_a_peer_behind_a_unix_socket_is_named_so(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # sockaddr_un holds 108 bytes (unix(7))
    async with doors() as door:
        await door.http._listen(Place(path="http.sock"))
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector("http.sock")) as session,
            session.post("http://any/nope", data=AUDIT) as answer,
        ):
            assert answer.status == 404
        [line] = lines(caplog)
        assert " from unix with 404" in line
