"""A ledger from its mirror alone: equal, or not at all."""

import json
from pathlib import Path

import pytest

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.examine import Question, examine
from audit_receiver.mirror import bundles, layout
from audit_receiver.mirror.layout import Piece
from audit_receiver.mirror.notes import Fork, NoCheckpoint
from audit_receiver.mirror.rebuild import rebuild
from audit_receiver.mirror.stores import DirectoryStore
from audit_receiver.mirror.tree import MissingPiece, WrongPiece
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import SignerKey
from tests.kit.attacker import Attacker
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import TABLES, grow, grow_to, mirror, rows, vkey_of


def test_a_rebuilt_ledger_is_equal_in_every_row_and_verifies(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 300)
    mirror(lab, DirectoryStore(place))
    grow_to(lab, 700)
    mirror(lab, DirectoryStore(place))
    target = tmp_path / "again.db"
    made = rebuild(DirectoryStore(place), target, [vkey_of(lab.path)])
    assert (made.size, made.without_body, made.remarks) == (700, 0, [])
    for table in TABLES:
        assert rows(target, table) == rows(lab.path, table), table
    assert [size for size, _ in rows(target, "checkpoint")] == [300, 700]
    assert target.with_suffix(".vkey").read_text() == lab.path.with_suffix(".vkey").read_text()
    assert not target.with_suffix(".key").exists()
    assert sorted(path.name for path in tmp_path.glob("again*")) == ["again.db", "again.vkey"]
    report = examine(
        Question(target, vkey_of(lab.path), [("note", (place / "checkpoint").read_text())])
    )
    assert (report.verdict, report.findings) == ("intact", ())
    lab.check()


def test_a_rebuilt_ledger_lets_nobody_write_to_it(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 30)
    mirror(lab, DirectoryStore(place))
    target = tmp_path / "again" / "lab" / "ledger.db"
    target.parent.mkdir(parents=True)
    rebuild(DirectoryStore(place), target, [vkey_of(lab.path)])
    other = LedgerLab(tmp_path / "again")
    with pytest.raises(LedgerError, match="private key"):
        other.open()
    with pytest.raises(LedgerError, match="nothing is overwritten"):
        rebuild(DirectoryStore(place), target, [vkey_of(lab.path)])


def test_without_bodies_verify_says_so_of_each_entry_and_of_nothing_else(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 300)
    mirror(lab, DirectoryStore(place), bodies=False)
    target = tmp_path / "again.db"
    made = rebuild(DirectoryStore(place), target, [vkey_of(lab.path)])
    for table in ("head", "node"):
        assert rows(target, table) == rows(lab.path, table), table
    assert [row[:3] for row in rows(target, "entry")] == [
        row[:3] for row in rows(lab.path, "entry")
    ]
    report = examine(Question(target, vkey_of(lab.path)))
    assert {finding.kind for finding in report.findings} == {"body_missing"}
    assert made.without_body == sum(
        (one.last or 0) - (one.first or 0) + 1 for one in report.findings
    )


def test_one_piece_that_is_gone_is_named(lab: LedgerLab, place: Path, tmp_path: Path) -> None:
    grow_to(lab, 700)
    mirror(lab, DirectoryStore(place))
    (place / "tile" / "entries" / "001").unlink()
    with pytest.raises(MissingPiece, match=r"tile/entries/001.*entries 256 to 511"):
        rebuild(DirectoryStore(place), tmp_path / "again.db", [vkey_of(lab.path)])
    assert not list(tmp_path.glob("again*"))


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("tile/entries/001", r"tile/entries/001 is not what was signed \(entries 256 to 511\)"),
        ("tile/0/001", r"tile/0/001 is not what was signed \(entries 256 to 511\)"),
        ("tile/0/002.p/188", "do not give the root"),
        ("tile/1/000.p/2", "do not give the root"),
    ],
)
def test_one_changed_byte_is_found_and_named(
    lab: LedgerLab, place: Path, tmp_path: Path, name: str, named: str
) -> None:
    grow_to(lab, 700)
    mirror(lab, DirectoryStore(place))
    data = bytearray((place / name).read_bytes())
    data[len(data) // 2] ^= 1
    (place / name).write_bytes(data)
    with pytest.raises(WrongPiece, match=named):
        rebuild(DirectoryStore(place), tmp_path / "again.db", [vkey_of(lab.path)])
    assert not list(tmp_path.glob("again*"))


def test_a_changed_body_is_left_out_and_never_believed(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 200)
    store = DirectoryStore(place)
    mirror(lab, store)
    key = layout.key(layout.BODIES, Piece(0, 200))
    bodies = list(bundles.decode_bodies((place / key).read_bytes(), 200))
    assert bodies[100] is not None
    bodies[100] = bodies[100].replace("user.login", "user.logon")
    store.replace(key, bundles.encode_bodies(bodies))
    made = rebuild(store, tmp_path / "again.db", [vkey_of(lab.path)])
    assert made.without_body == 1
    report = examine(Question(tmp_path / "again.db", vkey_of(lab.path)))
    assert [(one.kind, one.first, one.last) for one in report.findings] == [
        ("body_missing", 100, 100)
    ]


def test_a_forged_or_lost_bundle_of_heads_costs_those_heads_and_is_told(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 300)
    mirror(lab, DirectoryStore(place))
    heads = place / "heads"
    lines = (heads / "000").read_text().splitlines()
    size, _, signature = lines[0].partition(" ")
    lines[0] = f"{size} {signature[::-1].lstrip('=')}=="
    (heads / "000").write_text("\n".join([f"{size} {'A' * 86}==", *lines[1:]]) + "\n")
    (heads / "001.p" / "44").unlink()
    made = rebuild(DirectoryStore(place), tmp_path / "again.db", [vkey_of(lab.path)])
    assert any("not signed by the ledger's key" in remark for remark in made.remarks)
    assert any("are not in the mirror" in remark for remark in made.remarks)
    report = examine(Question(tmp_path / "again.db", vkey_of(lab.path)))
    assert report.findings == ()
    assert rows(tmp_path / "again.db", "head")[-1] == rows(lab.path, "head")[-1]


def test_another_key_gives_no_ledger(lab: LedgerLab, place: Path, tmp_path: Path) -> None:
    grow_to(lab, 20)
    mirror(lab, DirectoryStore(place))
    stranger = SignerKey.generate(vkey_of(lab.path).name).verifier
    with pytest.raises(NoCheckpoint):
        rebuild(DirectoryStore(place), tmp_path / "again.db", [stranger])


def test_a_second_signed_root_of_one_size_is_a_fork_and_not_a_choice(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 300)
    store = DirectoryStore(place)
    mirror(lab, store)
    key = SignerKey.from_pem(vkey_of(lab.path).name, lab.path.with_suffix(".key").read_bytes())
    forged = Checkpoint(key.verifier.name, 300, bytes(32))
    note = signed(forged, key.sign(forged.text().encode()), key.verifier)
    store.replace(layout.checkpoint_key(300), note.encode())
    with pytest.raises(Fork, match="forked"):
        rebuild(store, tmp_path / "again.db", [vkey_of(lab.path)])
    older = Checkpoint(key.verifier.name, 250, bytes(32))
    note = signed(older, key.sign(older.text().encode()), key.verifier)
    (place / layout.checkpoint_key(300)).unlink()
    store.put(layout.checkpoint_key(250), note.encode())
    with pytest.raises(Fork, match="size 250"):
        rebuild(store, tmp_path / "again.db", [vkey_of(lab.path)])


def test_a_newer_checkpoint_without_its_log_is_told_and_the_older_one_taken(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 300)
    store = DirectoryStore(place)
    mirror(lab, store)
    grow_to(lab, 400)
    mirror(lab, DirectoryStore(tmp_path / "elsewhere"))
    name = layout.checkpoint_key(400)
    store.put(name, (tmp_path / "elsewhere" / name).read_bytes())
    made = rebuild(store, tmp_path / "again.db", [vkey_of(lab.path)])
    assert made.size == 300
    assert "size 400" in made.remarks[0]


def test_what_an_erase_entry_names_leaves_the_mirror_and_stays_out_of_the_rebuilt_ledger(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 300)
    lab.appender.record("erase", _ERASED)  # the bodies are still in the ledger now
    lab.settle()
    store = DirectoryStore(place)
    mirror(lab, store)
    grow(lab, 5)
    bodies = bundles.decode_bodies((place / "bodies" / "000").read_bytes(), 256)
    assert [seq for seq, body in enumerate(bodies) if body is None] == [10, 11, 12]
    kept = tmp_path / "worm"

    class Worm(DirectoryStore):
        keeps_for_good = True

    mirror(lab, Worm(kept))
    with_them = bundles.decode_bodies((kept / "bodies" / "000").read_bytes(), 256)
    assert None not in with_them
    made = rebuild(DirectoryStore(kept), tmp_path / "again.db", [vkey_of(lab.path)])
    assert made.size == len(lab.headers())
    gone = [row[0] for row in rows(tmp_path / "again.db", "entry") if row[3] is None]
    assert gone == [10, 11, 12]
    report = examine(Question(tmp_path / "again.db", vkey_of(lab.path)))
    assert report.findings == ()
    assert [(one.first, one.last) for one in report.erased] == [(10, 12)]


def test_a_body_erased_before_it_was_mirrored_is_null_there(
    lab: LedgerLab, place: Path, tmp_path: Path
) -> None:
    grow_to(lab, 30)
    lab.appender.record("erase", _ERASED)
    lab.settle()
    lab.close()
    with Attacker(lab.path) as attacker:
        attacker.db.execute("UPDATE entry SET body = NULL WHERE seq BETWEEN 10 AND 12")
    mirror(lab, DirectoryStore(place))
    rebuild(DirectoryStore(place), tmp_path / "again.db", [vkey_of(lab.path)])
    for table in TABLES:
        assert rows(tmp_path / "again.db", table) == rows(lab.path, table)
    assert json.loads(rows(lab.path, "entry")[0][1])["action"] == "ledger.genesis"


def test_a_place_without_anything_says_so(tmp_path: Path) -> None:
    key = SignerKey.generate("log.example/one").verifier
    (tmp_path / "empty").mkdir()
    with pytest.raises(IntegrityError, match="no checkpoint"):
        rebuild(DirectoryStore(tmp_path / "empty"), tmp_path / "again.db", [key])


_ERASED = {
    "ranges": [[10, 12]],
    "code": "request",
    "authoriser": "dpo",
    "reason": "asked for",
    "count": 3,
}
