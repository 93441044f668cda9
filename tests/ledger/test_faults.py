"""Trouble with the file: nothing acknowledged is lost, nothing unsure is acknowledged."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.errors import IntegrityError, LedgerError, LedgerFatal, LedgerUnavailable
from audit_receiver.ledger import database, trouble
from audit_receiver.ledger.appender import Appended
from audit_receiver.ledger.model import Job
from tests.kit.lab import LedgerLab, check, draft

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


class Faulty:
    """A connection that fails where it is told to: before the statement runs, or after it."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real = real
        self.statement = ""
        self.code = 0
        self.persisted = False

    def fail(self, statement: str, code: int, persisted: bool = False) -> None:
        self.statement, self.code, self.persisted = statement, code, persisted

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if not self.statement or not sql.startswith(self.statement):
            return self.real.execute(sql, parameters)
        if self.persisted:
            self.real.execute(sql, parameters)
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = self.code  # type: ignore[misc]
        error.sqlite_errorname = f"CODE_{self.code}"  # type: ignore[misc]
        raise error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def faulty(lab: LedgerLab) -> Faulty:
    pen = lab.appender._writer.pen
    pen.connection = Faulty(pen.connection)  # type: ignore[assignment]
    return pen.connection  # type: ignore[return-value]


def refused(lab: LedgerLab, *names: str) -> str:
    """Send records that must not be acknowledged; returns the reason given."""
    with pytest.raises(LedgerUnavailable) as caught:
        lab.append(*(draft(name) for name in names))
    return str(caught.value)


# --- the matrix: each step fails, persisted or not ---------------------------------------


STEPS = [
    "BEGIN IMMEDIATE",
    "PRAGMA main.data_version",
    "SELECT e.seq",
    "WITH k",
    "INSERT INTO main.entry",
    "INSERT INTO main.head",
    "COMMIT",
]


@pytest.mark.parametrize("persisted", [False, True], ids=["not-done", "done"])
@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_at_any_step_heals_by_itself(
    lab: LedgerLab, step: str, persisted: bool
) -> None:
    lab.open()
    lab.append(draft("before"))
    connection = faulty(lab)
    connection.fail(step, sqlite3.SQLITE_FULL, persisted=persisted and step != "COMMIT")
    assert "disk" in refused(lab, "during")
    assert "disk" in lab.wait_for_trouble()
    assert "disk" in refused(lab, "during"), "refused at once, without a transaction"
    assert lab.witness.fatals == []
    connection.statement = ""
    lab.wait_for_trouble(False)
    assert lab.append(draft("during"), draft("before")).stored == 1
    (incident,) = lab.events("incident")
    assert incident["incident"] == "unavailable"
    assert incident["reason"].startswith("disk")
    assert lab.witness.troubles[-1] == ""
    lab.check()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
@pytest.mark.parametrize("persisted", [False, True], ids=["not-persisted", "persisted"])
def test_an_io_error_from_commit_ends_the_writer(
    lab: LedgerLab, code: int, persisted: bool
) -> None:
    lab.open()
    lab.append(draft("before"))
    faulty(lab).fail("COMMIT", code, persisted)
    refused(lab, "during")
    assert lab.witness.changed.wait(20)
    (fatal,) = lab.witness.fatals
    assert isinstance(fatal, LedgerFatal)
    assert "nothing was acknowledged" in lab.appender.status().reason
    refused(lab, "during")
    lab.appender._thread.join(20)
    lab.appender._writer.pen.connection.real.close()  # type: ignore[attr-defined]
    lab.appender._lock.release()
    lab.check()
    lab.open()
    again = lab.append(draft("before"), draft("during"))
    assert (again.duplicates, again.stored) == ((2, 0) if persisted else (1, 1))
    assert lab.incidents() == ["unclean_stop"]
    lab.check()


def test_a_damaged_page_ends_the_writer(lab: LedgerLab) -> None:
    lab.open()
    connection = faulty(lab)
    connection.fail("INSERT INTO main.entry", sqlite3.SQLITE_CORRUPT)
    refused(lab, "a")
    assert lab.witness.changed.wait(20)
    assert "verify" in str(lab.witness.fatals[0])
    lab.check(3)


def test_an_io_error_before_commit_is_waited_out(lab: LedgerLab) -> None:
    lab.open()
    connection = faulty(lab)
    connection.fail("INSERT INTO main.entry", sqlite3.SQLITE_IOERR_READ)
    assert "input/output" in refused(lab, "a")
    connection.statement = ""
    lab.wait_for_trouble(False)
    assert lab.append(draft("a")).stored == 1
    lab.check()


def test_a_rollback_that_fails_ends_the_writer(lab: LedgerLab) -> None:
    lab.open()
    connection = faulty(lab)
    real = connection.execute

    def execute(sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql.startswith(("INSERT INTO main.head", "ROLLBACK")):
            raise sqlite3.OperationalError("injected")
        return real(sql, parameters)

    connection.execute = execute  # type: ignore[method-assign]
    refused(lab, "a")
    assert lab.witness.changed.wait(20)
    assert "ROLLBACK failed" in str(lab.witness.fatals[0])
    lab.check(3)


def test_errors_are_sorted_by_whose_fault_they_are() -> None:
    assert trouble.of_ledger(ValueError("x"), True) is None
    assert trouble.of_ledger(sqlite3.ProgrammingError("no code"), True) is None
    kept = LedgerUnavailable("x")
    assert trouble.of_ledger(kept, False) is kept
    assert isinstance(trouble.of_ledger(OSError(28, "full"), False), LedgerUnavailable)
    constraint = sqlite3.IntegrityError("x")
    constraint.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT_CHECK  # type: ignore[misc]
    assert trouble.of_ledger(constraint, False) is None


def test_own_records_wait_until_the_ledger_can_be_written(lab: LedgerLab) -> None:
    lab.open()
    connection = faulty(lab)
    connection.fail("COMMIT", sqlite3.SQLITE_FULL)
    refused(lab, "a")
    lab.appender.record("incident", {"incident": "undecodable"})
    answers: list[Appended | Exception] = []
    with pytest.raises(LedgerUnavailable):
        lab.appender.submit_record("read", {}, answers.append)
    connection.statement = ""
    lab.wait_for_trouble(False)
    lab.settle()
    assert sorted(lab.incidents()) == ["unavailable", "undecodable"]
    lab.check()


def test_a_group_that_fails_half_way_through_alone_loses_nothing(
    lab: LedgerLab, caplog: pytest.LogCaptureFixture
) -> None:
    """A poisonous request makes each be tried alone; then the disk fills up after the first."""
    lab.open()
    connection = faulty(lab)
    commits = []
    real = connection.execute

    def execute(sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql == "COMMIT" and connection.statement == "armed":
            commits.append(sql)
            if len(commits) == 2:
                error = sqlite3.OperationalError("injected")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[misc]
                raise error
        return real(sql, parameters)

    connection.execute = execute  # type: ignore[method-assign]
    bad = draft("bad")._replace(body="no JSON")
    answers: list[Appended | Exception] = []
    writer = lab.appender._writer
    connection.statement = "armed"
    lab.appender._closing = True  # this thread takes the pen
    lab.appender._finish = lambda: None  # type: ignore[method-assign]
    lab.appender._waiting.wake()
    lab.appender._thread.join(20)
    jobs = [Job(drafts, (), answers.append) for drafts in ([draft("a")], [bad], [draft("b")])]
    writer.turn([*jobs, Job((), (("read", {"who": "x"}),), None)])
    assert isinstance(answers[0], LedgerUnavailable), "own records go first, then a fails"
    assert [type(answer) for answer in answers] == [LedgerUnavailable] * 3
    assert "disk" in writer.trouble
    connection.statement = ""
    writer.turn([])
    assert writer.trouble == ""
    assert lab.events("read")[0]["who"] == "x"
    writer.turn(jobs)
    assert [type(answer) for answer in answers[3:]].count(Appended) == 2
    writer.turn([])
    lab.check()
    connection.real.close()
    lab.appender._lock.release()


def fill(lab: LedgerLab) -> int:
    """Send requests until one is refused for want of space; returns how many were acknowledged."""
    for number in range(10_000):
        try:
            lab.append(*(draft(f"r{number}-{place}") for place in range(20)))
        except LedgerUnavailable:
            assert lab.wait_for_trouble().startswith("disk: no space is left")
            return number
    raise AssertionError("the disk is never full")


# --- disk --------------------------------------------------------------------------------


def test_a_file_that_may_not_grow_is_a_full_disk(lab: LedgerLab) -> None:
    lab.open()
    connection = lab.appender._writer.pen.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 2}")
    requests = fill(lab)
    connection.execute("PRAGMA max_page_count=1000000")
    lab.wait_for_trouble(False)
    again = lab.append(*(draft(f"r{number}-0") for number in range(requests + 1)))
    assert (again.duplicates, again.stored) == (requests, 1)
    lab.check()


def test_below_the_reserve_records_are_refused_and_the_ledger_says_so(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.open(disk_reserve_bytes=1000)
    free = [5000]
    guard = lab.appender._writer.pen.guard
    monkeypatch.setattr(guard, "free_bytes", lambda: free[0])
    lab.append(draft("a"))
    free[0] = 999
    assert "999 bytes are free, ledger.disk_reserve is 1000" in refused(lab, "b")
    lab.wait_for_trouble()
    while not lab.incidents():
        pass
    assert lab.incidents() == ["unavailable"], "an own record may use the reserve"
    free[0] = 1000
    lab.wait_for_trouble(False)
    assert lab.append(draft("b")).stored == 1
    lab.check()


@contextmanager
def tmpfs(directory: Path, size: str) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@pytest.mark.root
@needs_root
def test_a_real_full_disk_heals_by_itself(lab: LedgerLab) -> None:
    with tmpfs(lab.path.parent, "1m"):
        lab.open()
        filler = lab.path.parent / "filler"
        filler.write_bytes(b"x" * 300_000)
        requests = fill(lab)
        assert requests > 0
        assert not lab.appender.status().ok
        filler.unlink()
        lab.wait_for_trouble(False)
        again = lab.append(*(draft(f"r{number}-0") for number in range(requests + 1)))
        assert (again.duplicates, again.stored) == (requests, 1)
        lab.check()
        lab.close()


@pytest.mark.root
@needs_root
def test_a_start_on_a_full_disk_comes_up_and_heals(lab: LedgerLab) -> None:
    with tmpfs(lab.path.parent, "1m"):
        lab.open()
        lab.append(draft("a"))
        lab.crash()  # leaves a WAL
        filler = lab.path.parent / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * 2_000_000)
        try:
            lab.open()
        except LedgerError as exc:
            assert "full" in str(exc)  # noqa: PT017 (either is right, by what SQLite has to write)
            filler.unlink()
            lab.open()
        else:
            refused(lab, "b")
            filler.unlink()
            lab.wait_for_trouble(False)
        assert lab.append(draft("a"), draft("b")).stored == 1
        lab.check()
        lab.close()


@pytest.mark.root
@needs_root
def test_a_read_only_file_system_is_said_at_the_start(lab: LedgerLab) -> None:
    lab.open()
    lab.close()
    directory = str(lab.path.parent)
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
        with pytest.raises(LedgerError, match="Read-only file system"):
            lab.open()
    finally:
        subprocess.run(["umount", "-l", directory], check=True)
    lab.open()
    lab.check()


def test_a_ledger_that_became_read_only_heals_by_itself(lab: LedgerLab) -> None:
    lab.open()
    connection = lab.appender._writer.pen.connection
    connection.execute("PRAGMA query_only=ON")  # gives SQLITE_READONLY, as a file system would
    assert refused(lab, "a").startswith("read-only")
    connection.execute("PRAGMA query_only=OFF")
    lab.wait_for_trouble(False)
    assert lab.append(draft("a")).stored == 1
    lab.check()


# --- other people's hands ----------------------------------------------------------------


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
    commits = len(lab.witness.commits)
    lab.appender.record("incident", {"incident": "undecodable"})
    threading.Event().wait(0.2)  # some attempts
    assert len(lab.witness.commits) == commits
    away.rename(lab.path)
    lab.wait_for_trouble(False)
    lab.check()


# --- a reader that holds on --------------------------------------------------------------


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


# --- a process of its own ----------------------------------------------------------------

LIMITED = """
import os, resource, signal, sys, threading
from pathlib import Path
from tests.kit.lab import LedgerLab, draft

lab = LedgerLab(Path(sys.argv[1]))
lab.open()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = 3_000_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    for number in range(10_000):
        lab.append(draft(f"r{number}"))
        print(number, flush=True)
except Exception as exc:
    print(type(exc).__name__, exc, file=sys.stderr)
lab.witness.changed.wait(20)
os._exit(1 if lab.witness.fatals else 3)
"""


def test_a_real_io_error_from_commit_loses_nothing_acknowledged(lab: LedgerLab) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(lab.path.parent.parent)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    acknowledged = [int(line) for line in run.stdout.split()]
    assert len(acknowledged) > 10
    lab.check()
    lab.open()
    again = lab.append(*(draft(f"r{number}") for number in acknowledged))
    assert (again.duplicates, again.stored) == (len(acknowledged), 0)
    lab.check()
