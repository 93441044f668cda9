"""What an attacker might wash clean: recoveries and own records that nobody signed for."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.verify.scene import Scene, head_text, signed_note, vkey_of
from tests.verify.test_heads import cut
from tests.verify.test_incarnations import CUT, NEXT, ORIGIN, new_note, recover, signature

FORGED = Ed25519PrivateKey.generate()
EVERYTHING = [{"size": 1, "root": "00" * 32}, {"size": 2**53 - 1, "root": "00" * 32}]


def lost(origin: str) -> list[dict[str, Any]]:
    """Whatever was ever published of an origin, or ever will be."""
    return [{"anchor": "file", "origin": origin, **one} for one in EVERYTHING]


def test_a_recovery_that_no_known_key_signed_for_is_not_judged(scene: Scene) -> None:
    seq = recover(scene)
    report = scene.verify(pinned=scene.vkey, notes=[new_note(scene, seq + 2)])
    assert (report.verdict, report.findings) == ("undecided", ())
    assert f"from entry {seq} on" in report.undecided[0]
    new = vkey_of(NEXT, ORIGIN)  # its heads cover what came before it, too
    for pins in ([scene.vkey, new], [new]):
        assert scene.verify(pinned=pins, notes=[new_note(scene, seq + 2)]).verdict == "intact"


def test_no_entry_declares_its_own_incarnation_lost(scene: Scene) -> None:
    seq = recover(scene, lost=lost(ORIGIN))
    later = new_note(scene, seq + 2)
    del scene.entries[seq + 1 :], scene.heads[-1]
    assert scene.found(notes=[later]) == {("rolled_back", seq + 1, seq + 1)}


def test_a_genesis_declares_nothing_of_its_own_ledger_lost(scene: Scene) -> None:
    def declare(body: Any) -> None:
        body["event"].update(lost=lost(scene.vkey.name) + lost(ORIGIN))

    scene.edit_body(0, declare)
    scene.refit(0)
    scene.rechain(0)
    scene.regrow()
    scene.resign()
    before = scene.copy()
    whole = scene.note(1051)
    cut(scene, CUT)
    assert scene.found(notes=[whole]) == {("rolled_back", CUT, 1050)}
    seq = recover(before)
    later = new_note(before, seq + 2)
    del before.entries[seq + 1 :], before.heads[-1]
    assert before.found(notes=[later]) == {("rolled_back", seq + 1, seq + 1)}, "nor of a later one"


def tail(scene: Scene, event: str, **fields: Any) -> int:
    """A forged own record under no head, as whoever can write the file and has no key leaves it."""
    return scene.own(event, head=False, **fields)


def last(scene: Scene) -> dict[str, Any]:
    return {"size": scene.heads[-1][0], "root": scene.heads[-1][1].hex()}


def test_a_key_named_in_an_unsigned_tail_vouches_for_nothing(scene: Scene) -> None:
    stands = last(scene)
    forged = vkey_of(FORGED, scene.vkey.name)
    tail(scene, "key", vkey=str(forged), reason="rotation")
    head = head_text(scene.vkey.name, stands["size"], bytes.fromhex(stands["root"]))
    text = f"recover/v1\n{head}{ORIGIN}\n{vkey_of(NEXT, ORIGIN)}\n"
    signed = base64.b64encode(FORGED.sign(text.encode())).decode()
    seq = recover(scene, **stands, signature=signed)
    report = scene.verify(pinned=scene.vkey)
    assert ("key", seq, seq) in {(one.kind, one.first, one.last) for one in report.findings}


def test_the_true_key_vouches_behind_a_forged_one_in_the_tail(scene: Scene) -> None:
    stands = last(scene)
    signed = signature(scene, scene.key)
    tail(scene, "key", vkey=str(vkey_of(FORGED, scene.vkey.name)), reason="rotation")
    recover(scene, **stands, signature=signed)
    report = scene.verify(pinned=scene.vkey)
    assert (report.findings, report.assurance.level) == ((), "SIGNED")


@pytest.mark.parametrize("event", ["erase", "prune"])
def test_a_deletion_named_in_an_unsigned_tail_allows_nothing(scene: Scene, event: str) -> None:
    stands = last(scene)
    tail(scene, event, ranges=[[100, 110]], reason="x", authoriser="y", count=11)
    recover(scene, **stands)
    for seq in range(100, 111):
        scene.entries[seq][3] = None
    assert scene.found() == {("body_missing", 100, 110)}


def test_a_recovery_forged_in_the_tail_declares_nothing_lost(scene: Scene) -> None:
    whole = scene.note(1051)
    cut(scene, CUT)
    stands = last(scene)
    other = vkey_of(FORGED, "lab/00000000000000ee")
    told = {"lost": lost(scene.vkey.name), "reason": "", "signature": "", **stands}
    tail(scene, "recover", origin=other.name, vkey=str(other), log_vkey=str(other), **told)
    head = head_text(scene.vkey.name, CUT, bytes.fromhex(stands["root"]))
    text = f"recover/v1\n{head}{ORIGIN}\n{vkey_of(NEXT, ORIGIN)}\n"
    signed = base64.b64encode(scene.key.sign(text.encode())).decode()
    seq = recover(scene, **stands, signature=signed)
    assert scene.found(pinned=scene.vkey, notes=[whole]) == {("rolled_back", seq, 1050)}


def test_a_recovery_goes_on_from_the_newest_head_and_no_older_one(scene: Scene) -> None:
    old = next(row for row in scene.heads if row[0] == CUT)
    seq = recover(scene, size=CUT, root=old[1].hex())
    assert ("altered", seq, seq) in scene.found()


def test_a_note_with_the_log_keys_line_alone_needs_the_true_log_key(scene: Scene) -> None:
    text = head_text(scene.vkey.name, 1051, scene.heads[-1][1])
    forged = vkey_of(FORGED, scene.vkey.name)
    note = signed_note(text, forged, FORGED.sign(text.encode()))
    assert scene.verify(notes=[note]).anchored_size == 0
