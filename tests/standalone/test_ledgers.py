"""Ledgers with a history: keys that changed, recoveries, successors, later formats, and garbage."""

import ast
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.retention.ranges import of_seqs
from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, canonical, copy_of, sha3, stolen_key
from tests.kit.attacks import Victim
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_checkpoints import first_schema
from tests.ledger.test_recovery import mend, run
from tests.ledger.test_rotation import DAY, rotate
from tests.retention.scene import WHO, engine, fill
from tests.standalone.conftest import FILE
from tests.standalone.test_agreement import kinds

Command = Callable[..., Result]
Standalone = Callable[..., tuple[int, Any]]


@pytest.fixture
def same(command: Command, standalone: Standalone) -> Callable[..., dict[str, Any]]:
    """Both verifiers say the same; returns the report of `verify.py`."""

    def judge(path: Path, *options: str | Path) -> dict[str, Any]:
        ours = command("verify", path, "--every-head", *options, "--format", "json")
        code, theirs = standalone(path, "--every-head", *options)
        assert (code, theirs["verdict"]) == (ours.code, ours.json()["verdict"])
        assert kinds(theirs) == kinds(ours.json())
        for name in ("size", "root", "origin", "anchored_size", "unanchored", "key_pinned"):
            assert theirs[name] == ours.json()[name], name
        return theirs  # type: ignore[no-any-return]

    return judge


def note_of(command: Command, path: Path) -> Path:
    note = path.parent / "note.txt"
    note.unlink(missing_ok=True)
    assert command("checkpoint", path, "--output", note).code == 0
    return note


@pytest.fixture
def rotated(lab: LedgerLab) -> LedgerLab:
    """Three epochs with records in each."""
    lab.open(key_rotation_seconds=DAY)
    for number in range(3):
        lab.append(draft(f"r{number}"))
        if number < 2:
            rotate(lab)
    lab.append(draft("last"))
    lab.close()
    lab.check()
    return lab


def test_the_first_key_is_enough_for_all_epochs(
    same: Callable[..., Any], command: Command, rotated: LedgerLab
) -> None:
    note = note_of(command, rotated.path)
    report = same(rotated.path, "--vkey", rotated.path.with_suffix(".vkey"), "--checkpoint", note)
    assert (report["verdict"], report["findings"]) == ("intact", [])
    heads = rotated.rows("SELECT count(*) FROM head")[0][0]
    assert report["signatures_checked"] == heads


def test_heads_of_an_old_epoch_cannot_be_signed_with_the_present_key(
    same: Callable[..., Any], rotated: LedgerLab, tmp_path: Path
) -> None:
    copy = copy_of(rotated.path, tmp_path)
    with Attacker(copy) as attacker:
        attacker.sign(stolen_key(rotated.path), attacker.origin(), first_size=2)
    report = same(copy, "--vkey", copy.with_suffix(".vkey"))
    assert "head" in kinds(report)


def test_a_recovered_ledger_holds_and_what_was_lost_is_declared(
    same: Callable[..., Any], lab: LedgerLab, tmp_path: Path, command: Command
) -> None:
    from audit_receiver.ledger.outside import Known

    run(lab, "a")
    shutil.copytree(lab.path.parent, tmp_path / "old")
    newest = run(lab, "b")
    shutil.rmtree(lab.path.parent)
    shutil.copytree(tmp_path / "old", lab.path.parent)
    known = [Known("file", newest)]
    mend(lab, known)
    run(lab, "c", known=known)
    note = note_of(command, lab.path)
    report = same(lab.path, "--vkey", lab.path.with_suffix(".vkey"), "--checkpoint", note)
    assert report["verdict"] == "intact"
    lost = tmp_path / "lost.txt"
    lost.write_text(newest)
    assert same(lab.path, "--checkpoint", lost, "--checkpoint", note)["verdict"] == "intact"


def test_a_recovery_without_the_old_key_is_not_judged_by_the_first_key(
    same: Callable[..., Any], lab: LedgerLab, command: Command
) -> None:
    run(lab, "a")
    lab.path.with_suffix(".key").unlink()
    mend(lab)
    run(lab, "b")
    note = note_of(command, lab.path)
    assert same(lab.path, "--checkpoint", note)["verdict"] == "intact"
    pinned = ("--vkey", lab.path.with_suffix(".vkey"), "--checkpoint", note)
    assert same(lab.path, *pinned)["verdict"] == "undecided"


def newer(attacker: Attacker, version: int) -> int:
    """An entry of a later format at the end, well-formed as far as that keeps its meaning."""
    seq = attacker.size()
    prev = attacker.db.execute("SELECT hash FROM entry WHERE seq = ?", (seq - 1,)).fetchone()[0]
    body = '{"format":2}'
    text = canonical(
        {"body": sha3(body), "new": ["x"], "prev": prev.hex(), "seq": seq, "v": version}
    )
    sql = "INSERT INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)"
    attacker.db.execute(sql, (seq, text, bytes.fromhex(sha3(text)), body))
    return seq


def test_an_entry_of_a_later_format_could_not_be_judged_and_is_told(
    same: Callable[..., Any], populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        seq = newer(attacker, 2)
        attacker.db.execute("INSERT INTO head VALUES (?, zeroblob(32), x'00', 0)", (seq + 1,))
        attacker.regrow()
        attacker.sign(stolen_key(populated.path), attacker.origin(), seq + 1)
    report = same(copy)
    assert report["verdict"] == "undecided"
    with Attacker(copy) as attacker:
        attacker.set(seq, body='{"format":3}')
    assert kinds(same(copy)) == {"altered": seq}


def test_a_ledger_of_the_first_schema_and_one_that_was_brought_up_to_date_hold(
    same: Callable[..., Any], lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        first_schema(patch)
        run_plain(lab, "old")
        assert same(lab.path)["findings"] == []
    run_plain(lab, "new")
    assert lab.events("schema")
    assert same(lab.path)["findings"] == []


def test_bodies_that_were_erased_on_an_order_are_no_finding_and_others_are(
    same: Callable[..., Any], lab: LedgerLab, tmp_path: Path
) -> None:
    lab.open()
    fill(lab, 60)
    engine(lab).erase(of_seqs([5, 6, 7, 20]), WHO)
    lab.append(draft("after"))
    lab.close()
    report = same(lab.path, "--vkey", lab.path.with_suffix(".vkey"))
    assert (report["verdict"], report["findings"]) == ("intact_unanchored", [])
    copy = copy_of(lab.path, tmp_path)
    with Attacker(copy) as attacker:
        for seq in (8, 21):
            attacker.set(seq, body=None)
    places = [(one["kind"], one["first"], one["last"]) for one in same(copy)["findings"]]
    assert places == [("body_missing", 8, 8), ("body_missing", 21, 21)]


def own(victim: Victim, attacker: Attacker, event: str, **fields: Any) -> None:
    """One more of the receiver's own records by the keyholder, under a signed head."""
    seq, size = attacker.size(), attacker.size() + 1
    prev = attacker.db.execute("SELECT hash FROM entry WHERE seq = ?", (seq - 1,)).fetchone()[0]
    time = f"2031-01-01T00:00:00.{seq:09d}Z"
    body = {"event": {**fields, "name": event, "time": time}, "kind": "ledger", "salt": "0" * 32}
    header = {"action": f"ledger.{event}", "body": sha3(canonical(body)), "flags": []}
    header |= {"kind": "ledger", "prev": prev.hex(), "received": time, "seq": seq, "time": time}
    text = canonical({**header, "v": 1})
    sql = "INSERT INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)"
    attacker.db.execute(sql, (seq, text, bytes.fromhex(sha3(text)), canonical(body)))
    attacker.db.execute("INSERT INTO head VALUES (?, zeroblob(32), x'00', 0)", (size,))
    attacker.regrow()
    attacker.sign(victim.key, attacker.origin(), size)


def test_a_key_that_comes_back_is_found(
    same: Callable[..., Any], populated: Populated, tmp_path: Path
) -> None:
    path = copy_of(populated.path, tmp_path)
    victim = Victim(path, stolen_key(populated.path), populated.early, 0)
    with victim.open() as attacker:
        seq = attacker.size()
        own(victim, attacker, "key", vkey=attacker.body(0)["event"]["vkey"], reason="scheduled")
    assert kinds(same(path)) == {"key": seq}


def test_what_a_hold_keeps_no_order_lets_go(
    same: Callable[..., Any], populated: Populated, tmp_path: Path
) -> None:
    victim = Victim(
        copy_of(populated.path, tmp_path), stolen_key(populated.path), populated.early, 0
    )
    with victim.open() as attacker:
        own(victim, attacker, "hold", hold="a", state="add", ranges=[[105, 109], [120, 121]])
        own(victim, attacker, "hold", hold="b", state="add", ranges=[[130, 139]])
        own(victim, attacker, "hold", hold="b", state="release")
        own(victim, attacker, "erase", ranges=[[100, 149]])
        own(victim, attacker, "hold", hold="c", state="add", ranges=[[140, 141]])
        for seq in (100, 104, 105, 109, 110, 119, 120, 122, 135, 140, 149):
            attacker.set(seq, body=None)
    places = [(one["kind"], one["first"], one["last"]) for one in same(victim.path)["findings"]]
    assert places == [("body_missing", seq, seq) for seq in (105, 109, 120)]


def run_plain(lab: LedgerLab, *records: str) -> None:
    lab.open()
    for record in records:
        lab.append(draft(record))
    lab.close()


# ---- proofs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [0, 1, 255, 256, 511, 568, 569])
def test_a_proof_is_judged(
    command: Command, standalone: Standalone, populated: Populated, tmp_path: Path, seq: int
) -> None:
    proof = tmp_path / "p"
    command("prove", populated.path, str(seq), "--output", proof)
    code, report = standalone("--proof", proof, "--vkey", populated.vkey)
    assert (code, report["verdict"], report["index"]) == (0, "intact", seq)
    text = proof.read_text()
    for changed in (
        text.replace(f"index {seq}\n", f"index {seq + 1}\n"),
        text.replace("extra ey", "extra ez"),
    ):
        proof.write_text(changed)
        assert standalone("--proof", proof, "--vkey", populated.vkey)[0] == 1


# ---- nothing crashes it --------------------------------------------------------------------------


def test_it_runs_alone_in_an_isolated_interpreter(populated: Populated, tmp_path: Path) -> None:
    shutil.copy(FILE, tmp_path / "verify.py")
    note = populated.notes[populated.size]
    words = [populated.path, "--vkey", populated.vkey, "--checkpoint", note]
    done = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "verify.py", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("verdict: intact\n")


def test_it_is_written_for_python_3_8_and_the_standard_library() -> None:
    tree = ast.parse(FILE.read_text(), feature_version=(3, 8))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in imported} <= set(sys.stdlib_module_names)
    # What came with 3.9 and later: names and methods that the parser does not see.
    later = {"removeprefix", "removesuffix", "bit_count", "pairwise", "batched", "zip_longest"}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not later & used


@pytest.mark.parametrize(
    "content", [b"", b"no database" * 1000, b"SQLite format 3\0" + b"x" * 9000]
)
def test_a_file_that_is_no_ledger_is_no_crash(
    standalone: Standalone, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(content)
    code, report = standalone(path)
    assert code == 2 or kinds(report).keys() == {"unreadable"}


def test_a_ledger_that_is_not_there_and_wrong_use_end_with_2(
    standalone: Standalone, populated: Populated, tmp_path: Path
) -> None:
    assert standalone(tmp_path / "none.db")[0] == 2
    assert standalone()[0] == 2
    assert standalone(populated.path, "--vkey", "nonsense")[0] == 2
    assert standalone(populated.path, "--checkpoint", tmp_path / "none")[0] == 2


def test_flipped_bytes_anywhere_in_the_file_never_crash_it(
    standalone: Standalone, populated: Populated, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    original = populated.path.read_bytes()
    path = tmp_path / "flipped.db"
    for _ in range(12):
        content = bytearray(original)
        for _ in range(rng.choice([1, 20, 400])):
            content[rng.randrange(100, len(content))] ^= rng.randrange(1, 256)
        path.write_bytes(content)
        code, report = standalone(path)
        assert code in (1, 2, 3), seed
        assert report is None or report["verdict"] != "intact"


GARBAGE = [None, -1, 2**62, 1.5, "", "[" * 5000, '{"v":1e999}', "null", "9" * 5000, b"\xff\xfe"]


@pytest.mark.parametrize("table", ["entry", "head", "node"])
def test_a_table_of_any_values_never_crashes_it(
    standalone: Standalone, populated: Populated, tmp_path: Path, table: str
) -> None:
    columns = {"entry": "seq, header, hash, body", "head": "size, root, signature, epoch"}
    names = columns.get(table, "level, idx, hash")
    copy = copy_of(populated.path, tmp_path)
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        kept = db.execute(f"SELECT {names} FROM {table}").fetchall()
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='view'").fetchall():
            db.execute(f"DROP VIEW {name}")
        db.execute(f"DROP TABLE {table}")
        db.execute(f"CREATE TABLE {table}({names})")
        marks = ",".join("?" * len(kept[0]))
        for place, row in enumerate(kept):
            values = list(row)
            values[place % len(row)] = GARBAGE[place % len(GARBAGE)]
            db.execute(f"INSERT INTO {table} VALUES ({marks})", values)
    code, report = standalone(copy)
    assert code in (1, 2)
    assert report is None or len(report["findings"]) < 3000
