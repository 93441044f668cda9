"""Starts that must not happen: what is said, and the exit code that a supervisor sees."""

import os
import socket
import sqlite3
from collections.abc import Callable

import pytest

from tests.e2e.oracle import events, holds, rows, settle
from tests.kit import build
from tests.kit.server import Server, run_cli

MakeServer = Callable[..., Server]


def _refused(server: Server, code: int, *words: str) -> None:
    assert server.launch().wait() == code, server.stderr
    for word in words:
        assert word in server.stderr
    assert "Traceback" not in server.stderr
    assert "ready" not in server.stderr.split()


@pytest.fixture
def stopped(server: Server) -> Server:
    """A receiver with two records in its ledger, stopped."""
    with server.sender() as sender:
        assert sender.send(build.request(build.span(), build.span()), "grpc").acknowledged
    assert server.stop() == 0
    return server


def test_it_says_what_it_is_doing_before_ready(server: Server) -> None:
    text = server.stderr
    vkey = server.ledger.with_suffix(".vkey").read_text().strip()
    for part in ("0.1.0", str(server.ledger), "created", vkey, vkey.split("+")[0], "ready"):
        assert part in text
    assert server.stop() == 0
    server.start()
    assert "opened" in server.stderr
    settle(server)
    assert len(events(server.ledger, "start")) == 2
    assert len(events(server.ledger, "stop")) == 2


def test_a_second_serve_on_the_same_ledger_is_refused_and_the_first_goes_on(
    server: Server, make_server: MakeServer
) -> None:
    second = make_server({"ledger": {"path": str(server.ledger)}})
    _refused(second, 2, str(server.ledger.with_suffix(".lock")), str(server.pid))
    with server.sender() as sender:
        assert sender.send(build.request(build.span()), "grpc").acknowledged
    settle(server)


def test_a_missing_key_is_refused(stopped: Server) -> None:
    key = stopped.ledger.with_suffix(".key")
    aside = key.rename(key.with_name("aside"))
    _refused(stopped, 2, str(key))
    assert not key.exists(), "it must not make another key"
    aside.rename(key)
    stopped.start()
    settle(stopped)


def test_the_key_of_another_ledger_is_refused(stopped: Server, make_server: MakeServer) -> None:
    other = make_server().start()
    assert other.stop() == 0
    size = rows(stopped.ledger, "SELECT max(size) AS n FROM head")
    key = stopped.ledger.with_suffix(".key")
    own = key.read_bytes()
    os.replace(other.ledger.with_suffix(".key"), key)
    _refused(stopped, 2, str(key))
    assert rows(stopped.ledger, "SELECT max(size) AS n FROM head") == size
    key.chmod(0o600)
    key.write_bytes(own)
    key.chmod(0o400)
    stopped.start()
    settle(stopped)


def test_a_missing_dedup_key_is_refused_or_told(stopped: Server) -> None:
    stopped.ledger.with_suffix(".dedup").unlink()
    stopped.launch()
    code = stopped.wait()
    assert code == 2
    assert str(stopped.ledger.with_suffix(".dedup")) in stopped.stderr


@pytest.mark.parametrize("door", ["grpc", "http", "health", "metrics"])
def test_a_port_in_use_is_named(make_server: MakeServer, door: str) -> None:
    server = make_server()
    endpoint = getattr(server, door)
    host, port = endpoint.split(":")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, int(port)))
        taken.listen()
        _refused(server, 2, endpoint)
    server.start()
    settle(server)


def test_an_unknown_config_key_is_named_with_file_line_and_mend(make_server: MakeServer) -> None:
    server = make_server({"ledger": {"heartbeet": "60s"}})
    _refused(server, 2, str(server.config_file), "ledger.heartbeet", "heartbeat")
    line = server.config_file.read_text().splitlines().index('    "heartbeet": "60s"') + 1
    assert f":{line}" in server.stderr
    assert not server.ledger.parent.exists()


def test_create_never_refuses_to_begin_a_new_ledger(make_server: MakeServer) -> None:
    server = make_server({"ledger": {"create": "never"}})
    _refused(server, 2, str(server.ledger), "never")
    assert not server.ledger.exists()
    done = run_cli("init", server.ledger, cwd=server.folder)
    assert done.returncode == 0, done.stderr
    server.start()
    settle(server)


def test_an_empty_file_in_the_ledgers_place_is_not_made_a_ledger(make_server: MakeServer) -> None:
    server = make_server()
    server.ledger.parent.mkdir()
    server.ledger.touch()
    _refused(server, 2, str(server.ledger))
    assert server.ledger.read_bytes() == b""


def test_check_only_validates(make_server: MakeServer) -> None:
    server = make_server()
    server.launch("--check")
    assert server.wait() == 0, server.stderr
    assert not server.ledger.parent.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET hash = zeroblob(32) WHERE seq = (SELECT max(seq) FROM entry)",
        "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)",
        "UPDATE head SET signature = zeroblob(64)",
        "SELECT 1",  # the dropped triggers alone
    ],
)
def test_a_ledger_that_does_not_hold_is_not_continued(stopped: Server, statement: str) -> None:
    connection = sqlite3.connect(stopped.ledger, isolation_level=None)
    names = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    triggers = names.fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    if statement != "SELECT 1":
        for _, sql in triggers:
            connection.execute(sql)
    size = connection.execute("SELECT count(*) FROM entry").fetchall()
    connection.close()
    _refused(stopped, 1, str(stopped.ledger), "audit-receiver verify")
    connection = sqlite3.connect(stopped.ledger)
    assert connection.execute("SELECT count(*) FROM entry").fetchall() == size
    connection.close()


def test_an_unclean_stop_is_recorded_at_the_next_start(server: Server) -> None:
    with server.sender() as sender:
        assert sender.send(build.request(build.span()), "grpc").acknowledged
    server.kill()
    holds(server.ledger)
    server.start()
    settle(server)
    incidents = [event["incident"] for event in events(server.ledger, "incident")]
    assert incidents == ["unclean_stop"]
