"""The tables and their guards, attacked with plain SQL; the views; the stock shell's check."""

import sqlite3
import subprocess
from pathlib import Path

import pytest

from audit_receiver.ledger import database
from tests.kit.lab import SECOND, START, LedgerLab, draft

COLUMNS = [  # DESIGN 3.5
    *("seq", "kind", "timestamp", "received_at", "service", "environment", "actor", "actor_type"),
    *("action", "target", "target_type", "old_value", "new_value", "outcome", "source_ip"),
    *("name", "event", "message", "trace_id", "span_id", "record_id", "flags", "duplicate_of"),
    *("attributes", "resource", "scope", "body", "prev_hash", "hash"),
]
VIEWS = ("audit_records", "audit_records_all", "audit_spans", "audit_logs", "ledger_events")


def write(path: Path, sql: str) -> None:
    """As an attacker with a stock client and write access does."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(sql)
    finally:
        connection.close()


@pytest.fixture
def filled(lab: LedgerLab) -> LedgerLab:
    lab.open()
    lab.append(draft("r1"), draft("r2", span="ab"), draft(action="a"), draft("r3"))
    lab.append(draft(action="a"))
    lab.close()
    return lab


def test_the_digest_of_the_schema_is_the_frozen_one() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(database.schema_text())
    rows = connection.execute(database.SCHEMA_ROWS).fetchall()
    connection.close()
    assert database.schema_digest(rows) == database.SCHEMA_SHA3
    assert database.SCHEMA_SHA3 == (  # with the stock shell: sha3() over sqlite_master, see below
        "8d81019cf581150b44beb3bd7c20ba4e22bfbae54883459ae980a491a9e433e3"
    )


def test_the_additions_make_the_first_schema_the_present_one() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    first = Path(database.__file__).with_name("schema.sql").read_text()
    connection.executescript(first)
    rows = connection.execute(database.SCHEMA_ROWS).fetchall()
    assert database.schema_digest(rows) == database.FIRST_SCHEMA_SHA3
    assert database.FIRST_SCHEMA_SHA3 == (
        "3cace8f0aaecf37424cba2d9762b6866938b55b40d03bbe83e03226ae7f24ed0"
    )
    for statement in database.additions():
        connection.execute(statement)
    rows = connection.execute(database.SCHEMA_ROWS).fetchall()
    connection.close()
    assert database.schema_digest(rows) == database.SCHEMA_SHA3


def test_the_stock_shell_computes_the_same_digest(tmp_path: Path) -> None:
    sql = (
        "SELECT lower(hex(sha3(CAST(group_concat(type||char(0)||name||char(0)||tbl_name||char(0)"
        "||sql||char(10), '') AS BLOB), 256))) FROM (SELECT * FROM sqlite_master WHERE sql NOT NULL"
        " AND NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))"
        " ORDER BY type, name);"
    )
    shell = subprocess.run(
        ["sqlite3", str(tmp_path / "x.db")],
        input=database.schema_text() + sql,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout.strip() == database.SCHEMA_SHA3


def test_a_hidden_object_named_like_sqlites_own_changes_the_digest() -> None:
    rows = [("table", "t", "t", "CREATE TABLE t(x)")]
    plain = database.schema_digest(rows)
    stats = [
        ("table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
        ("table", "_litestream_seq", "_litestream_seq", "CREATE TABLE _litestream_seq(x)"),
        ("index", "sqlite_autoindex_t_1", "t", None),
    ]
    assert database.schema_digest([*stats, *rows]) == plain
    trigger = ("trigger", "sqlite_stat1", "t", "CREATE TRIGGER sqlite_stat1 ...")
    assert database.schema_digest([*rows, trigger]) != plain


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_the_columns_that_people_rely_on(filled: LedgerLab, view: str) -> None:
    found = [row[1] for row in filled.rows(f"PRAGMA table_info({view})")]
    assert found[: len(COLUMNS)] == COLUMNS
    assert found[len(COLUMNS) :] == (["details"] if view == "ledger_events" else [])
    filled.check()


def test_the_views_show_what_belongs_into_them(filled: LedgerLab) -> None:
    def seqs(view: str) -> list[int]:
        return [seq for (seq,) in filled.rows(f"SELECT seq FROM {view} ORDER BY seq")]

    assert seqs("audit_records") == [3, 4, 5, 6], "without the duplicate"
    assert seqs("audit_records_all") == [3, 4, 5, 6, 7]
    assert seqs("audit_spans") == [4]
    assert seqs("audit_logs") == [3, 5, 6]
    assert seqs("ledger_events") == [0, 1, 2, 8, 9]
    assert filled.rows("SELECT event FROM ledger_events WHERE seq = 9") == [("stop",)]
    row = filled.rows(
        "SELECT kind, timestamp, service, actor, action, target, outcome, source_ip, trace_id,"
        " span_id, record_id, flags, duplicate_of, length(hash) FROM audit_spans"
    )
    time = "2026-09-21T14:13:20.000000000Z"
    who = ("svc", "ann", "user.login", "bob", "success", "10.0.0.1")
    assert row == [("span", time, *who, "ab" * 16, "ab" * 8, "r2", "[]", None, 64)]
    filled.check()


REFUSED = [
    "UPDATE entry SET body = '{}' WHERE seq = 3",
    "UPDATE entry SET body = NULL WHERE seq = 3",
    "UPDATE entry SET header = header",
    "UPDATE entry SET hash = zeroblob(32) WHERE seq = 3",
    "UPDATE entry SET seq = 100 WHERE seq = 9",
    "DELETE FROM entry WHERE seq = 3",
    "DELETE FROM entry",
    "INSERT OR REPLACE INTO entry(seq, header, hash, body)"
    " SELECT seq, header, hash, body FROM entry WHERE seq = 3",
    "REPLACE INTO entry(seq, header, hash, body) SELECT 3, header, hash, body FROM entry WHERE"
    " seq = 4",
    "INSERT INTO entry(seq, header, hash, body) SELECT seq, header, hash, body FROM entry WHERE"
    " seq = 3 ON CONFLICT(seq) DO UPDATE SET body = '{}'",
    "INSERT INTO entry(seq, header, hash, body) SELECT 11, json_set(header, '$.seq', 11), hash,"
    " body FROM entry WHERE seq = 9",
    "INSERT INTO entry(seq, header, hash, body) SELECT -1, json_set(header, '$.seq', -1), hash,"
    " body FROM entry WHERE seq = 9",
    "INSERT INTO entry(seq, header, hash, body) SELECT 10, json_set(header, '$.seq', 10), hash,"
    " body FROM entry WHERE seq = 9",
    "INSERT INTO entry(seq, header, hash, body) SELECT 10, json_set(header, '$.seq', 10, '$.prev',"
    " lower(hex(hash))), hash, NULL FROM entry WHERE seq = 9",
    "INSERT INTO entry(seq, header, hash, body) SELECT 10, json_set(header, '$.seq', 10, '$.prev',"
    " lower(hex(hash))), 'text', body FROM entry WHERE seq = 9",
    "INSERT INTO entry(seq, header, hash, body) SELECT 10, json_set(header, '$.seq', 11, '$.prev',"
    " lower(hex(hash))), hash, body FROM entry WHERE seq = 9",
    "UPDATE head SET root = zeroblob(32)",
    "DELETE FROM head WHERE size = 10",
    "INSERT INTO head VALUES (11, zeroblob(32), zeroblob(64), 0)",
    "INSERT INTO head VALUES (10, zeroblob(32), zeroblob(64), 0)",
    "INSERT OR REPLACE INTO head VALUES (10, zeroblob(32), zeroblob(64), 0)",
    "INSERT INTO node VALUES (1, 0, zeroblob(32))",
    "INSERT INTO node VALUES (0, 0, zeroblob(32))",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_plain_sql_cannot_change_or_forge(filled: LedgerLab, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        write(filled.path, statement)
    filled.check(10)


def test_nodes_are_written_once(lab: LedgerLab) -> None:
    lab.open()
    lab.append(*(draft(f"r{number}") for number in range(300)))
    lab.close()
    for statement in (
        "UPDATE node SET hash = zeroblob(32)",
        "DELETE FROM node",
        "INSERT OR REPLACE INTO node VALUES (1, 0, zeroblob(32))",
        "INSERT INTO node VALUES (1, 1, zeroblob(32))",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            write(lab.path, statement)
    lab.check()


def test_only_bodies_named_by_a_signed_erase_entry_may_go(lab: LedgerLab) -> None:
    lab.open()
    known = lab.append(draft("r1"), draft("r2"), draft("r3"))
    lab.appender.record("erase", {"ranges": [[known.first_seq, known.first_seq + 1]]})
    lab.settle()
    lab.close()
    write(lab.path, f"UPDATE entry SET body = NULL WHERE seq = {known.first_seq}")
    for seq in (known.last_seq, 0, known.last_seq + 1, known.first_seq):
        with pytest.raises(sqlite3.IntegrityError, match="body may become NULL"):
            write(lab.path, f"UPDATE entry SET body = NULL WHERE seq = {seq}")
    with pytest.raises(sqlite3.IntegrityError):
        write(lab.path, f"UPDATE entry SET body = '{{}}' WHERE seq = {known.first_seq}")
    lab.check()


@pytest.mark.parametrize("column", ["actor", "target", "trace_id", "record_id"])
def test_looking_up_by_who_and_what_skips_through_a_block_first_index(
    filled: LedgerLab, column: str
) -> None:
    plan = filled.rows(f"EXPLAIN QUERY PLAN SELECT * FROM audit_records WHERE {column} = 'x'")
    assert any(f"ANY(block) AND {column}=?" in row[3] for row in plan), plan
    filled.check()


def test_the_articles_question_is_served_by_an_index(filled: LedgerLab) -> None:
    plan = filled.rows(
        "EXPLAIN QUERY PLAN SELECT timestamp, actor FROM audit_records WHERE action = 'user.login'"
        " AND timestamp >= strftime('%Y-%m-%dT%H:%M:%f', 'now', '-90 days')"
    )
    assert any("USING INDEX entry_action (action=? AND time>?)" in row[3] for row in plan), plan
    filled.check()


def shell(path: Path) -> list[str]:
    run = subprocess.run(
        ["sqlite3", "-readonly", str(path)],
        input=database.check_text(),
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip().split("|")


def test_the_stock_shell_checks_a_ledger_with_one_statement(filled: LedgerLab) -> None:
    assert shell(filled.path) == ["10", "9", "0", "0", "0", "0", "0", "0"]
    filled.check(10)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE entry SET body = replace(body, 'ann', 'eve') WHERE seq = 3",
            "bad_body bad_subject",
        ),
        ("UPDATE entry SET header = replace(header, 'svc', 'abc') WHERE seq = 4", "bad_hash"),
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 5", "bad_hash bad_link"),
        ("DELETE FROM entry WHERE seq = 4", "bad_link bad_seq"),
    ],
)
def test_the_stock_shell_finds_what_was_changed(
    filled: LedgerLab, statement: str, expected: str
) -> None:
    from tests.ledger.test_opening import tamper

    tamper(filled.path, statement)
    names = ["bad_hash", "bad_body", "bad_link", "bad_seq", "bad_subject"]
    counts = dict(zip(names, shell(filled.path)[2:7], strict=True))
    assert {name for name, count in counts.items() if count != "0"} == set(expected.split())


def test_the_stock_shell_reads_a_live_ledger(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"), draft("b", time_unix_nano=START + SECOND))
    assert shell(lab.path) == ["5", "4", "0", "0", "0", "0", "0", "0"]
    lab.check(5)
