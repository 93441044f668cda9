"""Checklist H: HTTP basics (docs/otlp-checklist.md)."""

import gzip
import http.client
import json
import socket
import threading
import time
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from tests.checklist.door import Door, fresh_action, log_request, span_request
from tests.kit import build
from tests.kit.server import Server
from tests.kit.wire import JSON, PROTOBUF, status_of

METHODS = ("GET", "PUT", "PATCH", "DELETE")


def test_h01_a_log_in_protobuf_is_200_with_an_empty_message(door: Door) -> None:
    action = fresh_action()
    answer = door.post(log_request(action).SerializeToString(), "/v1/logs")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, PROTOBUF, b"")
    assert [row["kind"] for row in door.stored(action)] == ["log"]


def test_h02_a_log_in_json_is_200_with_an_empty_object(door: Door) -> None:
    action = fresh_action()
    answer = door.post(build.json_bytes(log_request(action)), "/v1/logs", JSON)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, JSON, b"{}")
    assert len(door.stored(action)) == 1


@pytest.mark.parametrize(("content_type", "success"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_h03_spans_as_logs(door: Door, content_type: str, success: bytes) -> None:
    action = fresh_action()
    message = span_request(action)
    body = build.json_bytes(message) if content_type == JSON else message.SerializeToString()
    answer = door.post(body, "/v1/traces", content_type)
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.body == success
    assert [row["kind"] for row in door.stored(action)] == ["span"]


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("application/json; charset=utf-8", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/x-protobuf;x=1", PROTOBUF),
    ],
)
def test_h04_case_and_parameters_of_the_content_type_do_not_matter(
    door: Door, given: str, answered: str
) -> None:
    body = b"{}" if answered == JSON else b""
    answer = door.post(body, "/v1/logs", given)
    assert (answer.status, answer.headers["content-type"]) == (200, answered)


@pytest.mark.parametrize("given", [None, "text/plain", "invalid"])
def test_h05_other_content_types_are_415_naming_both(door: Door, given: str | None) -> None:
    answer = door.post(b"", "/v1/logs", given)
    assert (answer.status, answer.headers["content-type"]) == (415, JSON)
    _, message = status_of(answer)
    assert JSON in message
    assert PROTOBUF in message


@pytest.mark.parametrize(("content_type", "body"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_h06_h07_an_empty_request_is_a_success(door: Door, content_type: str, body: bytes) -> None:
    before = door.size()
    answer = door.post(body, "/v1/logs", content_type)
    assert (answer.status, answer.body) == (200, b"{}" if content_type == JSON else b"")
    assert door.size() == before


@pytest.mark.parametrize(
    "body", [b"", b"1234", b"[]", b'"x"', b"{} x", b"null", b"{", b"\xef\xbb\xbf{}"]
)
def test_h08_what_is_no_json_object_is_400(door: Door, body: bytes) -> None:
    answer = door.post(body, "/v1/logs", JSON)
    assert (answer.status, answer.headers["content-type"]) == (400, JSON)
    assert status_of(answer)[0] == 3


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\x7f\x00"], ids=["garbage", "truncated"])
def test_h09_h10_what_is_no_protobuf_is_400_with_a_bad_request(door: Door, body: bytes) -> None:
    answer = door.post(body, "/v1/logs")
    assert (answer.status, answer.headers["content-type"]) == (400, PROTOBUF)
    status = Status.FromString(answer.body)
    assert status.code == 3
    assert [detail.Is(BadRequest.DESCRIPTOR) for detail in status.details] == [True]


def test_h11_empty_envelopes_are_a_success(door: Door) -> None:
    before = door.size()
    assert door.post(build.request(signal="logs").SerializeToString(), "/v1/logs").status == 200
    body = json.dumps({"resourceLogs": [{}, {"scopeLogs": []}]}).encode()
    assert door.post(body, "/v1/logs", JSON).status == 200
    assert door.size() == before


@pytest.mark.parametrize("method", METHODS)
def test_h12_other_methods_are_405_with_allow(door: Door, method: str) -> None:
    answer = door.post(b"", "/v1/traces", PROTOBUF, method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    status_of(answer)


def test_h12_a_head_request_is_405_without_a_body(door: Door) -> None:
    with door.wire() as wire:
        wire.write(b"HEAD /v1/traces HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        answer = wire.read(head=True)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert wire.rest() == b""


def test_h13_options_is_405_as_there_is_no_cors(door: Door) -> None:
    answer = door.post(b"", "/v1/traces", None, "OPTIONS", Origin="https://example.com")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/v1/logs/v1/logs", "/nope", "/v1/metrics", "/v1/Logs"])
def test_h14_other_paths_are_404_naming_those_served(door: Door, path: str) -> None:
    answer = door.post(log_request(fresh_action()).SerializeToString(), path)
    assert answer.status == 404
    assert "/v1/logs" in status_of(answer)[1]


@pytest.mark.parametrize("path", ["/v1/logs/", "//v1/logs", "/v1/logs?x=1"])
def test_h15_a_slash_too_many_is_never_a_redirect(door: Door, path: str) -> None:
    action = fresh_action()
    answer = door.post(log_request(action).SerializeToString(), path)
    assert answer.status in (200, 404)
    assert len(door.stored(action)) == (answer.status == 200)
    if path != "//v1/logs":
        assert answer.status == 200


def test_h17_a_chunked_body_without_length_is_taken(door: Door) -> None:
    action = fresh_action()
    body = log_request(action).SerializeToString()
    with door.wire() as wire:
        wire.write(
            b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/x-protobuf\r\n\r\n"
        )
        for piece in (body[:7], body[7:]):
            wire.write(b"%x\r\n" % len(piece), piece, b"\r\n")
        wire.write(b"0\r\n\r\n")
        assert wire.read().status == 200
    assert len(door.stored(action)) == 1


def test_h18_expect_100_continue_is_answered_before_the_body(door: Door) -> None:
    action = fresh_action()
    body = log_request(action).SerializeToString()
    with door.wire() as wire:
        wire.write(
            b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert wire.read().status == 100
        wire.write(body)
        assert wire.read().status == 200
    assert len(door.stored(action)) == 1


@pytest.mark.long
@pytest.mark.timeout(200)
def test_h19_a_connection_may_idle_for_95_seconds(door: Door) -> None:
    with door.wire() as wire:
        assert [wire.ask(b"").status for _ in range(2)] == [200, 200]
        time.sleep(95)
        assert wire.ask(b"").status == 200


def test_h20_ten_connections_with_a_hundred_requests_each(door: Door) -> None:
    action = fresh_action()
    bodies = [[span_request(action).SerializeToString() for _ in range(100)] for _ in range(10)]
    codes: list[int] = []

    def send(mine: list[bytes]) -> None:
        connection = http.client.HTTPConnection(door.server.http, timeout=30)
        for body in mine:
            connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
            response = connection.getresponse()
            response.read()
            codes.append(response.status)
        connection.close()

    threads = [threading.Thread(target=send, args=(mine,)) for mine in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 1000
    assert len(door.stored(action)) == 1000


def test_h20_pipelined_requests_are_answered_in_order(door: Door) -> None:
    with door.wire() as wire:
        for number in range(10):
            body = b"" if number % 2 else b"\xff"
            wire.write(
                b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body),
                body,
            )
        assert [wire.read().status for _ in range(10)] == [400, 200] * 5


def test_h21_no_success_has_a_partial_success(door: Door) -> None:
    plain = build.span("GET /", attributes={"x": "y"})
    mixed = build.request(build.span(attributes={"audit.action": fresh_action()}), plain)
    for message in (mixed, build.request(plain), build.request()):
        assert door.post(message.SerializeToString()).body == b""
        assert door.post(build.json_bytes(message), content_type=JSON).body == b"{}"


def test_h22_every_answer_states_its_length_and_is_small(door: Door) -> None:
    long_path = "/" + "x" * 4000
    answers = [
        door.post(b""),
        door.post(b"\xff" * 10_000),
        door.post(b"{" + b"x" * 100_000, content_type=JSON),
        door.post(b"", long_path),
        door.post(b"", content_type="y" * 4000),
        door.post(b"", Content_Encoding="z" * 4000),
    ]
    assert [answer.status for answer in answers] == [200, 400, 400, 404, 415, 400]
    for answer in answers:
        assert len(answer.body) == int(answer.headers["content-length"]) < 65_536


def test_h23_a_sender_that_accepts_gzip_can_read_the_answer(door: Door) -> None:
    for body, status in ((b"", 200), (b"\xff", 400)):
        answer = door.post(body, Accept_Encoding="gzip")
        assert answer.status == status
        coding = answer.headers.get("content-encoding", "identity")
        assert coding in ("identity", "gzip")
        text = gzip.decompress(answer.body) if coding == "gzip" else answer.body
        assert text == b"" if status == 200 else text


@pytest.mark.parametrize(
    ("head", "codes"),
    [
        (b"POST /v1/logs HTTP/1.0\r\nContent-Length: 0\r\nContent-Type: %b\r\n\r\n", (b"200",)),
        (
            b"POST /v1/logs HTTP/1.1\r\nContent-Length: 0\r\nContent-Type: %b\r\n\r\n",
            (b"200", b"400"),
        ),
        (b"POST /v1/logs HTTP/9.9\r\nHost: x\r\nContent-Type: %b\r\n\r\n", (b"400", b"505")),
        (b"\x00\x01\x02 %b\r\n\r\n", (b"400",)),
        (b"PRI * HTTP/2.0\r\n\r\nSM%b\r\n\r\n", (b"400", b"505")),
    ],
    ids=["http-1.0", "no-host", "http-9.9", "no-http", "http-2"],
)
def test_h24_odd_clients_get_a_sane_answer(
    door: Door, head: bytes, codes: tuple[bytes, ...]
) -> None:
    host, port = door.server.http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head % PROTOBUF.encode())
        first = connection.recv(64).split(b" ")
    assert first[0].startswith(b"HTTP/1.")
    assert first[1] in codes
    assert door.post(b"").status == 200


def test_h25_a_header_block_over_the_limit_is_refused(door: Door) -> None:
    host, port = door.server.http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * 100_000)
        assert connection.recv(64).split(b" ")[1] == b"431"
    assert door.post(b"").status == 200


@pytest.mark.timeout(200)
@pytest.mark.long
def test_h26_a_slow_loris_is_closed_and_the_others_are_served(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        host, port = server.http.rsplit(":", 1)
        slow = socket.create_connection((host, int(port)), timeout=5)
        slow.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nX-Never: ")
        ends = time.monotonic() + 140  # as an idle connection, whatever trickles in
        closed = False
        while not closed and time.monotonic() < ends:
            assert Door(server).post(b"").status == 200
            try:
                slow.sendall(b"a")
                closed = slow.recv(1000) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        slow.close()
        assert closed, "a connection whose headers never end is held for ever"
        assert server.stop() == 0
