"""Other people's hands on the file: writers, movers, and readers that hold on."""

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger import database
from tests.kit.lab import LedgerLab, check, draft
from tests.ledger.test_faults import refused


def test_a_foreign_write_lock_is_waited_out(lab: LedgerLab) -> None:
    lab.open()
    lab.appender._writer.pen.connection.execute("PRAGMA busy_timeout=20")
    other = sqlite3.connect(lab.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refused(lab, "a").startswith("locked")
    other.execute("ROLLBACK")
    other.close()
    lab.wait_for_trouble(False)
    assert lab.append(draft("a")).stored == 1
    lab.check()


def test_a_foreign_write_that_changes_nothing_of_ours_is_an_incident(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    other = sqlite3.connect(lab.path)
    other.execute("CREATE TABLE scratch(x)")
    other.execute("DROP TABLE scratch")
    other.commit()
    other.close()
    assert lab.append(draft("b")).stored == 1
    assert lab.append(draft("c")).stored == 1
    assert lab.incidents() == ["foreign_write"], "once, and not for our own commits"
    assert "foreign_write" in lab.witness.incidents
    lab.check()


@pytest.mark.parametrize(
    "statement", ["DROP TRIGGER entry_delete", "CREATE TABLE notes(x)", "DROP VIEW audit_records"]
)
def test_a_schema_changed_while_we_run_fails_closed(lab: LedgerLab, statement: str) -> None:
    lab.open()
    lab.append(draft("a"))
    other = sqlite3.connect(lab.path)
    other.execute(statement)
    other.close()
    assert "schema was changed" in refused(lab, "b")
    assert lab.wait_for_trouble().startswith("foreign_write")
    assert "foreign_write" in lab.witness.incidents
    assert len(lab.headers()) == 4


def test_an_entry_appended_by_somebody_else_fails_closed(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    other = sqlite3.connect(lab.path)
    other.execute(
        "INSERT INTO entry(seq, header, hash, body) SELECT seq + 1,"
        " json_set(header, '$.seq', seq + 1, '$.prev', lower(hex(hash))), randomblob(32), body"
        " FROM entry ORDER BY seq DESC LIMIT 1"
    )
    other.commit()
    other.close()
    assert "last entry or head" in refused(lab, "b")
    lab.wait_for_trouble()
    assert "could not be recorded" in lab.close()
    with pytest.raises(IntegrityError):
        lab.open()


def test_readers_do_not_look_like_foreign_writes(lab: LedgerLab) -> None:
    lab.open()
    for number in range(5):
        lab.append(draft(f"r{number}"))
        check(lab.path)
        lab.rows("SELECT count(*) FROM audit_records")
    assert lab.incidents() == []
    lab.check()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"], ids=["ledger", "wal", "shm"])
def test_an_unlinked_file_fails_closed_before_the_acknowledgement(
    lab: LedgerLab, suffix: str
) -> None:
    lab.open()
    lab.append(draft("a"))
    Path(f"{lab.path}{suffix}").unlink()
    reason = refused(lab, "b")
    assert reason.startswith("replaced")
    assert "is gone" in reason
    assert lab.wait_for_trouble().startswith("replaced")
    assert refused(lab, "b").startswith("replaced")
    assert "unavailable" in lab.witness.incidents


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"], ids=["ledger", "wal", "shm"])
def test_a_replaced_file_fails_closed_before_the_acknowledgement(
    lab: LedgerLab, suffix: str
) -> None:
    lab.open()
    lab.append(draft("a"))
    path = Path(f"{lab.path}{suffix}")
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.rename(path)
    assert "is not the file that is held open" in refused(lab, "b")
    assert lab.wait_for_trouble().startswith("replaced")


def test_a_ledger_moved_away_and_back_goes_on(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    away = lab.path.with_name("away")
    lab.path.rename(away)
    assert refused(lab, "b", "c").startswith("replaced")
    size = lab.appender.tip.size
    away.rename(lab.path)
    lab.wait_for_trouble(False)
    again = lab.append(draft("b"), draft("c"))
    assert again.duplicates == 2, "it had been committed, and was only not acknowledged"
    assert lab.incidents() == ["unavailable"]
    lab.check(size + 1)


def test_nothing_is_written_while_the_file_is_not_ours(lab: LedgerLab) -> None:
    lab.open()
    away = lab.path.with_name("away")
    lab.path.rename(away)
    refused(lab, "a")
    size = lab.appender.tip.size
    lab.appender.record("incident", {"incident": "undecodable"})
    threading.Event().wait(0.2)  # some attempts
    assert lab.appender.tip.size == size
    away.rename(lab.path)
    lab.wait_for_trouble(False)
    lab.check()


def test_own_records_of_a_group_that_was_not_acknowledged_stand_there_once(
    lab: LedgerLab,
) -> None:
    lab.open()
    away = lab.path.with_name("away")
    lab.path.rename(away)
    lab.appender.record("read", {"who": "x"})
    lab.wait_for_trouble()
    away.rename(lab.path)
    lab.wait_for_trouble(False)
    lab.settle()
    assert [event["who"] for event in lab.events("read")] == ["x"]
    lab.check()


def test_a_stop_does_not_touch_the_files_of_another_ledger_in_our_place(lab: LedgerLab) -> None:
    lab.open()
    wal = Path(f"{lab.path}-wal")
    for path in (lab.path, wal):
        copy = path.with_name("copy")
        copy.write_bytes(b"another")
        copy.rename(path)
    refused(lab, "a")
    assert "left in WAL mode (replaced" in lab.close()
    assert (lab.path.read_bytes(), wal.read_bytes()) == (b"another", b"another")


def test_a_reader_in_a_transaction_never_blocks_the_writer_and_the_wal_shrinks_afterwards(
    lab: LedgerLab,
) -> None:
    lab.open()
    reader = sqlite3.connect(f"file:{lab.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM entry").fetchone() == (3,)
    connection = lab.appender._writer.pen.connection
    connection.execute("PRAGMA wal_autocheckpoint=50")
    connection.execute("PRAGMA journal_size_limit=500000")
    for number in range(40):
        lab.append(*(draft(f"r{number}-{place}") for place in range(50)))
    grown = lab.witness.commits[-1].wal_bytes
    assert grown > 3_000_000
    assert reader.execute("SELECT count(*) FROM entry").fetchone() == (3,), "its own moment"
    reader.execute("COMMIT")
    for number in range(3):
        lab.append(draft(f"after {number}"))
    assert lab.witness.commits[-1].wal_bytes <= 500_000
    reader.close()
    lab.check()


def test_a_reader_at_the_start_is_named_as_the_obstacle(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.open()
    lab.close()
    reader = sqlite3.connect(f"file:{lab.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entry").fetchone()
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 20)
    with pytest.raises(LedgerError, match="holds it in a transaction must end"):
        lab.open()
    reader.close()
    lab.open()
    lab.check()


def test_a_reader_at_the_stop_leaves_wal_and_says_so(lab: LedgerLab) -> None:
    lab.open()
    reader = sqlite3.connect(f"file:{lab.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entry").fetchone()
    assert "left in WAL mode" in lab.close()
    reader.close()
    lab.check()
    lab.open()
    assert lab.events("start")[-1]["clean"] is True
    lab.check()
