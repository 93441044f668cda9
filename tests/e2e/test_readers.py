"""People who read the file: long transactions, other users, a stopped and a running service."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.oracle import holds, rows, settle
from tests.kit import build
from tests.kit.senders import Sender
from tests.kit.server import Server, run_cli

NOBODY = 65534
READERS = 64123  # a group that nobody else uses
COUNT = "SELECT count(*) AS n FROM audit_records"


def _send(sender: Sender, number: int = 1) -> None:
    for _ in range(number):
        assert sender.send(build.request(build.span()), "protobuf").acknowledged


def test_a_reader_in_a_transaction_neither_stops_writing_nor_sees_it(
    server: Server, sender: Sender
) -> None:
    _send(sender, 3)
    reader = sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute(COUNT).fetchone() == (3,)
    _send(sender, 200)
    assert server.get("/readyz")[0] == 200
    assert reader.execute(COUNT).fetchone() == (3,)
    assert rows(server.ledger, COUNT) == [{"n": 203}]
    reader.execute("COMMIT")
    assert reader.execute(COUNT).fetchone() == (203,)
    reader.close()
    settle(server)


def test_a_reader_that_stays_over_the_stop_leaves_a_ledger_that_opens(
    server: Server, sender: Sender
) -> None:
    _send(sender, 3)
    reader = sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute(COUNT).fetchone()
    assert server.stop() == 0
    assert "WAL" in server.stderr, "it says why the ledger stays in WAL mode"
    reader.close()
    holds(server.ledger)
    server.start()
    with server.sender() as again:
        _send(again)
    settle(server)


@pytest.fixture
def shared(as_root: None, make_server: Callable[..., Server]) -> Iterator[Server]:
    """A receiver whose ledger a group may read, in a place that other users can reach."""
    place = Path(tempfile.mkdtemp(prefix="audit-receiver-test-", dir="/var/tmp"))
    place.chmod(0o755)
    server = make_server(folder=place)
    server.ledger.parent.mkdir()
    os.chown(server.ledger.parent, 0, READERS)
    server.ledger.parent.chmod(0o2750)  # as init makes it; new files get the group
    server.start()
    yield server
    if server.running:
        server.kill()
    shutil.rmtree(place)


def _as_nobody(ledger: Path, sql: str, group: int = READERS) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sqlite3")
    if shell is None:
        pytest.skip("the stock sqlite3 shell is not installed (apt install sqlite3)")
    return subprocess.run(
        [shell, "-readonly", str(ledger), sql],
        user=NOBODY,
        group=group,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.root
def test_a_member_of_the_group_reads_while_it_runs_and_after_it_stopped(shared: Server) -> None:
    with shared.sender() as sender:
        _send(sender, 5)
    assert _as_nobody(shared.ledger, COUNT).stdout == "5\n"
    with shared.sender() as sender:
        _send(sender, 2)
    assert _as_nobody(shared.ledger, COUNT).stdout == "7\n"
    settle(shared)
    assert not shared.ledger.with_name("ledger.db-wal").exists()
    assert _as_nobody(shared.ledger, COUNT).stdout == "7\n"


@pytest.mark.root
def test_nobody_but_the_service_writes_and_nobody_outside_the_group_reads(shared: Server) -> None:
    with shared.sender() as sender:
        _send(sender)
    statement = "INSERT INTO head VALUES (99, zeroblob(32), zeroblob(64), 0)"
    assert "readonly" in _as_nobody(shared.ledger, statement).stderr
    assert _as_nobody(shared.ledger, COUNT, group=NOBODY).returncode != 0
    for name, mode in {"ledger.db": 0o640, "ledger.key": 0o400, "ledger.dedup": 0o400}.items():
        assert shared.ledger.with_name(name).stat().st_mode & 0o777 == mode, name
    settle(shared)


def test_verify_and_search_read_a_live_ledger(server: Server, sender: Sender) -> None:
    _send(sender, 3)
    found = run_cli("search", server.ledger, "--format", "jsonl", cwd=server.folder)
    assert (found.returncode, len(found.stdout.splitlines())) == (0, 3), found.stderr
    holding = run_cli("verify", server.ledger, "--format", "json", cwd=server.folder)
    assert holding.returncode == 3, holding.stdout + holding.stderr
    _send(sender)
    settle(server)
