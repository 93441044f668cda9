"""The guards in the file itself: what SQL can refuse, it refuses, in the oldest and newest SQLite.

What they cannot stop (DROP TRIGGER, writable_schema, a stranger's well-formed append) is found by
`verify`: test_verify_attacks.py.
"""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.cli.conftest import Populated
from tests.kit.attacker import canonical

STATEMENTS = [
    # UPDATE in its forms
    "UPDATE entry SET body = replace(body, 'alice', 'mallory') WHERE seq = 100",
    "UPDATE entry SET body = NULL WHERE seq = 100",
    "UPDATE entry SET body = NULL",
    "UPDATE entry SET header = header || ' ' WHERE seq = 100",
    "UPDATE entry SET hash = zeroblob(32) WHERE seq = 100",
    "UPDATE entry SET seq = 1000 WHERE seq = 569",
    "UPDATE entry SET rowid = 1000 WHERE rowid = 569",
    "UPDATE entry SET body = body WHERE seq = 100",
    "UPDATE OR REPLACE entry SET seq = 99 WHERE seq = 100",
    "UPDATE OR IGNORE entry SET body = NULL WHERE seq = 100",
    "UPDATE OR FAIL entry SET body = '{}' WHERE seq = 100",
    "UPDATE entry SET body = other.body FROM (SELECT body FROM entry WHERE seq = 101) AS other"
    " WHERE seq = 100",
    "WITH x(s) AS (SELECT 100) UPDATE entry SET body = NULL WHERE seq IN (SELECT s FROM x)",
    # DELETE in its forms; without WHERE SQLite would truncate the table
    "DELETE FROM entry WHERE seq = 100",
    "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)",
    "DELETE FROM entry",
    "DELETE FROM entry WHERE rowid > 500",
    # INSERT and REPLACE in their forms
    "INSERT INTO entry(seq, header, hash, body) SELECT seq, header, hash, body FROM entry"
    " WHERE seq = 100",
    "INSERT OR REPLACE INTO entry(seq, header, hash, body) SELECT seq, header, hash, '{}'"
    " FROM entry WHERE seq = 100",
    "REPLACE INTO entry(seq, header, hash, body) SELECT seq, header, hash, '{}' FROM entry"
    " WHERE seq = 100",
    "INSERT OR IGNORE INTO entry(seq, header, hash, body) SELECT 700, header, hash, body FROM entry"
    " WHERE seq = 100",
    "INSERT INTO entry(seq, header, hash, body) SELECT seq, header, hash, body FROM entry"
    " WHERE seq = 100 ON CONFLICT(seq) DO UPDATE SET body = '{}'",
    "INSERT INTO entry(header, hash, body) SELECT header, hash, body FROM entry WHERE seq = 100",
    "INSERT INTO entry(seq, header, hash, body) SELECT -1,"
    " replace(header, '\"seq\":100', '\"seq\":-1'), hash, body FROM entry WHERE seq = 100",
    "INSERT INTO entry(seq, header, hash, body) SELECT 571,"
    " replace(header, '\"seq\":100', '\"seq\":571'), hash, body FROM entry WHERE seq = 100",
    "INSERT INTO entry(seq, header, hash, body) SELECT 570,"
    " replace(header, '\"seq\":100', '\"seq\":570'), hash, body FROM entry WHERE seq = 100",
    "INSERT INTO entry DEFAULT VALUES",
    # heads and nodes
    "UPDATE head SET root = zeroblob(32) WHERE size = 570",
    "UPDATE head SET signature = zeroblob(64)",
    "DELETE FROM head WHERE size = 570",
    "DELETE FROM head",
    "INSERT INTO head SELECT 400, root, signature, epoch FROM head WHERE size = 570",
    "INSERT INTO head SELECT 600, root, signature, epoch FROM head WHERE size = 570",
    "INSERT OR REPLACE INTO head SELECT size, zeroblob(32), signature, epoch FROM head"
    " WHERE size = 570",
    "UPDATE node SET hash = zeroblob(32)",
    "DELETE FROM node WHERE idx = 0",
    "DELETE FROM node",
    "INSERT INTO node VALUES (1, 2, zeroblob(32))",
    "INSERT INTO node VALUES (1, 5, zeroblob(32))",
    "INSERT OR REPLACE INTO node VALUES (1, 0, zeroblob(32))",
    # through views and as side effects
    "DELETE FROM audit_records WHERE seq = 100",
    "UPDATE audit_records SET actor = 'mallory' WHERE seq = 100",
    "UPDATE entry SET actor = 'mallory' WHERE seq = 100",
    "INSERT INTO entry(seq, header, hash, body, actor) VALUES (570, '{}', zeroblob(32), '{}', 'x')",
]


@pytest.fixture
def copy(populated: Populated, tmp_path: Path) -> Path:
    return Path(shutil.copy(populated.path, tmp_path / "copy.db"))


def _connect(engine: str, path: Path) -> Any:
    return sqlite3.connect(path) if engine == "sqlite3" else apsw.Connection(str(path))


def _content(path: Path) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        rows = [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("entry", "head", "node")
        ]
    finally:
        connection.close()
    return rows


@pytest.mark.parametrize("engine", ["sqlite3", "apsw"])
def test_every_kind_of_statement_that_would_change_history_is_refused(
    copy: Path, engine: str
) -> None:
    before = _content(copy)
    connection = _connect(engine, copy)
    taken = []
    for sql in STATEMENTS:
        try:
            connection.execute(sql)
        except (sqlite3.Error, apsw.Error):
            continue
        taken.append(sql)
    if engine == "sqlite3":
        connection.commit()
    connection.close()
    assert taken == []
    assert _content(copy) == before


@pytest.mark.parametrize("engine", ["sqlite3", "apsw"])
def test_with_recursive_triggers_off_and_foreign_pragmas_it_is_no_different(
    copy: Path, engine: str
) -> None:
    connection = _connect(engine, copy)
    for pragma in ("recursive_triggers=OFF", "defer_foreign_keys=ON", "legacy_alter_table=ON"):
        connection.execute(f"PRAGMA {pragma}")
    with pytest.raises((sqlite3.Error, apsw.Error), match="append only"):
        connection.execute(STATEMENTS[18])
    connection.close()


def test_the_refusals_say_why(copy: Path) -> None:
    connection = sqlite3.connect(copy)
    for sql, why in (
        ("DELETE FROM entry WHERE seq = 100", "an entry is never deleted"),
        ("UPDATE entry SET hash = zeroblob(32)", "body may become NULL, nothing else"),
        ("UPDATE head SET epoch = 1", "heads are written once"),
        ("DELETE FROM node", "nodes are written once"),
    ):
        with pytest.raises(sqlite3.IntegrityError, match=why):
            connection.execute(sql)
    connection.close()


def test_what_continues_the_chain_is_let_in_so_the_guard_is_no_dead_wall(copy: Path) -> None:
    """A stranger's well-formed append: SQL cannot refuse it, `verify` finds that no head has it."""
    connection = sqlite3.connect(copy)
    row = connection.execute("SELECT lower(hex(hash)), body FROM entry WHERE seq = 569").fetchone()
    header = canonical({"kind": "log", "prev": row[0], "seq": 570})
    connection.execute(
        "INSERT INTO entry(seq, header, hash, body) VALUES (570, ?, zeroblob(32), ?)",
        (header, row[1]),
    )
    connection.close()
