"""Answers on the wire, byte for byte, from the real process (DESIGN 6; docs/otlp.md 8).

The doors have their own tests in tests/receive; here is what only a socket and a process show.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.oracle import events, rows, settle
from tests.kit import build
from tests.kit.senders import Sender
from tests.kit.server import Server
from tests.kit.wire import JSON, PROTOBUF, Wire, status_of


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """A connection to the HTTP door of `server`."""
    connection = Wire(server.http)
    yield connection
    connection.close()


def _span_bytes() -> bytes:
    data: bytes = build.request(build.span()).SerializeToString()
    return data


def test_success_has_an_empty_message_in_the_encoding_of_the_request(
    server: Server, wire: Wire
) -> None:
    answer = wire.ask(_span_bytes())
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, PROTOBUF, b"")
    text = build.json_bytes(build.request(build.span()))
    answer = wire.ask(text, content_type="application/json; charset=utf-8")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, JSON, b"{}")
    answer = wire.ask(gzip.compress(_span_bytes()), Content_Encoding="gzip")
    assert (answer.status, answer.body) == (200, b"")
    for body, kind in ((b"", PROTOBUF), (b"{}", JSON)):
        assert wire.ask(body, content_type=kind).status == 200
    settle(server)
    assert len(rows(server.ledger, "SELECT seq FROM audit_spans")) == 3


@pytest.mark.parametrize(
    ("request_parts", "status", "code", "words"),
    [
        ({"body": b"\xff\xff\xff"}, 400, 3, ""),
        ({"body": b"\x0a\x7f\x00"}, 400, 3, ""),
        ({"body": b"[]", "content_type": JSON}, 400, 3, ""),
        ({"body": b"{} x", "content_type": JSON}, 400, 3, ""),
        ({"body": b"", "content_type": JSON}, 400, 3, ""),
        ({"body": b"not gzip", "Content_Encoding": "gzip"}, 400, 3, "gzip"),
        ({"body": gzip.compress(b"\n\0")[:-3], "Content_Encoding": "gzip"}, 400, 3, "gzip"),
        ({"body": b"", "Content_Encoding": "br"}, 400, 3, "br"),
        ({"body": b"", "content_type": None}, 415, 3, PROTOBUF),
        ({"body": b"", "content_type": "text/plain"}, 415, 3, JSON),
        ({"path": "/v1/metrics"}, 404, None, "/v1/logs"),
        ({"path": "/"}, 404, None, "/v1/traces"),
        ({"path": "/v1/logs/v1/logs"}, 404, None, "/v1/logs"),
        ({"method": "GET"}, 405, None, "POST"),
        ({"method": "PUT"}, 405, None, "POST"),
        ({"method": "OPTIONS"}, 405, None, "POST"),
    ],
)
def test_what_cannot_be_taken_is_told_apart(
    server: Server,
    wire: Wire,
    request_parts: dict[str, Any],
    status: int,
    code: int | None,
    words: str,
) -> None:
    answer = wire.ask(**request_parts)
    assert answer.status == status
    found, message = status_of(answer)
    assert code is None or found == code
    assert words in message
    if status == 405:
        assert answer.headers["allow"] == "POST"
    with server.sender() as sender:
        assert sender.send(build.request(build.span()), "protobuf").acknowledged
    settle(server)
    assert len(rows(server.ledger, "SELECT seq FROM audit_spans")) == 1


def test_a_trailing_slash_is_served_and_never_redirected(server: Server, wire: Wire) -> None:
    for path in ("/v1/traces/", "//v1/traces"):
        answer = wire.ask(_span_bytes(), path=path)
        assert answer.status in (200, 404), path
    assert wire.ask(_span_bytes(), path="/v1/traces/").status == 200
    settle(server)


def test_a_head_request_has_no_body(wire: Wire) -> None:
    wire.write(b"HEAD /v1/logs HTTP/1.1\r\nHost: test\r\n\r\n")
    answer = wire.read(head=True)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def _limited(limit: int) -> dict[str, Any]:
    protocols = {"http": {"max_request_body_size": limit}, "grpc": {"max_recv_msg_size_mib": 1}}
    return {"receivers": {"otlp": {"protocols": protocols}}}


def _padded(size: int) -> bytes:
    """A valid request of exactly `size` bytes: an unknown field makes up the length."""
    body = _span_bytes()
    for header in range(2, 8):
        room = size - len(body) - header
        varint = b""
        rest = room
        while True:
            varint += bytes([rest & 0x7F | (0x80 if rest > 0x7F else 0)])
            rest >>= 7
            if not rest:
                break
        if len(varint) + 1 == header:
            return body + b"\x7a" + varint + b"\0" * room  # field 15, length-delimited
    raise AssertionError("no such length")


def test_the_size_limit_counts_before_and_after_inflating(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(_limited(10_000)).start()
    wire = Wire(server.http)
    assert wire.ask(_padded(10_000)).status == 200
    assert wire.ask(gzip.compress(_padded(10_000)), Content_Encoding="gzip").status == 200
    for body, headers in (
        (_padded(10_001), {}),
        (gzip.compress(_padded(10_001)), {"Content_Encoding": "gzip"}),
        (gzip.compress(b"\0" * 50_000_000), {"Content_Encoding": "gzip"}),
    ):
        fresh = Wire(server.http)
        answer = fresh.ask(body, **headers)
        assert answer.status == 413
        assert "max_request_body_size" in status_of(answer)[1]
        fresh.close()
    fresh = Wire(server.http)
    fresh.write(
        b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: 90000000\r\n\r\n"
    )
    assert fresh.read().status == 413, "without waiting for the body"
    fresh.close()
    wire.close()
    with server.sender() as sender:
        big = build.request(build.log_record(body="x" * 2_000_000))
        for form in ("grpc", "grpc+gzip"):
            reply = sender.send(big, form)
            assert reply.code == "RESOURCE_EXHAUSTED"
            assert "google.rpc.retryinfo-bin" not in reply.binary
    assert server.memory_bytes("VmHWM") < 200_000_000
    settle(server)


def test_what_cannot_be_decoded_leaves_evidence(server: Server, sender: Sender) -> None:
    garbage = b"\xff\xfe" * 4000
    assert sender.post("/v1/logs", garbage, {"Content-Type": PROTOBUF}).code == 400
    settle(server)
    [incident] = events(server.ledger, "incident")
    assert incident["incident"] == "undecodable"
    assert len(json.dumps(incident)) < 8192, "bounded"


def test_garbage_over_grpc_is_an_invalid_argument(server: Server, sender: Sender) -> None:
    method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    reply = sender.call(method, b"\xff\xff", gzipped=False)
    assert reply.code == "INVALID_ARGUMENT"
    assert "google.rpc.retryinfo-bin" not in reply.binary
    settle(server)


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_text_that_is_not_utf8_loses_nothing(server: Server, sender: Sender, door: str) -> None:
    data = build.patched(
        build.request(build.span(), build.span("bad-name-here")).SerializeToString(),
        "bad-name-here",
        b"bad-\xff\xfe\xff\xfe-here",
    )
    if door == "http":
        assert sender.post("/v1/traces", data, {"Content-Type": PROTOBUF}).code == 200
    else:
        method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        assert sender.call(method, data, gzipped=False).code == "OK"
    settle(server)
    stored = rows(server.ledger, "SELECT body, flags FROM audit_spans ORDER BY seq")
    assert len(stored) == 2
    assert json.loads(stored[1]["body"])["otlp"]["name"] == {"$utf8": "YmFkLf/+//4taGVyZQ=="}
    assert "invalid_utf8" in json.loads(stored[1]["flags"])
