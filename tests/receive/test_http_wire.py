"""The HTTP door, byte for byte (docs/otlp.md 8, H and Z): what a client library would hide."""

import asyncio
import gzip
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2

from audit_receiver.receive import http_server
from tests.kit import build
from tests.receive.rig import rig
from tests.receive.wire import JSON, PROTOBUF, Answer, assert_status, head, span, wire


def padded(size: int) -> bytes:
    """An audit request of exactly `size` bytes; a field that nobody knows makes up the length."""
    body = span()
    room = size - len(body) - 3  # field 15, length-delimited, a length of two bytes
    assert 128 <= room < 16_384
    return body + b"\x7a" + bytes([room & 0x7F | 0x80, room >> 7]) + b"\0" * room


@pytest.mark.parametrize(
    ("content_type", "media"),
    [
        (PROTOBUF, PROTOBUF),
        ("application/x-protobuf;x=1", PROTOBUF),
        ("APPLICATION/X-PROTOBUF", PROTOBUF),
        (JSON, JSON),
        ("application/json; charset=utf-8", JSON),
        ("Application/Json", JSON),
    ],
)
@pytest.mark.parametrize("signal", ["traces", "logs"])
async def test_success_is_an_empty_message_in_the_type_of_the_request(
    tmp_path: Path, content_type: str, media: str, signal: str
) -> None:
    message = build.request(build.span() if signal == "traces" else build.log_record())
    body = build.json_bytes(message) if media == JSON else message.SerializeToString()
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        answer = await line.ask(body, f"/v1/{signal}", content_type=content_type)
        assert answer.status == 200
        assert answer.headers["content-type"] == media, "without parameters"
        assert answer.body == (b"{}" if media == JSON else b"")
        assert doors.stored() == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", PROTOBUF),
        (b"\x0a\x00", PROTOBUF),
        (b"\x0a\x02\x12\x00", PROTOBUF),
        (b"{}", JSON),
        (b'{"resourceSpans":[]}', JSON),
        (b'{"resourceSpans":[{"scopeSpans":[{}]}]}', JSON),
    ],
)
async def test_what_is_empty_is_acknowledged_and_stores_nothing(
    tmp_path: Path, body: bytes, content_type: str
) -> None:
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        assert (await line.ask(body, content_type=content_type)).status == 200
        assert (doors.stored(), doors.lab.incidents()) == (0, [])


async def test_a_request_without_any_body_is_an_empty_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        assert (await line.ask(None)).status == 200
        await line.write(head(None, Transfer_Encoding="chunked"), b"0\r\n\r\n")
        assert (await line.read()).status == 200
        answer = await line.ask(None, content_type=JSON)
        assert_status(answer, 400, code_pb2.INVALID_ARGUMENT, JSON)


async def test_gzip_of_every_kind_is_read(tmp_path: Path) -> None:
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        for coding in ("gzip", "GZIP", "x-gzip"):
            assert (await line.ask(gzip.compress(span()), Content_Encoding=coding)).status == 200
        body = span()
        members = gzip.compress(body[:20]) + gzip.compress(body[20:])
        assert (await line.ask(members, Content_Encoding="gzip")).status == 200
        text = gzip.compress(build.json_bytes(build.request(build.span())))
        assert (await line.ask(text, content_type=JSON, Content_Encoding="gzip")).status == 200
        for coding in ("", "identity"):
            assert (await line.ask(span(), Content_Encoding=coding)).status == 200
        assert doors.stored() == 7


@pytest.mark.parametrize(
    ("parts", "status", "code", "media", "word"),
    [
        ({"body": b"\xff"}, 400, 3, PROTOBUF, ""),
        ({"body": b"nope", "content_type": JSON}, 400, 3, JSON, ""),
        ({"body": b"nope", "Content_Encoding": "gzip"}, 400, 3, PROTOBUF, "gzip"),
        ({"body": b"x", "Content_Encoding": "zstd"}, 400, 3, PROTOBUF, "zstd"),
        ({"body": b"x", "content_type": JSON, "Content_Encoding": "br"}, 400, 3, JSON, "br"),
        ({"content_type": None}, 415, 3, JSON, PROTOBUF),
        ({"content_type": "text/plain"}, 415, 3, JSON, JSON),
        ({"path": "/"}, 404, 12, JSON, "/v1/logs, /v1/traces"),
        ({"path": "/v1/metrics"}, 404, 12, JSON, "/v1/logs, /v1/traces"),
        ({"path": "//v1/logs"}, 404, 12, JSON, "/v1/logs, /v1/traces"),
        ({"path": "/v1/logs//"}, 404, 12, JSON, "/v1/logs, /v1/traces"),
        ({"path": "/V1/logs"}, 404, 12, JSON, "/v1/logs, /v1/traces"),
        ({"path": "/%zz%ff"}, 404, 12, JSON, "/v1/logs, /v1/traces"),
        ({"path": "/" + "a" * 8000}, 404, 12, JSON, "/v1/logs, /v1/traces"),
        ({"method": "GET"}, 405, 12, JSON, "POST"),
        ({"method": "OPTIONS"}, 405, 12, JSON, "POST"),
        ({"method": "PROPFIND"}, 405, 12, JSON, "POST"),
    ],
    ids=lambda part: str(part)[:60] if isinstance(part, dict) else "",
)
async def test_every_refusal_is_told_apart_and_the_connection_goes_on(
    tmp_path: Path, parts: dict[str, Any], status: int, code: int, media: str, word: str
) -> None:
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        answer = await line.ask(**parts)
        assert_status(answer, status, code, media, word)
        assert "retry-after" not in answer.headers
        assert "location" not in answer.headers
        assert answer.headers.get("allow") == ("POST" if status == 405 else None)
        assert (await line.ask(span())).status == 200
        assert doors.stored() == 1


async def test_a_head_request_is_405_without_a_body(tmp_path: Path) -> None:
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        answer = await line.ask(None, method="HEAD", content_type=None)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert (await line.ask(span())).status == 200, "no byte of a body stands in between"
        assert doors.stored() == 1


async def test_a_trailing_slash_and_a_query_are_no_other_path(tmp_path: Path) -> None:
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        for path in ("/v1/traces/", "/v1/traces?x=1", "http://any.example/v1/traces"):
            assert (await line.ask(span(), path)).status == 200, path
        assert doors.stored() == 3


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_the_limit_is_met_exactly_and_not_passed(
    tmp_path: Path, framing: str, coding: str
) -> None:
    async def send(size: int) -> Answer:
        body = padded(size)
        if coding:
            body = gzip.compress(body)
            assert len(body) < 5000
        async with wire(doors.http_port) as line:
            if framing == "length":
                await line.write(head(body, Content_Encoding=coding), body)
            else:
                await line.write(head(None, Content_Encoding=coding, Transfer_Encoding="chunked"))
                for start in range(0, len(body), 700):
                    piece = body[start : start + 700]
                    await line.write(b"%x\r\n" % len(piece), piece, b"\r\n")
                await line.write(b"0\r\n\r\n")
            return await line.read()

    async with rig(tmp_path, max_bytes=5000) as doors:
        assert (await send(5000)).status == 200
        assert_status(await send(5001), 413, code_pb2.RESOURCE_EXHAUSTED, PROTOBUF, "5000")
        assert doors.stored() == 1
        assert doors.lab.incidents() == [], "too large is not undecodable"


async def test_a_bomb_is_413_and_quick(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * (100 << 20), 9)
    async with rig(tmp_path, max_bytes=1 << 20) as doors, wire(doors.http_port) as line:
        began = time.monotonic()
        answer = await line.ask(bomb, Content_Encoding="gzip")
        assert_status(answer, 413, code_pb2.RESOURCE_EXHAUSTED, PROTOBUF)
        assert time.monotonic() - began < 1


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    good, bad = span(), b"\xff"
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        await line.write(*(head(body) + body for body in (good, bad, span(), b"") * 5))
        answers = [(await line.read()).status for _ in range(20)]
        assert answers == [200, 400, 200, 200] * 5
        assert doors.stored() == 2, "each of the two spans once"


async def test_a_thousand_requests_over_ten_connections_are_as_many_records(
    tmp_path: Path,
) -> None:
    async def crowd() -> None:
        async with wire(doors.http_port) as line:
            for _ in range(100):
                assert (await line.ask(span())).status == 200

    async with rig(tmp_path) as doors:
        await asyncio.gather(*(crowd() for _ in range(10)))
        assert doors.stored() == 1000


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST /v1/traces HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
        (head(0, Transfer_Encoding="chunked"), 400),
        (head(None, Content_Length="-1"), 400),
        (head(None, Content_Length="1_0"), 400),
        (head(0, Content_length="7"), 400),
        (head(0, Content_type=JSON), 400),
        (head(None, Transfer_Encoding="chunked") + b"zz\r\n", 400),
        (head(0, X="a" * 9000), 431),
        (head(0, "/" + "a" * 9000), 431),
        (head(0, **{f"X-{n}": "a" for n in range(200)}), 400),
    ],
    ids=[
        *("TLS", "HTTP/2", "no host", "two framings", "negative length", "length of no digits"),
        *("two lengths", "two types", "chunk of no size", "long field", "long path", "many fields"),
    ],
)
async def test_what_is_no_http_is_refused_in_our_words_and_quietly(
    tmp_path: Path, data: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as doors:
        async with wire(doors.http_port) as line:
            await line.write(data)
            answer = await line.read()
            assert_status(answer, status, code_pb2.INVALID_ARGUMENT, JSON, "HTTP/1.1")
            assert answer.headers["server"] == "audit-receiver"
            assert await line.rest() == b"", "closed"
        async with wire(doors.http_port) as line:
            assert (await line.ask(span())).status == 200
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_fault_where_answers_are_made_is_503_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = http_server._error
    faults = [KeyError("a bug where answers are made")]

    def broken(*given: Any) -> Any:
        if faults:
            raise faults.pop()
        return whole(*given)

    monkeypatch.setattr(http_server, "_error", broken)
    async with rig(tmp_path) as doors, wire(doors.http_port) as line:
        answer = await line.ask(path="/nope")
        assert_status(answer, 503, code_pb2.UNAVAILABLE, JSON)
        assert answer.headers["retry-after"] == "1"


def test_connections_are_kept_longer_than_go_keeps_them() -> None:
    assert http_server.KEEP_ALIVE_SECONDS > 90  # net/http: DefaultTransport.IdleConnTimeout


async def test_an_idle_connection_is_closed_and_one_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "KEEP_ALIVE_SECONDS", 0.5)
    async with rig(tmp_path) as doors:
        async with wire(doors.http_port) as silent, wire(doors.http_port) as half:
            await half.write(b"POST /v1/traces HTTP/1.1\r\nHost:")  # slow loris
            async with wire(doors.http_port) as busy:
                for _ in range(5):
                    assert (await busy.ask(span())).status == 200
                    await asyncio.sleep(0.2)
            assert await silent.rest() == b""
            assert await half.rest() == b""
        assert doors.stored() == 5
