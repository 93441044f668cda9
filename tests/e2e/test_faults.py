"""A full disk, a ledger taken away, replaced or locked: no acknowledgement, nothing lost."""

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.oracle import holds, rows, settle
from tests.kit import build
from tests.kit.senders import Reply, Sender
from tests.kit.server import Server

HEAL_SECONDS = 20.0


def _assert_retryable(reply: Reply) -> None:
    """503 with Retry-After, or UNAVAILABLE with RetryInfo where both kinds of senders look."""
    if isinstance(reply.code, int):
        assert reply.code == 503
        assert reply.headers["retry-after"] == "1"
    else:
        assert reply.code == "UNAVAILABLE"
        assert {"google.rpc.retryinfo-bin", "grpc-status-details-bin"} <= set(reply.binary)
    assert reply.receipt is None


def _request(record_id: str, size: int = 0) -> Any:
    attributes = {**build.LOG_ATTRIBUTES, "audit.record.id": record_id}
    return build.request(build.log_record(attributes=attributes, body="x" * size))


def _ids(ledger: Path) -> list[str]:
    found = rows(ledger, "SELECT record_id FROM audit_records_all ORDER BY seq")
    return [row["record_id"] for row in found]


def _until_acknowledged(sender: Sender, message: Any, form: str) -> None:
    deadline = time.monotonic() + HEAL_SECONDS
    while not sender.send(message, form).acknowledged:
        assert time.monotonic() < deadline, "it did not heal"
        time.sleep(0.2)


@pytest.mark.root
@pytest.mark.parametrize("reserve", ["1MiB", "0B"])
def test_a_full_disk_is_answered_503_and_heals_by_itself(
    small_disk: Path, make_server: Callable[..., Server], reserve: str
) -> None:
    ledger = small_disk / "ledger.db"
    server = make_server({"ledger": {"path": str(ledger), "disk_reserve": reserve}})
    server.ledger = ledger
    server.start()
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\1" * (1 << 20))
    acknowledged = []
    with server.sender() as sender:
        for number in range(2000):
            reply = sender.send(_request(f"r{number}", 4000), ("protobuf", "grpc")[number % 2])
            if not reply.acknowledged:
                break
            acknowledged.append(f"r{number}")
        _assert_retryable(reply)
        for form in ("protobuf", "json", "grpc"):
            _assert_retryable(sender.send(_request(f"refused-{form}"), form))
        status, text = server.get("/readyz")
        assert status == 503
        assert "disk" in text
        assert server.get("/healthz")[0] == 200, "alive, so that nobody restarts it in a loop"
        assert _ids(ledger) == acknowledged

        ballast.unlink()
        _until_acknowledged(sender, _request(f"r{len(acknowledged)}", 100), "grpc")
        acknowledged.append(f"r{len(acknowledged)}")
        assert server.get("/readyz")[0] == 200
    settle(server)
    assert _ids(ledger) == acknowledged
    assert len(acknowledged) > 20


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("form", ["protobuf", "grpc"])
def test_a_ledger_file_taken_away_ends_acknowledgements_until_it_is_back(
    server: Server, suffix: str, form: str
) -> None:
    path = server.ledger.with_name(server.ledger.name + suffix)
    aside = server.ledger.with_name("aside")
    away = _request("while away")
    with server.sender() as sender:
        assert sender.send(_request("before"), form).acknowledged
        path.rename(aside)
        _assert_retryable(sender.send(away, form))
        status, text = server.get("/readyz")
        assert status == 503
        assert str(path) in text
    server.kill()
    aside.rename(path)
    server.start()
    with server.sender() as sender:
        assert sender.send(away, form).acknowledged
    settle(server)
    assert _ids(server.ledger) == ["before", "while away"]


def test_a_ledger_deleted_while_it_runs_is_never_acknowledged_into(server: Server) -> None:
    with server.sender() as sender:
        assert sender.send(_request("before"), "grpc").acknowledged
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            server.ledger.with_name(name).unlink()
        for form in ("protobuf", "json+gzip", "grpc"):
            _assert_retryable(sender.send(_request(f"after {form}"), form))
        status, text = server.get("/readyz")
        assert status == 503
        assert "ledger.db" in text
    assert not server.ledger.exists(), "nobody makes a new one in its place"
    server.stop()


def test_a_ledger_replaced_by_an_older_copy_is_never_acknowledged_into(server: Server) -> None:
    with server.sender() as sender:
        assert sender.send(_request("first"), "protobuf").acknowledged
        copy = server.ledger.with_name("copy.db")
        source = sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True)
        target = sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        assert sender.send(_request("second"), "protobuf").acknowledged
        os.replace(copy, server.ledger)
        _assert_retryable(sender.send(_request("third"), "protobuf"))
        _assert_retryable(sender.send(_request("fourth"), "grpc"))
        assert server.get("/readyz")[0] == 503
    server.kill()


def test_a_foreign_write_lock_holds_requests_back_and_then_lets_them_through(
    server: Server,
) -> None:
    intruder = sqlite3.connect(server.ledger, isolation_level=None)
    with server.sender() as sender:
        assert sender.send(_request("before"), "grpc").acknowledged
        intruder.execute("BEGIN IMMEDIATE")
        _assert_retryable(sender.send(_request("held"), "protobuf"))
        assert server.get("/readyz")[0] == 503
        intruder.execute("ROLLBACK")
        _until_acknowledged(sender, _request("held"), "protobuf")
        assert server.get("/readyz")[0] == 200
    intruder.close()
    settle(server)
    assert _ids(server.ledger) == ["before", "held"]


def test_a_foreign_write_is_an_incident_and_the_chain_goes_on_where_it_left_the_ledger(
    server: Server,
) -> None:
    with server.sender() as sender:
        assert sender.send(_request("before"), "grpc").acknowledged
        intruder = sqlite3.connect(server.ledger, isolation_level=None)
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            intruder.execute("UPDATE entry SET header = header || ' ' WHERE seq = 1")
        intruder.execute("PRAGMA user_version = 1")  # a write that changes nothing we read
        intruder.close()
        assert sender.send(_request("after"), "grpc").acknowledged
    settle(server)
    incidents = rows(server.ledger, "SELECT body FROM ledger_events WHERE action LIKE '%incident'")
    kinds = [json.loads(row["body"])["event"]["incident"] for row in incidents]
    assert kinds == ["foreign_write"]


@pytest.mark.root
def test_a_read_only_file_system_stops_the_start_with_words(
    small_disk: Path, make_server: Callable[..., Server]
) -> None:
    ledger = small_disk / "ledger.db"
    server = make_server({"ledger": {"path": str(ledger)}})
    server.ledger = ledger
    server.start()
    with server.sender() as sender:
        assert sender.send(_request("kept"), "grpc").acknowledged
    assert server.stop() == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert server.launch().wait() == 2
    assert str(small_disk) in server.stderr
    assert "read-only" in server.stderr.lower() or "writable" in server.stderr.lower()
    assert "Traceback" not in server.stderr
    holds(ledger)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    server.start()
    settle(server)
    assert _ids(ledger) == ["kept"]


def test_a_copy_of_a_live_ledger_holds_on_its_own(server: Server, sender: Sender) -> None:
    for number in range(20):
        assert sender.send(_request(f"r{number}"), "grpc").acknowledged
    aside = server.folder / "aside"
    aside.mkdir()
    source = sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True)
    target = sqlite3.connect(aside / "ledger.db")
    source.backup(target)
    source.close()
    target.close()
    shutil.copy(server.ledger.with_suffix(".vkey"), aside / "ledger.vkey")
    holds(aside / "ledger.db")
    settle(server)
