"""The ledger without our code: the stock sqlite3 shell, another SQLite on either side."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import apsw.sqlite_extra
import pytest

from audit_receiver.ledger import database
from tests.e2e.oracle import rows, settle
from tests.kit import build
from tests.kit.server import Server

VIEWS = ("audit_records", "audit_records_all", "audit_spans", "audit_logs", "ledger_events")


def _odd_items() -> list[Any]:
    deep: Any = "bottom"
    for level in range(30):  # protobuf itself, which makes the request, stops at 100 messages
        deep = {f"level {level}": deep} if level % 2 else [deep]
    odd = {
        "audit.action": "odd",
        "audit.actor.id": "nul\0inside",
        "audit.target.id": 0.1,
        "audit.old_value": 1e300,
        "audit.new_value": {"a": [1.5, None, True]},
        "": "the empty key",
        "$": "a dollar",
        "$$int": "two dollars",
        '"; DROP TABLE entry; --': "quotes",
        "ключ 🔑": "beyond the BMP",
        "deep": deep,
        "many": list(range(300)),
    }
    return [
        build.span("odd\0name", odd),
        build.span("plain"),
        build.log_record("odd.event", {**odd, "audit.record.id": "odd\0id"}, body={"a\0b": [0.25]}),
        build.log_record(body="x" * 20_000),
        build.log_record(attributes={"audit.action": False, "audit.actor.id": 7}, body=None),
        build.log_record(attributes={"audit.action": "login"}, time_unix_nano=0),
    ]


@pytest.fixture
def ledger(make_server: Callable[..., Server]) -> Path:
    """A ledger with odd records in it, written by the receiver, stopped."""
    server = make_server().start()
    with server.sender() as sender:
        for item in _odd_items():
            assert sender.send(build.request(item), "grpc").acknowledged
        # enough for a second block of the block-first indexes and for nodes of two levels
        for _ in range(5):
            spans = [build.span() for _ in range(900)]
            assert sender.send(build.request(*spans), "protobuf").acknowledged
    settle(server)
    return server.ledger


def _tampered(ledger: Path, statement: str) -> Path:
    copy = ledger.with_name("tampered.db")
    shutil.copy(ledger, copy)
    connection = sqlite3.connect(copy)
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()
    return copy


def _shell_check(ledger: Path) -> dict[str, int]:
    shell = shutil.which("sqlite3")
    if shell is None:
        pytest.skip("the stock sqlite3 shell is not installed (apt install sqlite3)")
    done = subprocess.run(
        [shell, "-readonly", "-header", str(ledger)],
        input=database.check_text(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    names, values = done.stdout.strip().splitlines()
    return dict(zip(names.split("|"), map(int, values.split("|")), strict=True))


def _apsw_check(ledger: Path) -> dict[str, int]:
    connection = apsw.Connection(str(ledger), flags=apsw.SQLITE_OPEN_READONLY)
    apsw.sqlite_extra.load(connection, "shathree")
    cursor = connection.execute(database.check_text())
    names = [column[0] for column in cursor.get_description()]
    [values] = list(cursor)
    connection.close()
    return dict(zip(names, values, strict=True))


CHECKERS = [_shell_check, _apsw_check]


@pytest.mark.parametrize("check", CHECKERS)
def test_one_statement_of_sql_checks_chain_bodies_and_subjects(
    ledger: Path, check: Callable[[Path], dict[str, int]]
) -> None:
    size = rows(ledger, "SELECT count(*) AS n FROM entry")[0]["n"]
    found = check(ledger)
    assert (found.pop("entries"), found.pop("last")) == (size, size - 1)
    assert {"bad_hash", "bad_body", "bad_link", "bad_seq", "bad_subject"} <= set(found)
    assert set(found.values()) == {0}


@pytest.mark.parametrize("check", CHECKERS)
@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE entry SET header = replace(header, 'role_update', 'role_review')", "bad_hash"),
        ("UPDATE entry SET body = replace(body, 'alice', 'malice')", "bad_body"),
        ("UPDATE entry SET body = NULL WHERE seq = 5", "without_body"),
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 9", "bad_link"),
        ("DELETE FROM entry WHERE seq = 12", "bad_seq"),
    ],
)
def test_the_statement_finds_what_was_changed(
    ledger: Path, check: Callable[[Path], dict[str, int]], statement: str, finding: str
) -> None:
    assert check(_tampered(ledger, statement))[finding] > 0


def _apsw_integrity(path: Path) -> list[str]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    connection.close()
    return found


def _apsw_rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = list(connection.execute(sql))
    connection.close()
    return found


def _rewritten(ledger: Path) -> Path:
    """The same rows in a new file that the other SQLite has made, indexes and all."""
    path = ledger.with_name("rewritten.db")
    target = apsw.Connection(str(path))
    target.execute(f"PRAGMA page_size = {database.PAGE_BYTES}")
    target.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
    target.execute(database.schema_text())
    source = apsw.Connection(str(ledger), flags=apsw.SQLITE_OPEN_READONLY)
    with target:
        for table, columns in (("entry", "seq, header, hash, body"), ("node", "level, idx, hash")):
            marks = ", ".join("?" * (columns.count(",") + 1))
            target.executemany(
                f"INSERT INTO {table}({columns}) VALUES ({marks})",
                source.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2"),
            )
        last = "SELECT size, root, signature, epoch FROM head ORDER BY size DESC LIMIT 1"
        target.executemany("INSERT INTO head VALUES (?, ?, ?, ?)", source.execute(last))
    source.close()
    target.close()
    return path


def test_indexes_written_by_either_sqlite_hold_in_the_other(ledger: Path) -> None:
    versions = sqlite3.sqlite_version, apsw.sqlite_lib_version()
    assert _apsw_integrity(ledger) == ["ok"], versions
    rewritten = _rewritten(ledger)
    assert rows(rewritten, "PRAGMA integrity_check") == [{"integrity_check": "ok"}], versions


@pytest.mark.parametrize("view", VIEWS)
def test_the_views_say_the_same_in_either_sqlite(ledger: Path, view: str) -> None:
    sql = f"SELECT * FROM {view} ORDER BY seq"
    ours = [tuple(row.values()) for row in rows(ledger, sql)]
    assert len(ours) > 0
    assert ours == _apsw_rows(ledger, sql)
