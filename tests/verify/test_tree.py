"""The tree of a verification: roots as the reference gives them, damage fenced in by blocks."""

import pytest

from audit_receiver.tlog.merkle import Frontier, leaf_hash
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.tree import MOST_ABSENT, Tree
from tests.kit import reference

DATA = [str(number).encode() for number in range(1100)]
NODES = [[1, idx, reference.root(DATA[idx * 256 : idx * 256 + 256])] for idx in range(4)]


def grown(data: list[bytes], nodes: list[list[object]] = NODES) -> tuple[Tree, Findings]:
    findings = Findings()
    tree = Tree(iter(nodes), findings)
    for item in data:
        tree.push(leaf_hash(item))
    return tree, findings


def places(findings: Findings) -> list[tuple[int | None, int | None]]:
    return [(f.first, f.last) for f in findings.sorted()]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 1024, 1100])
def test_an_untouched_tree_agrees_with_its_root(size: int) -> None:
    tree, findings = grown(DATA[:size])
    assert tree.agrees(reference.root(DATA[:size]))
    assert not tree.fence(reference.root(DATA[:size]))
    tree.finish()
    assert places(findings) == []


@pytest.mark.parametrize("changed", [0, 255, 256, 300, 511, 1023])
def test_behind_a_changed_block_the_tree_goes_on_from_the_stored_node(changed: int) -> None:
    data = [*DATA[:changed], b"changed", *DATA[changed + 1 :]]
    end = (changed // 256 + 1) * 256
    tree, findings = grown(data[:end])
    true_root = reference.root(DATA[:end])
    assert not tree.agrees(true_root)
    assert tree.fence(true_root)
    assert tree.agrees(true_root)
    for item in data[end:]:
        tree.push(leaf_hash(item))
    assert tree.agrees(reference.root(DATA))
    tree.finish()
    assert places(findings) == [], "the nodes themselves are right"


def test_two_changed_blocks_are_fenced_in_together() -> None:
    data = [b"changed" if number in (10, 300) else item for number, item in enumerate(DATA)]
    tree, _ = grown(data)
    assert tree.fence(reference.root(DATA))


def test_a_block_right_behind_one_that_was_fenced_in_is_fenced_in_as_well() -> None:
    data = [b"changed" if number in (10, 400) else item for number, item in enumerate(DATA)]
    tree, _ = grown(data[:300])
    assert tree.fence(reference.root(DATA[:300]))
    for item in data[300:600]:
        tree.push(leaf_hash(item))
    assert not tree.agrees(reference.root(DATA[:600]))
    assert tree.fence(reference.root(DATA[:600]))


def test_inside_the_changed_block_nothing_can_be_fenced_in() -> None:
    tree, _ = grown([*DATA[:300], b"changed", *DATA[301:400]])
    assert not tree.agrees(reference.root(DATA[:400]))
    assert not tree.fence(reference.root(DATA[:400]))


def test_a_changed_node_is_reported_once_a_head_agrees_with_the_entries() -> None:
    nodes = [*NODES[:1], [1, 1, bytes(32)], *NODES[2:]]
    tree, findings = grown(DATA, nodes)
    assert tree.agrees(reference.root(DATA))
    tree.believe_entries()
    tree.finish()
    assert places(findings) == [(256, 511)]


def test_missing_entries_keep_their_places() -> None:
    findings = Findings()
    tree = Tree(iter(NODES), findings)
    for item in DATA[:300]:
        tree.push(leaf_hash(item))
    tree.skip(2)
    for item in DATA[302:]:
        tree.push(leaf_hash(item))
    assert tree.size == len(DATA)
    assert tree.fence(reference.root(DATA))


def test_so_many_missing_entries_end_the_tree_and_not_the_count() -> None:
    tree, _ = grown(DATA[:10])
    tree.skip(MOST_ABSENT + 1)
    tree.push(leaf_hash(b"x"))
    tree.skip(1)
    assert tree.lost
    assert tree.size == 10 + MOST_ABSENT + 1 + 1 + 1
    assert not tree.agrees(tree.root())
    tree.finish()


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("change", ["wrong", "dropped"])
def test_nodes_of_both_levels_are_checked(level: int, change: str) -> None:
    findings = Findings()
    frontier = Frontier()
    leaves = [leaf_hash(str(number).encode()) for number in range(65_600)]
    rows = [[n.level, n.idx, n.hash] for leaf in leaves for n in frontier.push(leaf)]
    rows.sort(key=lambda row: row[:2])
    place = next(i for i, row in enumerate(rows) if row[:2] == [level, 0])
    if change == "wrong":
        rows[place][2] = bytes(32)
    else:
        del rows[place]
    tree = Tree(iter(rows), findings)
    for leaf in leaves:
        tree.push(leaf)
    assert tree.agrees(frontier.root())
    tree.believe_entries()
    tree.finish()
    assert places(findings) == [(0, 256**level - 1)]


def test_nodes_beyond_the_entries_belong_to_what_came_while_we_read() -> None:
    tree, findings = grown(DATA, [*NODES, [1, 4, bytes(32)], [2, 0, bytes(32)], [7, 0, bytes(32)]])
    tree.finish()
    assert places(findings) == []
