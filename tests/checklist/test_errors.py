"""Checklist E: errors and throttling, from the real process (docs/otlp-checklist.md)."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests.checklist.door import Door, fresh_action, log_request, span_request
from tests.e2e.oracle import settle
from tests.kit.senders import METHOD, Reply
from tests.kit.server import Server
from tests.kit.wire import JSON

PROTOBUF_FIELDS = {"Content-Type": "application/x-protobuf"}
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def started(folder: Path, **ledger: object) -> Server:
    """A receiver with these keys under `ledger`."""
    folder.mkdir(exist_ok=True)
    return Server(folder, {"ledger": ledger}).start()


def assert_retryable(reply: Reply) -> None:
    """503 with Retry-After, or UNAVAILABLE with both forms of RetryInfo."""
    if reply.code == 503:
        assert reply.headers["retry-after"] == "1"
        assert Status.FromString(reply.body).code == 14
        return
    assert reply.code == "UNAVAILABLE"
    details = Status.FromString(reply.binary["grpc-status-details-bin"])
    assert details.code == 14
    retry = RetryInfo()
    assert details.details[0].Unpack(retry)
    assert retry == RetryInfo.FromString(reply.binary["google.rpc.retryinfo-bin"])
    assert 0 < retry.retry_delay.seconds <= 2


@pytest.mark.parametrize("form", ["protobuf", "grpc"])
def test_e01_e04_a_ledger_that_cannot_be_written_is_retryable_and_nothing_is_stored(
    tmp_path: Path, form: str
) -> None:
    server = started(tmp_path, disk_reserve="1000TiB")
    door, action = Door(server), fresh_action()
    with door.sender() as sender:
        assert_retryable(sender.send(span_request(action), form))
    assert door.stored(action) == []
    settle(server)


def test_e05_nothing_is_acknowledged_after_the_doors_close(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    door, action = Door(server), fresh_action()
    acknowledged = [0, 0]

    def send(number: int, form: str) -> None:
        with server.sender(timeout_seconds=5) as sender:
            while True:
                try:
                    reply = sender.send(span_request(action), form)
                except (OSError, http.client.HTTPException):  # the doors are closed
                    return
                if not reply.acknowledged:
                    return
                acknowledged[number] += 1

    forms = ("protobuf", "grpc")
    threads = [threading.Thread(target=send, args=pair) for pair in enumerate(forms)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    settle(server)
    for thread in threads:
        thread.join()
    assert min(acknowledged) > 10
    assert sum(acknowledged) <= len(door.stored(action)) <= sum(acknowledged) + 2


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1development/profiles"])
def test_e08_other_signals_over_http_are_404(door: Door, path: str) -> None:
    answer = door.post(b"{}", path, JSON)
    assert (answer.status, answer.headers["content-type"]) == (404, JSON)


def test_e08_other_signals_over_grpc_are_unimplemented(door: Door) -> None:
    with door.sender() as sender:
        assert sender.call(METRICS, b"", False).code == "UNIMPLEMENTED"


def test_e09_a_sender_that_hangs_up_has_its_record_once(door: Door) -> None:
    action = fresh_action()
    body = log_request(action).SerializeToString()
    host, port = door.server.http.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
    with door.sender() as sender:
        wait_for(lambda: len(door.stored(action)) == 1)
        assert sender.post("/v1/logs", body, PROTOBUF_FIELDS).acknowledged
    assert len([row for row in door.stored(action) if row["duplicate_of"] is None]) == 1


def test_e10_e11_a_kill_before_or_after_the_commit_leaves_one_record(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    door, action = Door(server), fresh_action()
    committed, fresh = (span_request(action).SerializeToString() for _ in range(2))
    with server.sender() as sender:
        assert sender.call(METHOD["traces"], committed, False).acknowledged
    server.kill()
    server.start()
    with server.sender() as sender:
        for body in (committed, fresh, fresh):
            assert sender.call(METHOD["traces"], body, False).acknowledged
    assert len(door.stored(action)) == 2
    settle(server)


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again and again, for ten seconds."""
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)
