"""Checkpoints from outside: what they cover, what they prove, and which prove nothing."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_receiver.verify.report import exit_code
from tests.verify.scene import Scene

END = 1051


def test_the_newest_checkpoint_covers_everything(scene: Scene) -> None:
    report = scene.verify(notes=[scene.note(END)])
    assert (report.verdict, exit_code(report)) == ("intact", 0)
    assert (report.anchored_size, report.unanchored, report.unanchored_since) == (END, 0, None)


def test_a_checkpoint_behind_which_only_own_records_lie_covers_every_record(scene: Scene) -> None:
    last = max(row[0] for row in scene.entries if '"kind":"ledger"' not in row[1])
    assert last + 1 < END, "the ledger ends with own records"
    report = scene.verify(notes=[scene.note(last + 1)])
    assert (report.verdict, report.anchored_size) == ("intact", last + 1)
    report = scene.verify(notes=[scene.note(scene.heads[-4][0])])
    assert report.verdict == "intact_unanchored"


def test_records_behind_the_largest_checkpoint_are_counted_since_the_first(scene: Scene) -> None:
    report = scene.verify(notes=[scene.note(902), scene.note(287), scene.note(1)])
    behind = [row for row in scene.entries[902:] if '"kind":"ledger"' not in row[1]]
    assert (report.verdict, exit_code(report)) == ("intact_unanchored", 3)
    assert (report.anchored_size, report.unanchored) == (902, len(behind))
    assert report.unanchored_since == scene.header(behind[0][0])["received"]


def test_without_a_checkpoint_everything_is_unanchored_since_the_first_record(
    scene: Scene,
) -> None:
    report = scene.verify()
    first = next(row[0] for row in scene.entries if '"kind":"ledger"' not in row[1])
    assert (report.anchored_size, report.unanchored) == (0, 1040)
    assert report.unanchored_since == scene.header(first)["received"]


def test_a_checkpoint_of_a_size_without_a_head_is_compared_all_the_same(scene: Scene) -> None:
    note = scene.note(902)
    scene.heads = [row for row in scene.heads if row[0] != 902]
    assert scene.verify(notes=[note]).anchored_size == 902


def test_a_ledger_without_records_needs_a_checkpoint_as_well(scene: Scene) -> None:
    del scene.entries[3:]
    scene.heads = [row for row in scene.heads if row[0] <= 3]
    scene.nodes = []
    report = scene.verify()
    assert (report.verdict, report.unanchored) == ("intact_unanchored", 0)
    assert scene.verify(notes=[scene.note(1)]).verdict == "intact"


@pytest.mark.parametrize("text", ["", "no note", "a\nb\nc\n", "\x00", "x" * 1_000_001])
def test_what_is_no_checkpoint_proves_nothing(scene: Scene, text: str) -> None:
    report = scene.verify(notes=[text])
    assert (report.verdict, exit_code(report)) == ("undecided", 2)
    assert "note 0 is no checkpoint" in report.undecided[0]
    assert report.findings == ()


def test_a_checkpoint_whose_signature_fails_proves_nothing(scene: Scene) -> None:
    note = scene.note(END, key=Ed25519PrivateKey.generate())
    report = scene.verify(notes=[note, scene.note(902)])
    assert report.verdict == "undecided"
    assert "does not verify" in report.undecided[0]
    assert report.anchored_size == 902


def test_a_bad_note_beside_tampering_does_not_soften_it(scene: Scene) -> None:
    scene.entries[5][2] = bytes(32)
    assert scene.verify(notes=["garbage"]).verdict == "tampered"


def test_a_checkpoint_of_another_ledger_is_not_one_of_this(scene: Scene) -> None:
    note = scene.note(END, name="lab/ffffffffffffffff")
    assert scene.found(notes=[note]) == {("forked", 0, END - 1)}


def test_two_checkpoints_of_one_size_and_two_roots_cannot_both_hold(scene: Scene) -> None:
    good = scene.note(902)
    [head] = [row for row in scene.heads if row[0] == 902]
    head[1] = bytes(range(32))
    scene.resign(first=902)
    evil = scene.note(902)
    head[1] = bytes.fromhex(scene.verify(notes=[good]).root)
    scene.regrow()
    scene.resign()
    for notes in ([good, evil], [evil, good]):
        report = scene.verify(notes=notes)
        assert {(f.kind, f.last) for f in report.findings} == {("forked", 901)}


def test_a_checkpoint_with_a_witness_beside_the_ledgers_key_is_opened(scene: Scene) -> None:
    note = scene.note(END) + "\u2014 witness.example AAAAAAAAAAAA\n"
    assert scene.verify(notes=[note]).verdict == "intact"


def test_an_entry_changed_below_a_checkpoint_is_located_and_no_fork(scene: Scene) -> None:
    outside = scene.note(END)
    scene.edit_header(800, lambda header: header.update(outcome="failure"))
    report = scene.verify(notes=[outside])
    assert "forked" not in {f.kind for f in report.findings}
    assert report.verdict == "tampered"


def test_the_empty_tree_is_no_anchor(scene: Scene) -> None:
    key, origin = scene.key, scene.vkey.name
    scene.heads.insert(0, [0, __import__("hashlib").sha256(b"").digest(), b"", 0])
    note = scene.note(0, key=key, name=origin)
    del scene.heads[0]
    report = scene.verify(notes=[note])
    assert (report.verdict, report.anchored_size) == ("intact_unanchored", 0)


def test_a_fork_of_the_empty_tree_begins_at_the_first_entry(scene: Scene) -> None:
    text = scene.note(END).replace(f"\n{END}\n", "\n0\n", 1).split("\n\n")[0] + "\n"
    signature = scene.key.sign(text.encode())
    line = base64.b64encode(scene.vkey.key_id.to_bytes(4, "big") + signature).decode()
    note = f"{text}\n\u2014 {scene.vkey.name} {line}\n"
    assert scene.found(notes=[note]) == {("forked", 0, 0)}


# ---- what an anchor keeps ------------------------------------------------------------------------


def test_every_note_of_an_anchor_is_compared_and_the_newest_covers(scene: Scene) -> None:
    kept = [("file", scene.note(size)) for size in (1, 287, 902, 902)]
    report = scene.verify(anchors=kept)
    assert (report.findings, report.anchored_size) == ((), 902)
    assert report.assurance.level == "ANCHORED"
    assert any("size 902: file" in text for text in report.assurance.rests_on)


def test_notes_of_other_ledgers_in_an_anchor_are_named_and_passed_over(scene: Scene) -> None:
    foreign = [("file", scene.note(END, name=f"lab/{n:016x}")) for n in range(2)]
    report = scene.verify(anchors=[*foreign, ("file", scene.note(902))])
    assert (report.findings, report.anchored_size) == ((), 902)
    assert "2 checkpoints of other ledgers were passed over" in report.remarks[0]


def test_an_anchor_that_knows_other_ledgers_only_speaks_against_this_one(scene: Scene) -> None:
    foreign = [("file", scene.note(END, name="lab/ffffffffffffffff"))]
    good = [("other", scene.note(END))]
    assert scene.found(anchors=foreign + good) == {("forked", 0, END - 1)}


def test_a_history_that_an_anchor_contradicts_is_one_range(scene: Scene) -> None:
    kept = [("file", scene.note(size)) for size in (1, 287, 902, END)]
    scene.rewrite(500)
    scene.regrow()
    scene.resign()
    assert scene.found(anchors=kept) == {("forked", 287, END - 1)}


def test_the_end_that_an_anchor_knows_is_one_finding(scene: Scene) -> None:
    kept = [("file", scene.note(row[0])) for row in scene.heads if row[0] > 902]
    del scene.entries[902:]
    scene.heads = [row for row in scene.heads if row[0] <= 902]
    scene.nodes = [row for row in scene.nodes if (row[1] + 1) * 256 <= 902]
    assert scene.found(anchors=kept) == {("rolled_back", 902, END - 1)}
