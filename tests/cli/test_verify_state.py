"""`verify --state`, `--incremental`, `--jobs`: remember, go on from there, share the work."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_receiver import examine
from audit_receiver.inspection import parallel
from audit_receiver.ledger.reader import Reader, UnreadableLedger
from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, copy_of
from tests.kit.lab import LedgerLab, draft
from tests.kit.server import environment

Command = Callable[..., Result]


def told(command: Command, *words: str | Path) -> tuple[int, dict[str, Any]]:
    result = command("verify", *words, "--format", "json")
    return result.code, result.json()


def test_what_held_is_remembered_and_covers_the_next_run(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    state = tmp_path / "seen.json"
    assert command("verify", populated.early, "--state", state).code == 3
    kept = json.loads(state.read_text())
    code, report = told(command, populated.path, "--state", state)
    assert (code, report["anchored_size"], report["checked_from"]) == (3, kept["size"], 0)
    assert str(state) in " ".join(report["assurance"]["rests_on"])
    assert json.loads(state.read_text())["size"] == populated.size
    assert told(command, populated.path, "--state", state)[0] == 0


def test_an_older_copy_is_rolled_back_and_the_memory_stays(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    state = tmp_path / "seen.json"
    command("verify", populated.path, "--state", state)
    before = state.read_bytes()
    for options in ((), ("--incremental",)):
        code, report = told(command, populated.early, "--state", state, *options)
        assert (code, report["verdicts"]["rolled_back"]["findings"]) == (1, 1)
        assert state.read_bytes() == before, "only a ledger that held is remembered"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seen.json"]


def test_an_incremental_run_reads_what_is_new_and_says_so(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    state = tmp_path / "seen.json"
    command("verify", populated.early, "--state", state)
    size = json.loads(state.read_text())["size"]
    result = command("verify", populated.path, "--state", state, "--incremental")
    assert result.code == 3
    assert f"Incremental: the {size} entries before were checked by an earlier run" in result.out
    assert f"Checked: schema, {populated.size - size} entries" in result.out
    assert "structure was not checked" in result.out
    assert json.loads(state.read_text())["size"] == populated.size


def test_the_first_incremental_run_is_a_full_one(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    code, report = told(command, populated.path, "--state", tmp_path / "seen.json", "--incremental")
    assert (code, report["checked_from"], report["entries_checked"]) == (3, 0, populated.size)


def test_what_was_changed_before_the_memory_makes_an_incremental_run_a_full_one(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy, state = copy_of(populated.path, tmp_path), tmp_path / "seen.json"
    command("verify", copy, "--state", state)
    with Attacker(copy) as attacker:
        attacker.edit_header(populated.size - 3, lambda header: header.update(flags=["late"]))
    code, report = told(command, copy, "--state", state, "--incremental")
    assert (code, report["checked_from"]) == (1, 0)
    assert report["verdicts"]["altered"]["ranges"] == [[populated.size - 3, populated.size - 3]]


def test_older_checkpoints_are_compared_by_an_incremental_run_too(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    state = tmp_path / "seen.json"
    command("verify", populated.path, "--state", state)
    notes = [word for note in populated.notes.values() for word in ("--checkpoint", note)]
    code, report = told(command, populated.path, "--state", state, "--incremental", *notes)
    assert (code, report["findings"], report["remarks"]) == (0, [], [])
    other = tmp_path / "other.txt"
    early = populated.notes[min(populated.notes)].read_text()
    other.write_text(early.replace(early.split("\n")[0], "lab/0123456789abcdef"))
    code, report = told(
        command, populated.path, "--state", state, "--incremental", "--checkpoint", other
    )
    assert (code, report["findings"][0]["kind"]) == (1, "forked")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000])
def test_a_state_that_cannot_be_read_stops_the_run(
    command: Command, populated: Populated, tmp_path: Path, content: bytes
) -> None:
    state = tmp_path / "seen.json"
    state.write_bytes(content)
    result = command("verify", populated.path, "--state", state)
    assert (result.code, result.out) == (2, "")
    assert "seen.json" in result.err
    assert state.read_bytes() == content


def test_incremental_without_a_state_is_wrong_use(command: Command, populated: Populated) -> None:
    assert command("verify", populated.path, "--incremental").code == 2


def test_a_growing_ledger_is_followed_step_by_step(
    command: Command, lab: LedgerLab, tmp_path: Path
) -> None:
    state = tmp_path / "seen.json"
    for number in range(6):
        lab.append(*(draft(f"r{number}-{i}") for i in range(90)))
        code, report = told(command, lab.path, "--state", state, "--incremental")
        assert (code, report["findings"]) == (3, [])
        assert (report["checked_from"] > 0) == (number > 0)
    assert report["size"] == lab.appender.tip.size


# ---- several processes ---------------------------------------------------------------------------


def test_several_processes_give_the_same_report(
    populated: Populated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "PIECE", 64)
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        attacker.set(100, body=None)
        attacker.edit_header(300, lambda header: header.update(flags=["late"]))
    for path in (populated.path, copy):
        one, two = (examine.examine(examine.Question(path, jobs=jobs)) for jobs in (1, 2))
        assert one == two


def test_a_process_that_fails_costs_nothing_but_time(
    populated: Populated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "PIECE", 64)
    expected = examine.examine(examine.Question(populated.path))
    monkeypatch.setattr(parallel, "_open", _no_reader)
    assert examine.examine(examine.Question(populated.path, jobs=2)) == expected
    monkeypatch.setattr(parallel, "_open", _leave)
    assert examine.examine(examine.Question(populated.path, jobs=2)) == expected


def _no_reader(path: Path) -> None:
    raise UnreadableLedger(f"{path}: not here")


def _leave(_: Path) -> None:
    import os

    os._exit(3)


def test_seqs_that_lie_far_apart_make_no_endless_list_of_pieces(
    populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        row = attacker.db.execute("SELECT header, hash, body FROM entry WHERE seq = 9").fetchone()
        attacker.db.execute("PRAGMA ignore_check_constraints=ON")
        attacker.db.execute(
            "INSERT INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)", (2**60, *row)
        )
    with Reader(copy) as reader:
        count = sum(1 for _ in parallel.entries(reader, 0, 2**60 + 1, 2))
    assert count == populated.size + 1


def test_as_a_program_of_its_own_it_starts_its_processes(populated: Populated) -> None:
    words = [sys.executable, "-m", "audit_receiver", "verify", str(populated.path), "--jobs", "2"]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=100, check=False, env=environment()
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.count("Assurance") == 1
