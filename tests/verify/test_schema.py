"""The pinned schemas against what SQLite makes of schema.sql, and objects that differ."""

import re
import sqlite3
from hashlib import sha3_256
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.ledger import database
from audit_receiver.verify import schema
from audit_receiver.verify.findings import Finding
from audit_receiver.verify.released import APPLICATION_ID, RELEASED
from tools import pin_schema

Row = tuple[Any, Any, Any, Any]


def real_rows(*more: str) -> list[Row]:
    """What SQLite says of a schema made from schema.sql and what came to it."""
    connection = sqlite3.connect(":memory:")
    for name in ("schema.sql", "checkpoints.sql"):
        text = resources.files("audit_receiver.ledger").joinpath(name).read_text("utf-8")
        connection.executescript(text)
    for sql in more:
        connection.execute(sql)
    return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()


def wrong(rows: list[Row], application_id: Any = APPLICATION_ID, version: Any = 1) -> list[Finding]:
    checker = schema.SchemaChecker()
    checker.check(rows, application_id, version)
    return checker.findings


def test_the_pinned_schema_is_the_one_that_ledgers_are_made_with() -> None:
    rows = real_rows()
    kept = sorted(row for row in rows if row[3] and not row[1].startswith("sqlite_stat"))
    text = "".join(f"{kind}\0{name}\0{table}\0{sql}\n" for kind, name, table, sql in kept)
    digest = sha3_256(text.encode()).hexdigest()
    assert digest == schema.digest(rows) == database.SCHEMA_SHA3
    version, objects = RELEASED[digest]
    assert version == database.USER_VERSION
    assert APPLICATION_ID == database.APPLICATION_ID
    expected = {(row[0], row[1]): sha3_256(row[3].encode()).hexdigest() for row in kept}
    assert objects == expected
    assert wrong(rows) == []


def test_the_digest_is_the_one_that_the_stock_shell_can_compute() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(database.schema_text())
    [text] = connection.execute(
        "SELECT group_concat(line, '') FROM (SELECT CAST(type AS BLOB) || x'00' || name || x'00'"
        " || tbl_name || x'00' || sql || x'0a' AS line FROM sqlite_master WHERE sql IS NOT NULL"
        " AND name NOT IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY type, name)"
    ).fetchone()
    raw = text if isinstance(text, bytes) else text.encode()
    assert sha3_256(raw).hexdigest() == database.SCHEMA_SHA3


def test_the_tool_has_nothing_to_add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Path(schema.__file__).with_name("released.py")
    before = target.read_text()
    pin_schema.main()
    assert target.read_text() == before


@pytest.mark.parametrize(
    "name", ["entry_insert", "node_delete", "audit_logs", "entry_trace", "head"]
)
def test_a_dropped_object_is_named(name: str) -> None:
    rows = [row for row in real_rows() if row[1] != name]
    [finding] = wrong(rows)
    assert re.fullmatch(rf"(trigger|view|index|table) {name} was dropped", finding.message)


@pytest.mark.parametrize("row", real_rows(), ids=lambda row: f"{row[0]}-{row[1]}")
def test_any_changed_character_of_any_object_is_named(row: Row) -> None:
    if row[3] is None or row[1] == "sqlite_stat1":
        return
    rows = [(*one[:3], one[3] + " ") if one == row else one for one in real_rows()]
    [finding] = wrong(rows)
    assert finding.message == f"{row[0]} {row[1]} was changed"
    assert finding.expected != finding.found


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE notes(a)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER late AFTER INSERT ON entry BEGIN SELECT 1; END",
        "CREATE INDEX more ON entry(kind)",
    ],
)
def test_an_added_object_is_named(sql: str) -> None:
    [finding] = wrong(real_rows(sql))
    assert finding.message == f"{sql.split()[1].lower()} {sql.split()[2].split('(')[0]} was added"


def test_an_object_moved_to_another_table_is_found() -> None:
    rows = [(*row[:2], "head", row[3]) if row[1] == "entry_time" else row for row in real_rows()]
    assert [f.kind for f in wrong(rows)] == ["schema"]


def test_an_object_that_stands_twice_is_found() -> None:
    rows = real_rows()
    assert [f.kind for f in wrong([*rows, rows[3]])] == ["schema"]


@pytest.mark.parametrize(
    "row",
    [
        ("table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
        ("table", "sqlite_stat4", "sqlite_stat4", "CREATE TABLE sqlite_stat4(a)"),
        ("table", "_litestream_seq", "_litestream_seq", "CREATE TABLE _litestream_seq(a)"),
        ("table", "_litestream_lock", "_litestream_lock", "CREATE TABLE _litestream_lock(a)"),
        ("index", "sqlite_autoindex_x_1", "x", None),
    ],
)
def test_what_sqlite_and_litestream_add_does_not_count(row: Row) -> None:
    assert wrong([*real_rows(), row]) == []


@pytest.mark.parametrize(
    "row",
    [
        ("trigger", "sqlite_stat1", "entry", "CREATE TRIGGER sqlite_stat1 ..."),
        ("trigger", "_litestream_seq", "entry", "CREATE TRIGGER _litestream_seq ..."),
        ("view", "sqlite_stat4", "sqlite_stat4", "CREATE VIEW sqlite_stat4 AS SELECT 1"),
        ("table", "sqlite_other", "sqlite_other", "CREATE TABLE sqlite_other(a)"),
    ],
)
def test_what_only_has_their_names_does_count(row: Row) -> None:
    [finding] = wrong([*real_rows(), row])
    assert finding.message == f"{row[0]} {row[1]} was added"


@pytest.mark.parametrize("value", [0, 7, None, "x", 2**40])
def test_another_application_or_format_number_is_found(value: object) -> None:
    assert [f.kind for f in wrong(real_rows(), application_id=value)] == ["schema"]
    assert [f.kind for f in wrong(real_rows(), version=value)] == ["schema"]


def test_a_released_schema_that_the_ledger_does_not_state_is_found() -> None:
    checker = schema.SchemaChecker()
    checker.check(real_rows(), APPLICATION_ID, 1)
    for stated in ("0" * 64, 5, ["x"]):
        checker.stated = stated
        [finding] = checker.findings
        assert "not the one that the ledger's records state" in finding.message
    checker.stated = database.SCHEMA_SHA3
    assert checker.findings == []
