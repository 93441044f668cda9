"""Trouble with the file: nothing acknowledged is lost, nothing unsure is acknowledged."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.errors import LedgerFatal, LedgerUnavailable
from audit_receiver.ledger import trouble
from audit_receiver.ledger.appender import Appended
from audit_receiver.ledger.model import Job
from tests.kit.lab import LedgerLab, draft

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


@pytest.mark.parametrize("failing", [1, 2])
def test_a_group_that_fails_half_way_through_alone_loses_nothing(
    lab: LedgerLab, failing: int
) -> None:
    """A poisonous request makes each be tried alone; then the disk fills up at the n-th."""
    lab.open()
    connection = faulty(lab)
    commits = []
    real = connection.execute

    def execute(sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql == "COMMIT" and connection.statement == "armed":
            commits.append(sql)
            if len(commits) == failing:
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
    assert [type(answer) for answer in answers] == [LedgerUnavailable] * 3
    assert "disk" in writer.trouble
    connection.statement = ""
    writer.turn([])
    assert writer.trouble == ""
    assert [event["who"] for event in lab.events("read")] == ["x"]
    writer.turn(jobs)
    assert [type(answer) for answer in answers[3:]].count(Appended) == 2
    writer.turn([])
    lab.check()
    connection.real.close()
    lab.appender._lock.release()


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
