"""A populated ledger that the tests here read or copy, and the command line in-process."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from audit_receiver.cli.main import run
from tests.kit.attacker import copy_of
from tests.kit.lab import SECOND, START, LedgerLab, draft

if TYPE_CHECKING:
    from tests.cli.scene import Scene

ACTORS = ("alice", "bob", "carol", "dave", "erin")
ACTIONS = ("role_update", "login", "config_change")
RECORDS = 560
PER_REQUEST = 7
DAY = 86_400 * SECOND


class Result(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Populated(NamedTuple):
    """The ledger, and what was put into it, by seq."""

    path: Path
    early: Path  # the same ledger, 280 records earlier
    notes: dict[int, Path]  # checkpoints by size
    records: dict[int, dict[str, Any]]

    @property
    def vkey(self) -> Path:
        return self.path.with_suffix(".vkey")

    @property
    def size(self) -> int:
        return max(self.notes)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`audit-receiver ...` in this process."""

    def call(*words: str | Path, stdin: str = "") -> Result:
        out, err = io.BytesIO(), io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8", write_through=True))
            patch.setattr(sys, "stderr", io.TextIOWrapper(err, "utf-8", write_through=True))
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            code = run([str(word) for word in words])
            return Result(code, out.getvalue().decode(), err.getvalue().decode())

    return call


@pytest.fixture(scope="session")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Populated:
    """560 records of three kinds of action by five people, over two runs, closed cleanly."""
    folder = tmp_path_factory.mktemp("populated")
    lab = LedgerLab(folder, heartbeat_seconds=40.0)
    lab.open()
    records: dict[int, dict[str, Any]] = {}
    early, notes = folder / "early.db", {}
    for first in range(0, RECORDS, PER_REQUEST):
        if first == RECORDS // 2:
            lab.close()
            early.write_bytes(lab.path.read_bytes())
            early.with_suffix(".vkey").write_bytes(lab.path.with_suffix(".vkey").read_bytes())
            _note(lab.path, folder, notes)
            lab.open()
        lab.clock.pass_seconds(1)
        told = [_record(number) for number in range(first, first + PER_REQUEST)]
        stored = lab.append(*(draft(**words) for words in told))
        assert stored.stored == PER_REQUEST
        assert stored.last_seq is not None
        records.update(
            zip(range(stored.last_seq + 1 - PER_REQUEST, stored.last_seq + 1), told, strict=True)
        )
    lab.close()
    lab.check()
    _note(lab.path, folder, notes)
    return Populated(lab.path, early, notes, records)


def _record(number: int) -> dict[str, Any]:
    """Number 0 is the oldest event; every hundredth record states no time, every 50th failed."""
    words: dict[str, Any] = {
        "record_id": f"record-{number}" if number % 3 else "",
        "time_unix_nano": 0 if number % 100 == 99 else START - (RECORDS - number) * DAY // 4,
        "action": ACTIONS[number % 3],
        "outcome": "failure" if number % 50 == 0 else "success",
        "service": f"svc-{number % 4}",
        "span": f"{number % 90 + 100:x}" if number % 2 else "",
        "audit_actor_id": ACTORS[number % 5],
        "audit_target_id": f"target-{number % 40}",
        "audit_change_old": f"old {number}",
        "audit_change_new": f"new {number}",
    }
    if number == 77:
        words["note"] = 'said "100% = ~all_of it" in Zürich\n'
    return words


def _note(ledger: Path, folder: Path, notes: dict[int, Path]) -> None:
    path = folder / f"checkpoint-{len(notes)}.txt"
    assert run(["checkpoint", str(ledger), "--output", str(path)]) == 0
    notes[int(path.read_text().splitlines()[1])] = path


@pytest.fixture
def scene(populated: Populated, tmp_path: Path, command: Callable[..., Result]) -> "Scene":
    """A copy of the populated ledger, to be attacked."""
    from tests.cli.scene import Scene

    return Scene(copy_of(populated.path, tmp_path), populated, command)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LedgerLab]:
    """A ledger of one test's own, with its writer running."""
    made = LedgerLab(tmp_path)
    made.open()
    yield made
    made.discard()
