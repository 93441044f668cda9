"""More than it can take, and the end: refused early and retryably, drained, nothing lost."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.oracle import events, rows, settle
from tests.kit import build
from tests.kit.senders import Reply
from tests.kit.server import Server

MakeServer = Callable[..., Server]


def _limits(**limits: Any) -> dict[str, Any]:
    return {"receivers": {"otlp": {"limits": limits}}}


def _request(record_id: str, size: int = 0) -> Any:
    attributes = {**build.LOG_ATTRIBUTES, "audit.record.id": record_id}
    return build.request(build.log_record(attributes=attributes, body="x" * size))


def _send(server: Server, message: Any, form: str) -> Reply:
    with server.sender() as sender:
        return sender.send(message, form)


def _stored(server: Server) -> list[str]:
    found = rows(server.ledger, "SELECT record_id FROM audit_records_all ORDER BY record_id")
    return [row["record_id"] for row in found]


class Held:
    """Holds the ledger's write lock from outside, so that requests pile up."""

    def __init__(self, server: Server) -> None:
        self._connection = sqlite3.connect(
            server.ledger, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        """Let the writer go on."""
        self._connection.execute("ROLLBACK")
        self._connection.close()


@pytest.mark.parametrize("form", ["protobuf", "json", "grpc"])
def test_a_full_queue_refuses_at_once_and_every_record_is_kept_in_the_end(
    make_server: MakeServer, form: str
) -> None:
    server = make_server(_limits(queue=4)).start()
    assert _send(server, _request("first"), form).acknowledged
    held = Held(server)
    began = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        messages = [_request(f"r{number:02}") for number in range(40)]
        waiting = [pool.submit(_timed, server, message, form, began) for message in messages]
        refused = [future.result(60) for future in waiting]
        held.release()
    early = [seconds for reply, seconds in refused if not reply.acknowledged and seconds < 1.5]
    assert len(early) >= 20, "most are refused before the lock's patience is over"
    for reply, _ in refused:
        if reply.acknowledged:
            continue
        if form == "grpc":
            assert reply.code == "UNAVAILABLE"
            assert {"google.rpc.retryinfo-bin", "grpc-status-details-bin"} <= set(reply.binary)
        else:
            assert (reply.code, reply.headers["retry-after"]) == (503, "1")
            assert len(reply.body) < 65_536
    deadline = time.monotonic() + 20
    for message in messages:
        while not _send(server, message, form).acknowledged:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    settle(server)
    assert _stored(server) == ["first", *(f"r{number:02}" for number in range(40))]


def _timed(server: Server, message: Any, form: str, began: float) -> tuple[Reply, float]:
    reply = _send(server, message, form)
    return reply, time.monotonic() - began


@pytest.mark.parametrize("form", ["protobuf", "grpc"])
def test_the_budget_for_bytes_in_flight_refuses_and_frees_itself(
    make_server: MakeServer, form: str
) -> None:
    mebibyte = 1 << 20
    config = _limits(in_flight_bytes=mebibyte)
    config["receivers"]["otlp"]["protocols"] = {
        "grpc": {"max_recv_msg_size_mib": 1},
        "http": {"max_request_body_size": mebibyte},
    }
    server = make_server(config).start()
    held = Held(server)
    with ThreadPoolExecutor(16) as pool:
        messages = [_request(f"r{number:02}", 150_000) for number in range(16)]
        waiting = [pool.submit(_send, server, message, form) for message in messages]
        refused = [future for future in waiting if not future.result(60).acknowledged]
        held.release()
    assert len(refused) >= 8
    for message in messages:
        deadline = time.monotonic() + 20
        while not _send(server, message, form).acknowledged:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    settle(server)
    assert len(_stored(server)) == 16


@pytest.mark.parametrize("form", ["protobuf", "grpc"])
def test_sigterm_drains_what_it_has_taken(server: Server, form: str) -> None:
    assert _send(server, _request("before"), form).acknowledged
    held = Held(server)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(_send, server, _request(f"r{n}"), form) for n in range(8)]
        time.sleep(0.5)  # all are with the writer now, which waits for the lock
        assert server.process is not None
        server.process.terminate()
        time.sleep(0.3)
        held.release()
        replies = [future.result(30) for future in waiting]
    assert server.wait() == 0, server.stderr
    kept = [f"r{n}" for n, reply in enumerate(replies) if reply.acknowledged]
    assert len(kept) == 8, replies
    server.start()
    settle(server)
    assert _stored(server) == ["before", *kept]
    assert len(events(server.ledger, "stop")) == 2
    assert [e["incident"] for e in events(server.ledger, "incident")] == []


def test_sigterm_under_load_loses_nothing_that_was_acknowledged(server: Server) -> None:
    acknowledged: list[str] = []
    stop = threading.Event()

    def crowd(name: int) -> None:
        form = ("protobuf", "grpc", "json", "grpc+gzip")[name]
        with server.sender(timeout_seconds=10) as sender:
            for number in range(100_000):
                record = f"{name}-{number}"
                try:
                    reply = sender.send(_request(record), form)
                except OSError:
                    return
                if reply.acknowledged:
                    acknowledged.append(record)
                elif stop.is_set():
                    assert reply.code in (503, "UNAVAILABLE", "CANCELLED"), reply
                    return

    threads = [threading.Thread(target=crowd, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    stop.set()
    began = time.monotonic()
    assert server.stop() == 0, server.stderr
    assert time.monotonic() - began < 12
    for thread in threads:
        thread.join(30)
    assert len(acknowledged) > 20
    server.start()
    settle(server)
    assert set(acknowledged) <= set(_stored(server))
    assert len(_stored(server)) == len(set(_stored(server)))


def test_a_second_sigterm_during_the_drain_changes_nothing(server: Server) -> None:
    assert _send(server, _request("kept"), "grpc").acknowledged
    assert server.process is not None
    server.process.terminate()
    server.process.terminate()
    assert server.wait() == 0, server.stderr
    server.start()
    settle(server)
    assert _stored(server) == ["kept"]
