"""The reading door: short transactions, fixed sizes, tampered files, other people's SQL."""

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import reader as reader_module
from audit_receiver.ledger.async_reader import AsyncReader
from audit_receiver.ledger.reader import Reader, UnreadableLedger
from audit_receiver.tlog.proof import (
    prove_consistency,
    prove_inclusion,
    root_from_inclusion,
    verify_consistency,
)
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_opening import tamper


def filled(lab: LedgerLab, records: int, close: bool = True) -> LedgerLab:
    lab.open()
    lab.append(*(draft(f"r{number}") for number in range(records)))
    if close:
        lab.close()
    return lab


def test_a_reader_gives_what_plain_sqlite_gives(lab: LedgerLab) -> None:
    filled(lab, 600)
    with Reader(lab.path) as reader:
        assert reader.size() == 605
        assert reader.bounds() == (0, 604)
        assert list(reader.entries()) == lab.rows(
            "SELECT seq, header, hash, body FROM entry ORDER BY seq"
        )
        assert [row[0] for row in reader.entries(10, 20)] == list(range(10, 20))
        assert list(reader.entries(700, 800)) == []
        heads = lab.rows("SELECT size, root, signature, epoch FROM head ORDER BY size")
        assert list(reader.heads()) == heads
        assert list(reader.heads(4, 604)) == [head for head in heads if 4 <= head[0] < 604]
        assert reader.tip_head() == heads[-1]
        nodes = lab.rows("SELECT level, idx, hash FROM node ORDER BY level, idx")
        assert list(reader.nodes()) == nodes
        assert len(nodes) == 2
        facts = reader.facts()
        assert facts == (1096107597, 1, 8192, "delete", "UTF-8")
        genesis = reader.genesis()
        assert genesis.event["origin"] == lab.appender.tip.origin
        assert reader.schema_digest() == genesis.event["schema_sha3"]
        assert len(reader.schema_rows()) == 32
    lab.check()


def test_chunks_join_without_a_seam(lab: LedgerLab, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(lab, 45)
    whole = lab.rows("SELECT seq, header, hash, body FROM entry ORDER BY seq")
    for rows in (1, 7, 49, 50, 51):
        monkeypatch.setattr(reader_module, "CHUNK_ROWS", rows)
        with Reader(lab.path) as reader:
            assert list(reader.entries()) == whole
    monkeypatch.setattr(reader_module, "CHUNK_ROWS", 4096)
    monkeypatch.setattr(reader_module, "CHUNK_BYTES", 1)  # large bodies: fewer at a time
    with Reader(lab.path) as reader:
        assert list(reader.entries()) == whole
    lab.check()


def test_a_slow_reader_holds_no_transaction(lab: LedgerLab) -> None:
    filled(lab, 20, close=False)
    with Reader(lab.path) as reader:
        entries = reader.entries(0, reader.size())
        next(entries)
        connection = lab.appender._writer.pen.connection
        busy, log, done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, log, done) == (0, 0, 0), "a checkpoint that truncates needs all readers gone"
        lab.append(draft("new"))
        assert len(list(entries)) == 22, "to the size fixed at the start"
    lab.check()


def test_a_crashed_ledger_is_read_with_its_wal(lab: LedgerLab) -> None:
    filled(lab, 20, close=False)
    lab.crash()
    assert Path(f"{lab.path}-wal").stat().st_size > 0
    with Reader(lab.path) as reader:
        assert not reader.is_live()
        assert reader.size() == 23
        assert reader.integrity_check() == []
    lab.check(23)


def test_whether_a_ledger_is_live_is_seen_by_its_lock(lab: LedgerLab) -> None:
    filled(lab, 1, close=False)
    with Reader(lab.path) as reader:
        assert reader.is_live()
        lab.close()
        assert not reader.is_live()
        lab.path.with_suffix(".lock").unlink()
        assert not reader.is_live()
    lab.check()


@pytest.mark.parametrize(
    "place", ["1, 'x'", "1, x'00'", "CAST(x'ff' AS TEXT), 0", "1, -9e999", "'x', 'y'", "2.5, 0"]
)
def test_no_node_of_a_tampered_file_is_passed_over(lab: LedgerLab, place: str) -> None:
    filled(lab, 600)
    tamper(
        lab.path,
        "PRAGMA ignore_check_constraints=ON",
        f"INSERT INTO node VALUES ({place}, zeroblob(32))",
    )
    with Reader(lab.path) as reader:
        assert len(list(reader.nodes())) == 3


def test_nodes_come_in_order_over_the_ends_of_chunks(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(lab, 1300)
    monkeypatch.setattr(reader_module, "CHUNK_ROWS", 2)
    with Reader(lab.path) as reader:
        assert [row[:2] for row in reader.nodes()] == [(1, idx) for idx in range(5)]


def test_proofs_are_made_from_nodes_and_tail(lab: LedgerLab) -> None:
    filled(lab, 700)
    import hashlib

    with Reader(lab.path) as reader:
        size, root, _, _ = reader.tip_head()
        heads = {head[0]: head[1] for head in reader.heads()}
        subtree = reader.subtree(size)
        for seq in (0, 1, 255, 256, 511, 512, 600, size - 1):
            header = lab.rows("SELECT header FROM entry WHERE seq = ?", (seq,))[0][0]
            leaf = hashlib.sha256(b"\0" + header.encode()).digest()
            path = prove_inclusion(seq, size, subtree)
            assert root_from_inclusion(seq, size, leaf, path) == root
        for old in (1, 3, 703):
            path = prove_consistency(old, size, subtree)
            verify_consistency(old, size, heads[old], root, path)
        with pytest.raises(ValueError, match="subtree"):
            subtree(0, size + 1)
    lab.check()


def test_a_missing_node_or_entry_is_unreadable(lab: LedgerLab) -> None:
    filled(lab, 300)
    tamper(lab.path, "DELETE FROM node", "DELETE FROM entry WHERE seq = 260")
    with Reader(lab.path) as reader:
        subtree = reader.subtree(305)
        with pytest.raises(UnreadableLedger, match="tree node 1/0 is missing"):
            subtree(0, 256)
        with pytest.raises(UnreadableLedger, match="entries are missing"):
            subtree(256, 264)


def test_values_of_any_type_come_out_of_a_tampered_file(lab: LedgerLab) -> None:
    filled(lab, 10)
    connection = sqlite3.connect(lab.path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.close()
    tamper(
        lab.path,
        "PRAGMA ignore_check_constraints = ON",
        "UPDATE entry SET body = CAST(x'7b2278223a22ff227d' AS TEXT) WHERE seq = 4",
        "UPDATE entry SET hash = 'text' WHERE seq = 5",
        "UPDATE entry SET body = NULL WHERE seq = 6",
    )
    with Reader(lab.path) as reader:
        rows = {row[0]: row for row in reader.entries()}
        assert rows[4][3] == b'{"x":"\xff"}', "text that is not UTF-8 is bytes"
        assert rows[5][2] == "text"
        assert rows[6][3] is None
        assert len(rows) == 15


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""], ids=["text", "empty"])
def test_a_file_that_is_no_ledger_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(LedgerError), Reader(path) as reader:
        reader.genesis()


def test_a_missing_ledger_is_said_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger here"):
        Reader(tmp_path / "x.db")
    assert list(tmp_path.iterdir()) == []


def test_a_torn_file_is_unreadable_where_it_is_torn(lab: LedgerLab) -> None:
    filled(lab, 600)
    raw = bytearray(lab.path.read_bytes())
    middle = len(raw) // 2 // 8192 * 8192
    raw[middle : middle + 8192 * 20] = b"\xff" * 8192 * 20
    lab.path.write_bytes(raw)
    with Reader(lab.path) as reader:
        with pytest.raises(UnreadableLedger):
            list(reader.entries())
        assert reader.integrity_check() != []


# --- integrity_check ---------------------------------------------------------------------


def swap_indexes(path: Path, one: str, other: str) -> None:
    """Exchange the root pages of two indexes: both lie from now on, and quick_check is content."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    pages = dict(connection.execute("SELECT name, rootpage FROM sqlite_master").fetchall())
    for name, page in ((one, pages[other]), (other, pages[one])):
        connection.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", (page, name))
    connection.close()


@pytest.mark.parametrize("live", [False, True], ids=["stopped", "live"])
def test_an_index_that_lies_is_found(
    lab: LedgerLab, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(lab, 300)
    swap_indexes(lab.path, "entry_actor", "entry_target")
    connection = sqlite3.connect(lab.path)
    assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    connection.close()
    said: list[str] = []
    with Reader(lab.path) as reader:
        monkeypatch.setattr(reader, "is_live", lambda: live)
        found = reader.integrity_check(said.append)
    assert any("entry_actor" in line or "entry_target" in line for line in found), found
    assert any("copying" in line for line in said) is live


def test_a_live_ledger_is_checked_on_a_copy_that_is_removed(lab: LedgerLab, tmp_path: Path) -> None:
    filled(lab, 50, close=False)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Reader(lab.path) as reader:
        assert reader.integrity_check(scratch=scratch) == []
        assert list(scratch.iterdir()) == []
        copy = tmp_path / "copy.db"
        reader.copy_to(copy)
        with pytest.raises(LedgerError, match="never overwrites"):
            reader.copy_to(copy)
        with pytest.raises(LedgerError, match="cannot be copied"):
            reader.copy_to(tmp_path / "no" / "directory")
    with Reader(copy) as reader:
        assert reader.size() == 53
        assert reader.facts().journal_mode == "delete"
    lab.append(draft("next"))
    assert lab.incidents() == []
    lab.check()


# --- somebody else's SQL -----------------------------------------------------------------


def test_a_statement_gives_columns_and_rows(lab: LedgerLab) -> None:
    filled(lab, 3)
    with Reader(lab.path) as reader:
        columns, rows = reader.select(
            "SELECT record_id AS id, outcome FROM audit_records WHERE actor = :who ORDER BY seq",
            {"who": "ann"},
        )
        assert columns == ["id", "outcome"]
        assert list(rows) == [(f"r{number}", "success") for number in range(3)]
        assert next(reader.select("PRAGMA table_info(entry)")[1])[1] == "seq"
        assert list(reader.select("SELECT 1 WHERE 0")[1]) == []
        assert list(
            reader.select(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n"
                " LIMIT 3) SELECT x FROM n"
            )[1]
        ) == [(1,), (2,), (3,)]
    lab.check()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM entry",
        "INSERT INTO head VALUES (1, 2, 3, 4)",
        "CREATE TABLE t(x)",
        "CREATE TEMP TABLE entry(x)",
        "CREATE TEMP VIEW audit_records AS SELECT 1",
        "ATTACH '/tmp/other.db' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA wal_checkpoint",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO '/tmp/copy.db'",
        "VACUUM",
        "BEGIN",
        "SELECT load_extension('x')",
        "SELECT 1; DELETE FROM entry",
        "SELEC 1",
        "",
    ],
)
def test_a_statement_that_does_more_than_read_is_refused(lab: LedgerLab, sql: str) -> None:
    filled(lab, 3)
    with Reader(lab.path) as reader, pytest.raises(LedgerError):
        list(reader.select(sql)[1])
    lab.check(8)


def test_a_statement_that_takes_too_long_is_stopped(lab: LedgerLab) -> None:
    filled(lab, 1)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT {} FROM n"
    with Reader(lab.path) as reader:
        with pytest.raises(LedgerError, match=r"longer than 0\.1 s"):
            reader.select(endless.format("max(x)"), limit_seconds=0.1)
        _, rows = reader.select(endless.format("x"), limit_seconds=0.1)
        with pytest.raises(LedgerError, match=r"longer than 0\.1 s"):
            for _ in rows:
                pass
    lab.check()


# --- inside the service ------------------------------------------------------------------


async def test_the_service_reads_beside_its_own_writer(lab: LedgerLab) -> None:
    await asyncio.to_thread(filled, lab, 5, False)
    async with AsyncReader(lab.path) as reader:
        assert await reader.size() == 8
        await asyncio.to_thread(lab.append, draft("next"))
        assert await reader.size() == 9
        assert await reader.rows("SELECT count(*) FROM audit_records WHERE seq < ?", (5,)) == [(2,)]
        with pytest.raises(LedgerError, match="cannot be read"):
            await reader.rows("DELETE FROM entry")
    with pytest.raises(LedgerError, match="closed"):
        await reader.size()
    assert lab.incidents() == []
    lab.check()


async def test_a_missing_ledger_is_said_to_the_service(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger here"):
        async with AsyncReader(tmp_path / "x.db"):
            pass


async def test_what_sqlite_cannot_open_or_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    os.mknod(tmp_path / "socket.db", stat.S_IFSOCK | 0o600)
    for name in ("folder.db", "socket.db"):  # the first fails at PRAGMA, the second at connect
        with pytest.raises(LedgerError, match="cannot be opened for reading: "):
            async with AsyncReader(tmp_path / name):
                pass
    (tmp_path / "text.db").write_text("this is no database" * 100)
    async with AsyncReader(tmp_path / "text.db") as reader:
        with pytest.raises(LedgerError, match="cannot be read: file is not a database"):
            await reader.size()
