"""`ledger.recover`: a new incarnation is told, what it carries on is compared, losses are named."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.verify.scene import Json, Scene, head_text, signed_note, vkey_of
from tests.verify.test_heads import cut

NEXT = Ed25519PrivateKey.generate()
ORIGIN = "lab/00000000000000ff"
CUT = 902  # the ledger's size after the loss: the end of a commit


def recover(scene: Scene, **fields: Any) -> int:
    """What an operator's `recover` leaves, and one record under the new key; returns its seq."""
    stated = {"size": len(scene.entries), "root": scene.verify().root, "lost": [], "reason": "disk"}
    vkey = str(vkey_of(NEXT, ORIGIN))
    seq = scene.own("recover", origin=ORIGIN, vkey=vkey, log_vkey=vkey, **{**stated, **fields})
    header: Json = {**scene.header(800), "received": scene.next_time()}
    scene.append(header, scene.body(800))
    scene.resign(NEXT, ORIGIN, first=seq + 1)
    for row in scene.heads[-2:]:
        row[3] = seq
    return seq


def new_note(scene: Scene, size: int) -> str:
    """A checkpoint of the new incarnation."""
    [(_, root, signature, _)] = [row for row in scene.heads if row[0] == size]
    return signed_note(head_text(ORIGIN, size, root), vkey_of(NEXT, ORIGIN), signature, ORIGIN)


def test_a_recovery_that_fits_is_no_finding_and_always_told(scene: Scene) -> None:
    seq = recover(scene)
    report = scene.verify()
    assert (report.verdict, report.findings, report.undecided) == ("intact_unanchored", (), ())
    before, after = report.incarnations
    assert (before.first, before.last, before.origin) == (0, seq - 1, scene.vkey.name)
    assert (after.first, after.last, after.origin) == (seq, seq + 1, ORIGIN)
    assert (after.reason, report.origin) == ("disk", ORIGIN)


def test_a_checkpoint_of_the_new_incarnation_covers_both(scene: Scene) -> None:
    seq = recover(scene)
    report = scene.verify(notes=[new_note(scene, seq + 2)])
    assert (report.verdict, report.anchored_size) == ("intact", seq + 2)


def test_the_key_of_a_later_incarnation_wants_a_pin_of_its_own(scene: Scene) -> None:
    recover(scene)
    pinned = scene.verify(pinned=scene.vkey)
    assert [one.key_pinned for one in pinned.incarnations] == [True, False]
    assert pinned.assurance.level == "LOCAL_CHAINED"
    assert any("only the recover entry names" in text for text in pinned.assurance.rests_on)
    both = scene.verify(pinned=[scene.vkey, vkey_of(NEXT, ORIGIN)])
    assert (both.findings, both.assurance.level) == ((), "SIGNED")


def test_an_old_checkpoint_within_what_is_left_is_compared(scene: Scene) -> None:
    outside = scene.note(CUT)
    cut(scene, CUT)
    recover(scene)
    assert scene.verify(notes=[outside]).anchored_size == CUT
    scene.rewrite(100)
    scene.regrow()
    scene.resign()
    scene.resign(NEXT, ORIGIN, first=CUT + 1)
    found = {kind for kind, _, _ in scene.found(notes=[outside])}
    assert {"forked", "altered"} <= found, "the rewritten part, and the root that recover states"


def test_a_loss_that_is_declared_is_no_finding_and_named(scene: Scene) -> None:
    outside = scene.note(1051)
    root = scene.heads[-1][1].hex()
    cut(scene, CUT)
    lost = [{"anchor": "file", "origin": scene.vkey.name, "size": 1051, "root": root}]
    recover(scene, lost=lost)
    report = scene.verify(notes=[outside])
    assert report.findings == ()
    [declared] = report.incarnations[1].declared
    assert "size 1051 is declared lost" in declared
    assert report.incarnations[1].lost == ("a checkpoint of size 1051 that file has",)


@pytest.mark.parametrize("wrong", [{"size": 1050}, {"root": "00" * 32}, {"origin": "lab/x"}, None])
def test_a_loss_that_is_not_declared_is_a_finding(scene: Scene, wrong: dict[str, Any]) -> None:
    outside = scene.note(1051)
    root = scene.heads[-1][1].hex()
    lost = {"anchor": "file", "origin": scene.vkey.name, "size": 1051, "root": root}
    cut(scene, CUT)
    seq = recover(scene, lost=[] if wrong is None else [{**lost, **wrong}])
    assert scene.found(notes=[outside]) == {("rolled_back", seq, 1050)}


def test_between_the_cut_and_the_largest_declared_size_everything_is_lost(scene: Scene) -> None:
    sizes = [row[0] for row in scene.heads if row[0] > CUT]
    outside = [scene.note(size) for size in sizes]
    root = scene.heads[-1][1].hex()
    cut(scene, CUT)
    recover(scene, lost=[{"origin": scene.vkey.name, "size": 1051, "root": root}])
    report = scene.verify(notes=outside)
    assert report.findings == ()
    assert len(report.incarnations[1].declared) == len(sizes) > 1


def test_a_fork_that_is_declared_is_no_finding(scene: Scene) -> None:
    outside, root = scene.note(902), next(r[1].hex() for r in scene.heads if r[0] == 902)
    scene.rewrite(500)
    scene.regrow()
    scene.resign()
    lost = [{"anchor": "file", "origin": scene.vkey.name, "size": 902, "root": root}]
    recover(scene, lost=lost)
    report = scene.verify(notes=[outside])
    assert (report.findings, len(report.incarnations[1].declared)) == ((), 1)


def test_a_ledger_begun_in_the_place_of_a_lost_one_declares_it(scene: Scene) -> None:
    note = scene.note(902, key=NEXT, name="lab/00000000000000aa")
    [root] = [row[1].hex() for row in scene.heads if row[0] == 902]
    assert ("forked", 0, 1050) in scene.found(notes=[note])
    lost = [{"anchor": "file", "origin": "lab/00000000000000aa", "size": 902, "root": root}]
    scene.edit_body(0, lambda body: body["event"].update(lost=lost, reason="the disk burnt"))
    scene.refit(0)
    scene.rechain(0)
    scene.regrow()
    scene.resign()
    report = scene.verify(notes=[note])
    assert (report.findings, len(report.incarnations[0].declared)) == ((), 1)
    assert report.incarnations[0].reason == "the disk burnt"


def signature(scene: Scene, key: Ed25519PrivateKey) -> str:
    """What the old key says for the new one, by the words of the format document."""
    size, vkey = len(scene.entries), vkey_of(NEXT, ORIGIN)
    head = head_text(scene.vkey.name, size, bytes.fromhex(scene.verify().root))
    return base64.b64encode(key.sign(f"recover/v1\n{head}{ORIGIN}\n{vkey}\n".encode())).decode()


def test_the_key_before_can_vouch_for_the_new_one(scene: Scene) -> None:
    recover(scene, signature=signature(scene, scene.key))
    report = scene.verify(pinned=scene.vkey)
    assert (report.findings, report.assurance.level) == ((), "SIGNED")
    assert [one.key_vouched for one in report.incarnations] == [False, True]


def test_a_signature_of_another_key_vouches_for_nothing(scene: Scene) -> None:
    seq = recover(scene, signature=signature(scene, Ed25519PrivateKey.generate()))
    assert scene.found() == {("key", seq, seq)}


def test_entries_that_no_head_covered_before_it_are_told(scene: Scene) -> None:
    del scene.heads[-1]
    size, root = scene.heads[-1][0], scene.heads[-1][1].hex()
    recover(scene, size=size, root=root)
    report = scene.verify()
    assert report.findings == ()
    assert report.incarnations[1].unsigned == 1051 - size > 0


def test_the_boundary_of_an_old_incarnation_is_exact(scene: Scene) -> None:
    size = len(scene.entries)
    at_the_end = scene.note(size)
    recover(scene)
    assert scene.verify(notes=[at_the_end]).anchored_size == size
    text = head_text(scene.vkey.name, size + 1, scene.heads[-2][1])
    beyond = signed_note(text, scene.vkey, scene.key.sign(text.encode()))
    assert scene.found(notes=[beyond]) == {("rolled_back", size, size)}


@pytest.mark.parametrize(
    "fields", [{"root": "00" * 32}, {"size": 2**40}, {"size": None}, {"root": 5}, {"size": -1}]
)
def test_a_recovery_that_goes_on_from_something_else_is_found(
    scene: Scene, fields: dict[str, Any]
) -> None:
    seq = recover(scene, **fields)
    assert ("altered", seq, seq) in scene.found()


def test_a_head_of_the_old_key_behind_the_recovery_is_found(scene: Scene) -> None:
    seq = recover(scene)
    scene.resign(first=seq + 2)
    assert ("head", seq + 1, seq + 1) in {
        (kind, last, last) for kind, _, last in scene.found() if kind == "head"
    }


@pytest.mark.parametrize("lost", [None, 5, [5], [{}], [{"origin": 1, "size": "x", "root": None}]])
def test_a_list_of_losses_that_makes_no_sense_declares_nothing(scene: Scene, lost: Any) -> None:
    recover(scene, lost=lost)
    assert scene.verify().incarnations[1].lost == ()
