"""A mirror as the specification wants it, whatever happens while it is written."""

from pathlib import Path

import pytest

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger.reader import Reader
from audit_receiver.mirror.following import newest_note
from audit_receiver.mirror.stores import DirectoryStore, StoreError
from audit_receiver.mirror.writer import ForkedMirror, MirrorWriter
from tests.kit.attacker import Attacker
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import Failing, Read, grow, grow_to, mirror


@pytest.mark.parametrize("sizes", [(255, 256, 257, 512, 513), (300,), (770,)], ids=str)
def test_a_mirror_is_what_the_specification_says_at_every_size(
    lab: LedgerLab, place: Path, sizes: tuple[int, ...]
) -> None:
    for size in sizes:
        grow_to(lab, size)
        assert mirror(lab, DirectoryStore(place)).size == size
        found = Read(place)
        found.check()
        assert [header.decode() for header in found.headers()] == [
            row[0] for row in lab.rows("SELECT header FROM entry ORDER BY seq")
        ]
        assert [body.decode() for body in found.bodies() if body is not None] == [
            row[0] for row in lab.rows("SELECT body FROM entry ORDER BY seq")
        ]
    lab.check()


def test_a_second_run_writes_nothing_and_growth_writes_only_what_is_new(
    lab: LedgerLab, place: Path
) -> None:
    grow_to(lab, 600)
    store = DirectoryStore(place)
    assert mirror(lab, store).written > 0
    assert mirror(lab, store) == (600, 0)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    grow(lab, 1)
    # entries, bodies, heads, tile 0 of the last piece; level 1 did not grow
    assert mirror(lab, store) == (601, 4)
    now = {path for path in place.rglob("*") if path.is_file()}
    touched = {p for p in before if p in now and p.stat().st_mtime_ns != before[p]}
    assert touched == {place / "checkpoint"}
    lab.check()


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "kept-but-not-told"])
# Nine tiles and bundles, the note that is kept for good, `checkpoint`.
@pytest.mark.parametrize("at", [0, 1, 4, 8, 9, 10])
def test_a_crash_at_any_write_leaves_what_was_valid_and_the_next_run_goes_on(
    lab: LedgerLab, place: Path, at: int, persisted: bool
) -> None:
    grow_to(lab, 300)
    mirror(lab, DirectoryStore(place))
    grow_to(lab, 600)
    with pytest.raises(StoreError):
        mirror(lab, Failing(place, at, persisted))
    told = Read(place)
    told.check()
    assert told.size == (600 if persisted and at == 10 else 300)
    assert mirror(lab, DirectoryStore(place)).size == 600
    Read(place).check()
    lab.check()


def test_a_run_that_is_told_to_stop_goes_on_from_there(lab: LedgerLab, place: Path) -> None:
    grow_to(lab, 10_001)
    told = iter([False, False])
    with Reader(lab.path) as reader:
        note = newest_note(reader)
        writer = MirrorWriter(DirectoryStore(place), go_on=lambda: next(told, True))
        first, second = writer.bring_up(reader, note), writer.bring_up(reader, note)
        assert (first.size, second.size) == (0, 0)
        assert not (place / "checkpoint").exists()
        assert writer.bring_up(reader, note).size == 10_001
    Read(place).check()


def test_partial_bundles_go_once_the_full_one_is_there(lab: LedgerLab, place: Path) -> None:
    store = DirectoryStore(place)
    for size in (100, 200, 300, 400):
        grow_to(lab, size)
        mirror(lab, store)
    partial = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.p/*"))
    assert [name for name in partial if "/000.p/" in name] == ["tile/1/000.p/1"]
    assert [name for name in partial if name.startswith("bodies/")] == ["bodies/001.p/144"]
    Read(place).check()


def test_without_bodies_only_those_that_nobody_may_erase_are_there(
    lab: LedgerLab, place: Path
) -> None:
    grow(lab, 20)
    mirror(lab, DirectoryStore(place), bodies=False)
    found = Read(place)
    found.check()
    kept = [seq for seq, body in enumerate(found.bodies()) if body is not None]
    actions = [header.get("action") for header in lab.headers()]
    assert [actions[seq] for seq in kept] == ["ledger.genesis", "ledger.config"]
    assert "ledger.start" in actions


def test_a_place_with_another_history_is_refused_and_left_alone(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    other = LedgerLab(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.open()
    grow(other, 10)
    mirror(other, DirectoryStore(place))
    before = (place / "checkpoint").read_bytes()
    grow(lab, 20)
    with pytest.raises(ForkedMirror, match="rolled back or forked"):
        mirror(lab, DirectoryStore(place))
    assert (place / "checkpoint").read_bytes() == before
    other.discard()


def test_a_ledger_that_was_rolled_back_is_noticed_by_its_mirror(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    lab.close()
    early = lab.path.read_bytes()
    lab.open()
    grow(lab, 10)
    lab.close()
    mirror(lab, DirectoryStore(place))
    lab.path.write_bytes(early)
    with pytest.raises(ForkedMirror):
        mirror(lab, DirectoryStore(place))


def test_a_tampered_entry_never_reaches_the_mirror(lab: LedgerLab, place: Path) -> None:
    grow(lab, 300)
    lab.close()
    with Attacker(lab.path) as attacker:
        attacker.db.execute(
            "UPDATE entry SET header = replace(header, 'user.login', 'user.logon') WHERE seq = 100"
        )
    with pytest.raises(IntegrityError, match="0 to 255"):
        mirror(lab, DirectoryStore(place))
    assert not (place / "checkpoint").exists()


def test_an_object_that_is_not_ours_stops_the_run(lab: LedgerLab, place: Path) -> None:
    grow_to(lab, 20)
    store = DirectoryStore(place)
    store.put("tile/0/000.p/20", bytes(20 * 32))
    with pytest.raises(ForkedMirror, match="not what the ledger gives"):
        mirror(lab, store)
    assert not (place / "checkpoint").exists()
