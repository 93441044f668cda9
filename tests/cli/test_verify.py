"""`verify` as people and programs meet it: verdicts in words, the JSON object, live ledgers."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_receiver import examine
from audit_receiver.inspection.structure import condensed
from audit_receiver.ledger.reader import Reader, UnreadableLedger
from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, copy_of
from tests.kit.lab import LedgerLab, crash, draft

Command = Callable[..., Result]
KEYS = {  # the list
    *("verdict", "size", "root", "origin", "key_pinned", "anchored_size", "unanchored"),
    "findings",
}


def test_json_is_one_object_with_the_keys_that_others_rely_on(
    command: Command, populated: Populated
) -> None:
    report = command("verify", populated.path, "--format", "json").json()
    assert set(report) >= KEYS
    note = populated.notes[populated.size].read_text().split("\n")
    import base64

    assert report["root"] == base64.b64decode(note[2]).hex()
    assert (report["origin"], report["size"]) == (note[0], int(note[1]))


def test_the_first_line_is_the_verdict_in_words(command: Command, populated: Populated) -> None:
    tip = ("--vkey", populated.vkey, "--checkpoint", populated.notes[populated.size])
    assert command("verify", populated.path, *tip).out.startswith(
        "INTACT: 570 entries hold, and the checkpoint of size 570 covers every record\n"
    )
    assert command("verify", populated.path).out.startswith(
        "HOLDS, NOT ANCHORED OUTSIDE: nothing contradicts 570 entries, but no checkpoint from"
        " outside covers its 560 records since 2026-09-21T14:13:21Z\n"
    )
    early = min(populated.notes)
    told = command("verify", populated.path, "--checkpoint", populated.notes[early]).out
    assert told.startswith(
        "HOLDS, NOT ANCHORED OUTSIDE: nothing contradicts 570 entries, but 280 records since"
    )
    assert f"came after the checkpoint of size {early}" in told.splitlines()[0]


def test_a_pass_says_what_it_rests_on_and_what_to_do_next(
    command: Command, populated: Populated
) -> None:
    plain = command("verify", populated.path).out
    assert "not pinned; whoever rewrote the ledger could have replaced it too (--vkey)" in plain
    assert f"audit-receiver checkpoint {populated.path} --output" in plain
    tip = populated.notes[populated.size]
    pinned = command("verify", populated.path, "--vkey", populated.vkey, "--checkpoint", tip).out
    assert "given with --vkey" in pinned
    assert "Nobody can tell from a note whether it was kept outside" in pinned


def test_findings_are_sentences_with_ranges(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        attacker.set(100, body=None)
        attacker.set(101, body=None)
    result = command("verify", copy)
    assert result.code == 1
    first, *lines = result.out.splitlines()
    assert first == "DOES NOT HOLD: 1 finding in 570 entries"
    assert lines[1].startswith("  Entries 100 to 101: body missing: ")
    assert lines[2].startswith("      expected ")


def test_many_findings_are_cut_for_people_and_whole_for_programs(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        for seq in range(10, 210, 2):
            attacker.set(seq, body=None)
    assert "and 50 more; `--format json` has them all" in command("verify", copy).out
    assert len(command("verify", copy, "--format", "json").json()["findings"]) == 100


def test_the_key_can_be_a_text_or_a_file(command: Command, populated: Populated) -> None:
    text = populated.vkey.read_text().strip()
    for key in (populated.vkey, text):
        report = command("verify", populated.path, "--vkey", key, "--format", "json").json()
        assert report["key_pinned"] is True
    for key in ("nonsense", text[:-4], populated.path):
        result = command("verify", populated.path, "--vkey", key)
        assert (result.code, result.out) == (2, "")
        assert "neither a verifier key nor a file with one" in " ".join(result.err.split())


def test_without_any_key_beside_it_the_ledgers_own_is_used_and_said(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(populated.path, tmp_path / "alone.db"))
    result = command("verify", copy)
    assert result.code == 3
    assert "from the ledger itself: not pinned" in result.out


def test_a_key_file_that_cannot_be_read_matters_only_if_it_is_the_only_key(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    copy.with_suffix(".vkey").write_text("rubbish")
    assert command("verify", copy).code == 2
    assert command("verify", copy, "--vkey", populated.vkey).code == 3


@pytest.mark.parametrize("content", ["", "no note", "{}"])
def test_a_note_that_cannot_be_read_leaves_the_question_open(
    command: Command, populated: Populated, tmp_path: Path, content: str
) -> None:
    note = tmp_path / "note"
    note.write_text(content)
    result = command("verify", populated.path, "--checkpoint", note)
    assert result.code == 2
    assert result.out.startswith("COULD NOT JUDGE: ")
    assert "is no checkpoint" in result.out
    assert "is given with --anchor" in result.out, "where an anchor's file goes"


def test_a_forged_signature_on_a_note_leaves_the_question_open(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    text = populated.notes[populated.size].read_text()
    note.write_text(text.replace("\n570\n", "\n571\n"))
    result = command("verify", populated.path, "--checkpoint", note, "--format", "json")
    assert (result.code, result.json()["verdict"]) == (2, "undecided")


def test_what_cannot_be_opened_is_undecided_in_json_too(command: Command, tmp_path: Path) -> None:
    result = command("verify", tmp_path / "none.db", "--format", "json")
    assert result.code == 2
    assert result.json()["verdict"] == "undecided"
    assert set(result.json()) >= KEYS
    assert "there is no ledger here" in result.err


def test_a_sqlite_file_of_another_kind_is_no_evidence_either_way(
    command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes(text)")
    connection.close()
    result = command("verify", path)
    assert (result.code, result.out) == (2, "")
    assert "no audit-receiver ledger" in result.err


def test_a_live_ledger_is_judged_while_it_is_written_to(command: Command, lab: LedgerLab) -> None:
    for number in range(40):
        lab.append(*(draft(f"r{number}-{i}") for i in range(20)))
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            lab.append(draft(f"live-{number}"))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            result = command("verify", lab.path, "--format", "json")
            assert (result.code, result.json()["findings"]) == (3, []), result.out
            assert result.json()["size"] >= 800
    finally:
        stop.set()
        writer.join()


def test_what_is_written_after_the_end_was_fixed_is_left_for_the_next_time(lab: LedgerLab) -> None:
    lab.append(*(draft(f"r{number}") for number in range(250)))
    size = lab.appender.tip.size

    class Meanwhile(examine.Watcher):
        def begins(self, what: str, total: int | None) -> None:
            if total is not None:
                assert total == size
                lab.append(*(draft(f"later-{number}") for number in range(10)))

    report = examine.examine(examine.Question(lab.path), Meanwhile())
    assert (report.size, report.findings) == (size, ())
    assert lab.appender.tip.size == size + 10, "and a tree node was completed meanwhile"


def test_bodies_erased_while_it_is_judged_are_no_finding(lab: LedgerLab) -> None:
    lab.append(*(draft(f"r{number}") for number in range(50)))
    begun = 0

    class Meanwhile(examine.Watcher):
        def begins(self, what: str, total: int | None) -> None:
            nonlocal begun
            begun += total is not None
            if total is not None and begun == 1:  # the end is fixed, nothing is read yet
                lab.appender.record("erase", {"ranges": [[20, 21]], "reason": "r"})
                lab.settle()
                with sqlite3.connect(lab.path) as hands:
                    hands.execute("UPDATE entry SET body = NULL WHERE seq BETWEEN 20 AND 21")

    report = examine.examine(examine.Question(lab.path), Meanwhile())
    assert (report.findings, begun) == ((), 2)
    assert [(one.first, one.last) for one in report.erased] == [(20, 21)]


def test_a_crashed_ledger_is_judged_with_its_wal_and_left_as_it_is(
    command: Command, lab: LedgerLab
) -> None:
    lab.append(draft("r1"), draft("r2"))
    crash(lab.appender)
    names = sorted(os.listdir(lab.path.parent))
    size = lab.path.with_name("ledger.db-wal").stat().st_size
    assert size > 0
    result = command("verify", lab.path, "--format", "json")
    assert (result.code, result.json()["unanchored"]) == (3, 2)
    assert sorted(os.listdir(lab.path.parent)) == names
    assert lab.path.with_name("ledger.db-wal").stat().st_size == size


def test_a_read_only_file_in_a_read_only_place_is_judged(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    os.chmod(copy, 0o444)
    os.chmod(tmp_path, 0o555)
    try:
        assert command("verify", copy).code == 3
    finally:
        os.chmod(tmp_path, 0o755)


def test_no_room_for_the_copy_of_a_live_ledger_is_no_tampering(
    command: Command, lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.append(draft("r"))

    def full(self: Reader, target: Path) -> None:
        raise UnreadableLedger("cannot be copied: disk full") from OSError(28, "No space left")

    monkeypatch.setattr(Reader, "copy_to", full)
    result = command("verify", lab.path, "--format", "json")
    assert (result.code, result.json()["verdict"]) == (2, "undecided")
    assert "could not be checked" in result.json()["undecided"][0]


def test_messages_that_differ_in_numbers_only_are_one() -> None:
    messages = [*(f"row {n} missing from index entry_actor" for n in range(1, 100)), "other 1"]
    assert condensed(messages) == [
        "row 1 missing from index entry_actor (and 98 more like this)",
        "other 1",
    ]


def test_every_head_checks_every_signature(command: Command, populated: Populated) -> None:
    def checked(*options: str) -> dict[str, Any]:
        return dict(command("verify", populated.path, "--format", "json", *options).json())

    full = checked("--every-head")
    assert full["signatures_checked"] == full["heads_checked"]
    assert checked()["signatures_checked"] <= full["signatures_checked"]
