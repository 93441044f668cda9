"""Mirrors of ledgers with a life behind them: changes of key, recoveries, published checkpoints."""

import shutil
from pathlib import Path

import pytest

from audit_receiver.errors import IntegrityError
from audit_receiver.examine import Question, examine
from audit_receiver.ledger.outside import Known
from audit_receiver.ledger.reader import Reader
from audit_receiver.mirror.following import newest_note
from audit_receiver.mirror.monitor import Monitor
from audit_receiver.mirror.rebuild import rebuild
from audit_receiver.mirror.stores import DirectoryStore
from audit_receiver.mirror.writer import ForkedMirror
from audit_receiver.tlog.note import VerifierKey
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import TABLES, Read, grow_to, mirror, rows, vkey_of
from tests.ledger.test_recovery import mend, run
from tests.ledger.test_rotation import DAY, rotate


def log_key(lab: LedgerLab) -> VerifierKey:
    return VerifierKey.parse(lab.events("genesis")[0]["log_vkey"])


@pytest.fixture
def aged(tmp_path: Path) -> LedgerLab:
    """Three keys, the boundaries inside and at the edge of a bundle."""
    lab = LedgerLab(tmp_path)
    lab.open(key_rotation_seconds=DAY)
    for size in (100, 255, 600):
        grow_to(lab, size)
        rotate(lab)
    grow_to(lab, 700)
    lab.close()
    return lab


def test_changes_of_key_come_back_head_by_head(
    aged: LedgerLab, place: Path, tmp_path: Path
) -> None:
    mirror(aged, DirectoryStore(place))
    Read(place).check()
    target = tmp_path / "again.db"
    made = rebuild(DirectoryStore(place), target, [log_key(aged)])
    assert made.remarks == []
    for table in TABLES:
        assert rows(target, table) == rows(aged.path, table), table
    assert len({row[3] for row in rows(target, "head")}) == 4
    note = (place / "checkpoint").read_text()
    report = examine(Question(target, vkey_of(aged.path), [("note", note)], every_head=True))
    assert (report.verdict, report.findings) == ("intact", ())


def test_the_first_key_alone_opens_no_later_checkpoint_and_says_so(
    aged: LedgerLab, place: Path, tmp_path: Path
) -> None:
    mirror(aged, DirectoryStore(place))
    with pytest.raises(IntegrityError, match="no checkpoint that the given key signed"):
        rebuild(DirectoryStore(place), tmp_path / "again.db", [vkey_of(aged.path)])
    told = Monitor(DirectoryStore(place), [log_key(aged)], tmp_path / "s", lambda: 1).look()
    assert told.alarm == ""


def test_the_mirror_goes_as_far_as_the_newest_published_checkpoint(
    lab: LedgerLab, place: Path
) -> None:
    grow_to(lab, 30)
    lab.close()
    assert lab.appender.published is not None
    note = lab.appender.published[1]
    size = int(note.split("\n")[1])
    lab.open()
    grow_to(lab, size + 40)
    with Reader(lab.path) as reader:
        assert newest_note(reader) == note
    assert mirror(lab, DirectoryStore(place)).size == size
    assert (place / "checkpoint").read_text() == note


def test_a_recovered_ledger_needs_a_new_place_and_comes_back_from_it(
    tmp_path: Path, place: Path
) -> None:
    lab = LedgerLab(tmp_path)
    run(lab, "a")
    shutil.copytree(lab.path.parent, tmp_path / "old")
    newest = run(lab, "b")
    mirror(lab, DirectoryStore(place))
    shutil.rmtree(lab.path.parent)
    shutil.copytree(tmp_path / "old", lab.path.parent)
    known = [Known("file", newest)]
    mend(lab, known)
    run(lab, "c", known=known)
    with pytest.raises(ForkedMirror, match="rolled back or forked"):
        mirror(lab, DirectoryStore(place))
    fresh = DirectoryStore(tmp_path / "fresh")
    mirror(lab, fresh)
    [event] = lab.events("recover")
    made = rebuild(fresh, tmp_path / "again.db", [VerifierKey.parse(event["log_vkey"])])
    assert made.origin == event["origin"]
    for table in TABLES:
        assert rows(tmp_path / "again.db", table) == rows(lab.path, table), table
    lab.check()
