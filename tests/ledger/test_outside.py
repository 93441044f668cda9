"""A start that refuses: what anchors know, against what the ledger is (threats.md 4.6)."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger.outside import Incarnation, Known, compare, lost, refuse_if_known
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import SignerKey
from tests.kit.lab import LedgerLab, draft


def note_of(lab: LedgerLab) -> str:
    """The newest checkpoint, as an anchor would have it."""
    assert lab.appender.published is not None
    return lab.appender.published[1]


def copy(lab: LedgerLab, target: Path) -> None:
    shutil.copytree(lab.path.parent, target)


def restore(lab: LedgerLab, source: Path) -> None:
    shutil.rmtree(lab.path.parent)
    shutil.copytree(source, lab.path.parent)


def run(lab: LedgerLab, *records: str, known: Any = ()) -> str:
    """One run that stores these; the checkpoint over its `stop`."""
    lab.open(known=known)
    for record in records:
        lab.append(draft(record))
    lab.close()
    return note_of(lab)


def test_a_ledger_that_is_what_the_outside_knows_starts(lab: LedgerLab) -> None:
    first = run(lab, "a", "b")
    second = run(lab, "c", known=[Known("file", first)])
    run(lab, "d", known=[Known("file", first), Known("witness/x", second), Known("file", "junk")])
    lab.check()


def test_a_ledger_that_is_gone_is_not_begun_anew(lab: LedgerLab) -> None:
    note = run(lab, "a")
    shutil.rmtree(lab.path.parent)
    with pytest.raises(LedgerError, match="there is no ledger here, but anchor file knows") as told:
        lab.open(known=[Known("file", note)])
    assert f"audit-receiver recover {lab.path} --reason" in str(told.value)
    assert not lab.path.exists()


def test_an_older_copy_in_its_place_is_refused(lab: LedgerLab, tmp_path: Path) -> None:
    run(lab, "a")
    copy(lab, tmp_path / "old")
    newest = run(lab, "b", "c")
    restore(lab, tmp_path / "old")
    with pytest.raises(IntegrityError, match="cut off or rolled back") as told:
        lab.open(known=[Known("file", newest)])
    assert f"anchor file knows the checkpoint of size {newest.splitlines()[1]}" in str(told.value)
    lab.check()


def test_another_history_from_the_same_beginning_is_refused(lab: LedgerLab, tmp_path: Path) -> None:
    run(lab, "a")
    copy(lab, tmp_path / "old")
    published = run(lab, "b")
    restore(lab, tmp_path / "old")
    run(lab, "B, which says something else", "and more")
    with pytest.raises(IntegrityError, match="rewritten, or forked"):
        lab.open(known=[Known("file", published)])
    lab.check()


def test_another_ledger_in_its_place_is_refused(lab: LedgerLab, tmp_path: Path) -> None:
    known = [Known("file", run(lab, "a"))]
    shutil.rmtree(lab.path.parent)
    ours = run(lab, "b")
    with pytest.raises(IntegrityError, match="the ledger was replaced, or the anchor belongs"):
        lab.open(known=known)
    run(lab, "c", known=[*known, Known("file", ours)])  # an anchor that two ledgers share
    lab.check()


def test_cut_off_entries_leave_the_ledgers_own_checkpoints_behind(lab: LedgerLab) -> None:
    run(lab, "a", "b", "c")
    connection = sqlite3.connect(lab.path, isolation_level=None)
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_delete'"
    ).fetchall():
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,))
        [text] = sql.fetchone()
        connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM entry WHERE seq > 3")
        connection.execute("DELETE FROM head WHERE size > 4") if name == "head_delete" else None
        connection.execute(text)
    assert connection.execute("SELECT max(size) FROM head").fetchone() == (4,)
    connection.close()
    with pytest.raises(IntegrityError, match="`checkpoint`, the ledger's own table, knows"):
        lab.open()


def at(size: int, origin: str = "lab/1", root: int = 0) -> Known:
    """A note of this size."""
    signer = SignerKey.generate(origin)
    checkpoint = Checkpoint(origin, size, bytes([root]) * 32)
    return Known("w", signed(checkpoint, signer.sign(checkpoint.text().encode()), signer.verifier))


def judged(*known: Known, lost: Any = (), before: str = "") -> None:
    """Against a ledger of 20 entries, recovered once at 10 (then `lab/1` became `lab/2`)."""
    incarnations = [Incarnation("lab/1", 10), Incarnation("lab/2", None)]
    compare(Path("x.db"), 20, known, incarnations, lost, lambda _: bytes(32), before)


def test_each_incarnation_is_held_against_its_own_end() -> None:
    judged(at(10), at(20, "lab/2"))
    with pytest.raises(IntegrityError, match="has 10 entries of lab/1"):
        judged(at(11))
    with pytest.raises(IntegrityError, match="has 20 entries of lab/2"):
        judged(at(21, "lab/2"))


def test_what_is_declared_lost_is_known_to_be_missing_and_no_more_than_that() -> None:
    lost = [{"anchor": "w", "origin": "lab/1", "size": 15, "root": "00"}, "junk", {"size": 99}]
    judged(at(15), at(12), lost=lost)
    with pytest.raises(IntegrityError, match="size 16"):
        judged(at(16), lost=lost)
    with pytest.raises(IntegrityError, match="rewritten"):
        judged(at(9, root=1), lost=lost)  # of what is not lost nothing may differ


def test_the_ledger_before_may_share_the_anchor() -> None:
    judged(at(99, "lab/0", root=7), before="lab/0")
    with pytest.raises(IntegrityError, match="replaced"):
        judged(at(99, "lab/0", root=7))


def test_nothing_known_or_nothing_that_can_be_read_says_nothing() -> None:
    judged()
    refuse_if_known(Path("x.db"), [])
    refuse_if_known(Path("x.db"), [Known("w", "junk")])


def test_no_entry_declares_its_own_incarnation_or_a_later_one_lost() -> None:
    def begun(origin: str, *origins: str) -> dict[str, Any]:
        return {"origin": origin, "lost": [{"origin": one, "size": 2**53 - 1} for one in origins]}

    events = [begun("a", "a", "b", "x"), begun("b", "a", "b"), {"origin": "c", "lost": 5}]
    assert [one["origin"] for one in lost(events)] == ["x", "a"]
    assert lost([{"origin": "a", "lost": [5, None, {}]}]) == [{}]
