"""A change of the key that is killed, or refused by the disk, at each of its steps."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.ledger import durable
from audit_receiver.ledger.keysource import file
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_rotation import DAY, key_in, names_of, raw

STEPS = frozenset({"open", "fdopen", "fchmod", "chmod", "fsync", "pwrite", "link", "rename"})
STEPS |= {"unlink"}


class Stepping:
    """`os`, with a word before each call that touches the disk."""

    def __init__(self, before: Callable[[str], None]) -> None:
        self._before = before

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in STEPS:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            self._before(name)
            return real(*arguments, **named)

        return call


class Statements:
    """A connection, with a word before each statement."""

    def __init__(self, real: Any, before: Callable[[str], None]) -> None:
        self._real, self._before = real, before

    def execute(self, sql: str, *parameters: Any) -> Any:
        self._before(sql.split()[0])
        return self._real.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextmanager
def stepping(lab: LedgerLab, before: Callable[[str], None]) -> Iterator[None]:
    """While this lasts, `before` is told of each step of the key files and of SQLite."""
    pen = lab.appender._writer.pen
    real = pen.connection
    file.os = durable.os = Stepping(before)  # type: ignore[assignment,attr-defined]
    pen.connection = Statements(real, before)  # type: ignore[assignment]
    try:
        yield
    finally:
        file.os = durable.os = os  # type: ignore[attr-defined]
        pen.connection = real


# ---- killed --------------------------------------------------------------------------------------

VICTIM = """
import os, signal, sys
from itertools import count
from pathlib import Path
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_rotation import DAY
from tests.ledger.test_rotation_faults import stepping

def die_at(directory, number):
    lab = LedgerLab(directory)
    lab.open(key_rotation_seconds=DAY)
    lab.append(draft("before"))
    left = [number]
    def before(step):
        if left[0] == 0:
            print(step, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
    lab.clock.pass_seconds(DAY)
    with stepping(lab, before):
        lab.settle()
        lab.settle()
    os._exit(0)

for number in count():
    child = os.fork()
    if child == 0:
        die_at(Path(sys.argv[1]) / str(number), number)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_start_after_kill_9_at_any_step_finishes_or_undoes(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", VICTIM, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    steps = run.stdout.split()
    assert {"link", "rename", "COMMIT", "pwrite", "unlink"} <= set(steps), steps
    linked = steps.index("link")
    committed = max(i for i, step in enumerate(steps) if step == "COMMIT" and i < linked)
    assert steps.index("open") < committed < linked < steps.index("rename")
    named = []
    for number, step in enumerate(steps):
        lab = LedgerLab(tmp_path / str(number))
        lab.clock.pass_seconds(DAY + 1)
        first = raw(lab.path.with_suffix(".vkey").read_text().strip())
        lab.open()
        try:
            lab.append(draft("after"))
            events = lab.events("key")
            named.append(len(events))
            expected = raw(events[-1]["vkey"]) if events else first
            place = f"killed before step {number}, {step}"
            assert names_of(lab) == ["ledger.key", "ledger.logkey", "ledger.vkey"], place
            assert key_in(lab.path.with_suffix(".key")) == expected, place
            lab.check()
            lab.close()
            lab.open(key_rotation_seconds=60.0)
            lab.append(draft("later"))
            assert len(lab.events("key")) >= 1, place
            lab.check()
        finally:
            lab.discard()
    assert named == sorted(named)
    assert set(named) == {0, 1}
    assert named.index(1) == committed + 1


# ---- refused -------------------------------------------------------------------------------------


def steps_of(lab: LedgerLab) -> list[str]:
    """Every step of a change of the key on the key files, in a ledger of its own."""
    told: list[str] = []
    lab.open(key_rotation_seconds=DAY)
    lab.clock.pass_seconds(DAY)
    with stepping(lab, told.append):
        lab.settle()
        lab.settle()
    lab.discard()
    return [step for step in told if step in STEPS]


@pytest.mark.parametrize("lasting", [True, False], ids=["until-healed", "once"])
def test_a_disk_that_refuses_any_step_costs_no_record(tmp_path: Path, lasting: bool) -> None:
    steps = steps_of(LedgerLab(tmp_path / "model"))
    assert len(steps) > 12
    for number, step in enumerate(steps):
        lab = LedgerLab(tmp_path / str(number))
        lab.open(key_rotation_seconds=DAY)
        lab.append(draft("before"))
        lab.clock.pass_seconds(DAY)
        left = number

        def refuse(name: str, lasting: bool = lasting) -> None:
            nonlocal left
            if name in STEPS:
                left -= 1
                if left == -1 or (lasting and left < 0):
                    raise OSError(errno.ENOSPC, "No space left on device")

        place = f"refused at step {number}, {step}"
        try:
            with stepping(lab, refuse):
                lab.settle()
                assert lab.append(draft("during")).stored == 1, place
                assert lab.appender.status().ok, place
            lab.clock.pass_seconds(61)
            lab.settle()
            lab.settle()
            lab.append(draft("after"))
            assert len(lab.events("key")) == 1, place
            assert names_of(lab) == ["ledger.key", "ledger.logkey", "ledger.vkey"], place
            assert key_in(lab.path.with_suffix(".key")) == raw(lab.events("key")[0]["vkey"])
            assert set(lab.incidents()) <= {"key_not_rotated", "old_key_kept"}
            assert len(lab.incidents()) <= 2, place
            if lasting:
                assert lab.incidents(), place
            lab.check()
            lab.close()
            lab.open(key_rotation_seconds=0.0)
            lab.check()
        finally:
            lab.discard()


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
def test_a_full_disk_at_the_commit_leaves_the_old_key_in_office(
    lab: LedgerLab, statement: str
) -> None:
    lab.open(key_rotation_seconds=DAY)
    lab.append(draft("before"))
    lab.clock.pass_seconds(DAY)
    full = True

    def refuse(name: str) -> None:
        if full and name == statement:
            error = sqlite3.OperationalError("injected")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[misc]
            error.sqlite_errorname = "SQLITE_FULL"  # type: ignore[misc]
            raise error

    with stepping(lab, refuse):
        lab.appender._waiting.wake()
        lab.wait_for_trouble()
        assert lab.events("key") == []
        full = False
        lab.wait_for_trouble(False)
        lab.settle()
    lab.append(draft("after"))
    assert len(lab.events("key")) == 1
    assert names_of(lab) == ["ledger.key", "ledger.logkey", "ledger.vkey"]
    lab.check()
