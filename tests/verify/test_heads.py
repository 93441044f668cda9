"""Heads and nodes that were changed, and ledgers that end too early."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.verify.scene import Scene, other_actor

K = 400  # inside the commit of 300: entries 287 to 586
J = 800  # inside a commit of 7: entries 796 to 802
TAIL = 1050  # the last entry


def test_no_head_at_all_leaves_everything_uncovered(scene: Scene) -> None:
    scene.heads.clear()
    assert scene.found() == {("head", 0, TAIL)}


def test_the_newest_head_removed_is_found(scene: Scene) -> None:
    del scene.heads[-1]
    assert scene.found() == {("head", TAIL, TAIL)}


@pytest.mark.parametrize("place", [0, 1, 45, 60, 147])
def test_a_heads_root_changed_is_that_head_and_no_entry(scene: Scene, place: int) -> None:
    scene.heads[place][1] = bytes(32)
    found = scene.found()
    assert {kind for kind, _, _ in found} == {"head"}
    size = scene.heads[place][0]
    assert all(last == size - 1 for _, _, last in found)


@pytest.mark.parametrize("signature", [None, b"", bytes(64), bytes(63), "text", 5])
def test_a_heads_signature_changed_is_found(scene: Scene, signature: object) -> None:
    scene.heads[60][2] = signature
    size, before = scene.heads[60][0], scene.heads[59][0]
    assert scene.found(every_head=True) == {("head", before, size - 1)}


def test_heads_signed_with_another_key_from_here_on_are_one_range(scene: Scene) -> None:
    scene.resign(Ed25519PrivateKey.generate(), first=700)
    assert scene.found(every_head=True) == {("head", 698, TAIL)}
    [(kind, first, last)] = scene.found()
    assert (kind, last) == ("head", TAIL)
    assert 690 <= first <= 698


def test_a_head_of_another_epoch_is_found(scene: Scene) -> None:
    scene.heads[-1][3] = 7
    assert scene.found() == {("key", 1050, 1050)}


def test_a_forged_head_beyond_the_end_makes_no_entry_missing(scene: Scene) -> None:
    scene.heads.append([10**15, bytes(32), bytes(64), 0])
    assert {kind for kind, _, _ in scene.found()} == {"head"}


@pytest.mark.parametrize("row", [(None, b"", b"", 0), ("1", bytes(32), b"", 0), (5, "x", b"", 0)])
def test_a_malformed_head_is_found(scene: Scene, row: tuple[object, ...]) -> None:
    scene.heads.insert(3, list(row))
    assert scene.found() == {("head", None, None)}


@pytest.mark.parametrize("idx", [0, 1, 2, 3])
def test_a_changed_or_dropped_node_is_that_node(scene: Scene, idx: int) -> None:
    expected = {("index", idx * 256, idx * 256 + 255)}
    good = scene.nodes[idx][2]
    scene.nodes[idx][2] = bytes(32)
    assert scene.found() == expected
    scene.nodes[idx][2] = "text"
    assert scene.found() == expected
    del scene.nodes[idx]
    assert scene.found() == expected
    assert len(good) == 32


@pytest.mark.parametrize(
    "row", [(0, 0, b""), (8, 0, b""), (None, 0, b""), (1, -1, b""), (1, "x", b"")]
)
def test_a_node_where_none_can_be_is_found(scene: Scene, row: tuple[object, ...]) -> None:
    scene.nodes.append(list(row))
    assert {kind for kind, _, _ in scene.found()} == {"index"}


def test_a_recomputed_chain_with_the_old_nodes_left_is_fenced_in(scene: Scene) -> None:
    scene.edit_body(300, other_actor)
    scene.refit(300)
    found = scene.found()
    assert ("altered", 300, 300) in found  # what follows does not continue it
    assert found - {("altered", 300, 300)} == {("head", 287, 586)}


def cut(scene: Scene, size: int) -> None:
    del scene.entries[size:]
    scene.heads = [row for row in scene.heads if row[0] <= size]
    scene.nodes = [row for row in scene.nodes if (row[1] + 1) * 256 <= size]


def test_an_older_state_is_found_by_the_checkpoint_only(scene: Scene) -> None:
    outside = scene.note(1051)
    cut(scene, 902)
    assert scene.verify(pinned=scene.vkey).verdict == "intact_unanchored"
    assert scene.found(notes=[outside]) == {("rolled_back", 902, TAIL)}


def test_a_tail_cut_off_inside_a_commit_is_found(scene: Scene) -> None:
    outside = scene.note(1051)
    cut(scene, 900)
    assert scene.found() == {("head", 894, 899)}
    assert scene.found(notes=[outside]) == {("head", 894, 899), ("truncated", 900, TAIL)}


def test_a_tail_rewritten_behind_the_checkpoint_is_named_as_unanchored_only(scene: Scene) -> None:
    outside = scene.note(902)
    scene.rewrite(1000)
    scene.regrow()
    scene.resign()
    report = scene.verify(pinned=scene.vkey, notes=[outside])
    assert (report.verdict, report.anchored_size) == ("intact_unanchored", 902)
    assert report.unanchored > 140
