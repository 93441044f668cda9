"""Reads are told to the running service before anything is printed, or it is said that not."""

import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.cli import readlog
from tests.cli.conftest import Result
from tests.kit.lab import LedgerLab, draft
from tests.kit.server import Server

Command = Callable[..., Result]


class FakeService:
    """Takes one line, says one line, and remembers."""

    def __init__(self, path: Path, answer: bytes | None) -> None:
        self.heard: list[dict[str, Any]] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, connection.makefile("rb") as lines:
            self.heard.append(json.loads(lines.readline()))
            if self._answer is not None:
                connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join(20)
        self._socket.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """Short enough for a socket's name, whatever pytest calls its folders."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))
    yield folder / "ledger.sock"
    shutil.rmtree(folder)


def test_the_service_hears_command_and_arguments(place: Path) -> None:
    service = FakeService(place, b'{"seq": 1042}\n')
    assert readlog.tell(place, "search", {"actor": ["alice"], "records": 3}) == 1042
    service.close()
    assert service.heard == [{"command": "search", "arguments": {"actor": ["alice"], "records": 3}}]


def test_a_long_path_is_reached_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    descriptor = os.open(folder, os.O_PATH)
    service = FakeService(Path(f"/proc/self/fd/{descriptor}/ledger.sock"), b'{"seq": 1}\n')
    os.close(descriptor)
    assert readlog.tell(folder / "ledger.sock", "query", {"sql": "SELECT 1"}) == 1
    service.close()


def test_a_statement_of_megabytes_is_told_by_its_beginning_and_digest(place: Path) -> None:
    import hashlib

    service = FakeService(place, b'{"seq": 1}\n')
    sql = "SELECT '" + "é" * 1_000_000 + "'"
    readlog.tell(place, "query", {"sql": sql})
    service.close()
    [heard] = service.heard
    assert heard["arguments"]["sql"] == sql[: readlog.LONGEST_ARGUMENT]
    digest = hashlib.sha3_256(sql.encode()).hexdigest()
    assert heard["arguments"]["sql_sha3_256"] == digest


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'{"error": "disk: too little space"}\n', "disk: too little space"),
        (b'{"seq": "x"}\n', "did not say why"),
        (b"[]\n", "could not be asked"),
        (b"nonsense\n", "could not be asked"),
        (b"", "could not be asked"),
        (None, "could not be asked"),
    ],
)
def test_a_service_that_cannot_record_is_said(place: Path, answer: bytes | None, told: str) -> None:
    service = FakeService(place, answer)
    with pytest.raises(readlog.NotRecorded, match=told):
        readlog.tell(place, "search", {})
    service.close()


def test_no_service_and_a_dead_ones_socket_are_said(place: Path) -> None:
    with pytest.raises(readlog.NotRecorded, match="no service is running"):
        readlog.tell(place, "search", {})
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(place))
    left.close()
    with pytest.raises(readlog.NotRecorded, match="no service is running"):
        readlog.tell(place, "search", {})


def test_a_silent_service_does_not_hold_the_reader_for_ever(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readlog, "PATIENCE_SECONDS", 0.1)
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    silent.bind(str(place))
    silent.listen(1)
    with pytest.raises(readlog.NotRecorded, match=r"did not answer within 0\.1 s"):
        readlog.tell(place, "search", {})
    silent.close()


def test_without_a_service_the_answer_comes_with_a_word(command: Command, lab: LedgerLab) -> None:
    lab.append(draft("r"))
    lab.close()
    for words in (["search", lab.path], ["query", lab.path, "SELECT 1"], ["export", lab.path]):
        result = command(*words)
        assert result.code == 0
        assert result.out
        assert "this read was not recorded in the ledger: no service is running" in result.err


def test_a_running_service_records_each_read_before_it_is_printed(
    command: Command, tmp_path: Path
) -> None:
    with Server(tmp_path) as server:
        for words in (
            ["search", server.ledger, "--actor", "alice", "--since", "90d"],
            ["query", server.ledger, "SELECT count(*) AS n FROM ledger_events"],
            ["export", server.ledger, "--kind", "ledger", "--format", "csv"],
        ):
            result = command(*words)
            assert (result.code, result.err) == (0, ""), result.err
        # What is exported was counted before the read was recorded, so it holds the two before.
        assert '""command"":""query""' in result.out
        assert '""command"":""export""' not in result.out
        assert server.stop() == 0
    connection = sqlite3.connect(server.ledger)
    rows = connection.execute("SELECT details FROM ledger_events WHERE event = 'read' ORDER BY seq")
    told = [json.loads(details) for (details,) in rows]
    connection.close()
    assert [event["command"] for event in told] == ["search", "query", "export"]
    assert told[0]["arguments"]["actor"] == ["alice"]
    assert told[0]["arguments"]["records"] == 0
    assert told[1]["arguments"]["sql"] == "SELECT count(*) AS n FROM ledger_events"
    assert {event["uid"] for event in told} == {os.getuid()}
