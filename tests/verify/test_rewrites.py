"""Chains that were recomputed after a change, with and without the key."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_receiver.verify.findings import Findings
from audit_receiver.verify.tallies import Tallies
from tests.verify.scene import Scene, vkey_of

K = 400  # inside the commit of 300: entries 287 to 586
J = 800  # inside a commit of 7: entries 796 to 802
TAIL = 1050  # the last entry


def first_of(scene: Scene, kind: str) -> tuple[int, int]:
    [one] = [f for f in scene.verify().findings if f.kind == kind]
    assert one.first is not None
    assert one.last is not None
    return one.first, one.last


@pytest.mark.parametrize(
    ("seq", "commit"), [(K, (287, 586)), (J, (796, 802)), (1048, (1042, 1048))]
)
def test_a_recomputed_chain_is_located_to_the_commit(
    scene: Scene, seq: int, commit: tuple[int, int]
) -> None:
    scene.rewrite(seq)
    report = scene.verify()
    assert {f.kind for f in report.findings} == {"head"}
    [one] = report.findings
    assert (one.first, one.last) == (commit[0], TAIL)
    assert f"entries {commit[0]} to {commit[1]}" in one.message


def test_recomputed_roots_without_the_key_fail_by_their_signatures(scene: Scene) -> None:
    scene.rewrite(J)
    scene.regrow()
    assert {kind for kind, _, _ in scene.found()} == {"head"}
    first, last = first_of(scene, "head")
    assert first <= J <= last == TAIL


def test_with_the_stolen_key_only_a_checkpoint_finds_it(scene: Scene) -> None:
    outside = [scene.note(size) for size in (287, 902, 1051)]
    scene.rewrite(J)
    scene.regrow()
    scene.resign()
    assert scene.verify(pinned=scene.vkey).verdict == "intact_unanchored"
    assert scene.found(notes=outside[2:]) == {("forked", 0, TAIL)}
    report = scene.verify(notes=outside)
    assert {(f.kind, f.first, f.last) for f in report.findings} == {
        ("forked", 287, 901),
        ("forked", 287, TAIL),
    }
    assert report.anchored_size == 287


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("action", "harmless"),
        ("outcome", "failure"),
        ("service", "elsewhere"),
        ("target_type", "more"),
        ("tenant", "acme"),
        ("event", "x"),
        ("kind", "audit"),
        ("time", "2020-01-01T00:00:00.000000000Z"),
        ("subject", "0" * 64),
        ("actor_type", "user"),
        ("environment", "test"),
    ],
)
def test_a_relabelled_header_is_found_although_all_is_signed_anew(
    scene: Scene, key: str, value: str
) -> None:
    assert scene.header(J).get(key) != value
    scene.edit_header(J, lambda header: header.update({key: value}))
    scene.rechain(J)
    scene.regrow()
    scene.resign()
    assert scene.found() == {("altered", J, J)}


def test_a_header_field_left_out_is_found_although_all_is_signed_anew(scene: Scene) -> None:
    scene.edit_header(J, lambda header: header.pop("service"))
    scene.rechain(J)
    scene.regrow()
    scene.resign()
    assert scene.found() == {("altered", J, J)}


def test_entries_left_out_by_the_keyholder_show_in_the_heartbeat(scene: Scene) -> None:
    beats = [row[0] for row in scene.entries if '"ledger.heartbeat"' in row[1]]
    beat = next(seq for seq in beats if seq > J)
    before = max([0, *(seq for seq in beats if seq < J)])
    del scene.entries[J]
    scene.heads = [row for row in scene.heads if row[0] < 1051]
    scene.rechain(J)
    scene.regrow()
    scene.resign()
    assert ("missing", before, beat - 2) in scene.found()


def test_another_key_and_everything_signed_anew_is_found_by_key_or_checkpoint(
    scene: Scene,
) -> None:
    outside = scene.note(1051)
    key = Ed25519PrivateKey.generate()
    pinned, name = scene.vkey, scene.vkey.name
    for renamed in (name, "lab/0000000000000000"):
        vkey = vkey_of(key, renamed)
        words = {"origin": renamed, "vkey": str(vkey)}
        scene.edit_body(0, lambda body, words=words: body["event"].update(words))
        scene.refit(0)
        scene.rechain(0)
        scene.regrow()
        scene.resign(key, renamed)
        assert scene.verify(beside=vkey).verdict == "intact_unanchored"
        assert scene.found(pinned=pinned) == {("key", 0, 0)}
        assert scene.found(beside=pinned) == {("key", 0, 0)}
        expected = {("key", 0, TAIL)} if renamed == name else {("forked", 0, TAIL)}
        assert scene.found(beside=vkey, notes=[outside]) == expected


@pytest.mark.parametrize(
    ("stated", "said"), [(1, True), (0, False), (None, None), (1, "1"), (None, False)]
)
def test_what_a_record_repeats_is_a_number_in_header_and_body(
    scene: Scene, stated: int | None, said: Any
) -> None:
    """In Python True equals 1, and a member that is null looks like one that is not there."""
    scene.edit_body(K, lambda body: body.update(duplicate_of=said))
    scene.refit(K)
    if stated is not None:
        flags = sorted({*scene.header(K)["flags"], "duplicate"})
        scene.edit_header(K, lambda header: header.update(duplicate_of=stated, flags=flags))
    scene.rechain(K)
    scene.regrow()
    scene.resign()
    assert scene.found() == {("canonical", K, K)}


@pytest.mark.parametrize(("count", "first"), [(1, 0), (True, 0), (1, False), (True, False)])
def test_a_tally_is_a_number_and_not_a_word_that_equals_it(count: Any, first: Any) -> None:
    findings = Findings()
    tallies = Tallies(findings)
    tallies.counts["login", "success"] = 1
    tallies.heartbeat(2, {"from": first, "tallies": [["login", "success", count]], "to": 1})
    assert bool(findings) is (type(count) is bool or type(first) is bool)
