"""The tree against RFC 6962: known roots, another implementation, the naive definition."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_receiver.tlog.merkle import EMPTY_ROOT, Frontier, fold, leaf_hash, subtree_root
from tests.kit import reference
from tests.tlog.vectors import cases, load

DATA = [str(i).encode() for i in range(600)]
LEAVES = [leaf_hash(data) for data in DATA]


class Stored:
    """What a ledger keeps of a tree: leaves and complete 256-subtrees; counts what is read."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self.hashes = list(leaves)
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.frontier = Frontier()
        self.reads = 0
        for leaf in self.hashes:
            for node in self.frontier.push(leaf):
                self.nodes[node.level, node.idx] = node.hash

    def node(self, level: int, idx: int) -> bytes:
        self.reads += 1
        return self.nodes[level, idx]

    def leaves(self, first: int, end: int) -> list[bytes]:
        self.reads += end - first
        return self.hashes[first:end]


def grown(size: int) -> Frontier:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.push(leaf)
    return frontier


def test_the_roots_of_certificate_transparency() -> None:
    known = load("tree/certificate-transparency.json")
    frontier = Frontier()
    roots = [frontier.root().hex()]
    for text in known["leaves"]:
        frontier.push(leaf_hash(bytes.fromhex(text)))
        roots.append(frontier.root().hex())
    assert roots == known["roots"]


def test_the_roots_that_go_computes() -> None:
    wanted = dict(load("tree/go.json")["roots"])
    assert len(wanted) > 70
    frontier = Frontier()
    for size in range(max(wanted) + 1):
        if size in wanted:
            assert frontier.root().hex() == wanted[size], size
        frontier.push(leaf_hash(str(size).encode()))


@pytest.mark.parametrize("case", cases("tree/refusals.json", "roots"))
def test_the_root_of_a_common_mistake_is_another(case: dict[str, Any]) -> None:
    known = load("tree/certificate-transparency.json")
    frontier = Frontier()
    for text in known["leaves"][: case["size"]]:
        frontier.push(leaf_hash(bytes.fromhex(text)))
    assert frontier.root().hex() != case["root"], case["mistake"]


@pytest.mark.parametrize("case", cases("tree/refusals.json", "ranges"))
def test_a_range_that_is_no_subtree_is_refused(case: dict[str, Any]) -> None:
    stored = Stored(LEAVES)
    with pytest.raises(ValueError, match=re.escape(str(case["reason"]))):
        subtree_root(case["lo"], case["hi"], stored.node, stored.leaves)


def test_every_size_up_to_600_has_the_root_of_the_naive_definition() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == reference.root([])
    for size, leaf in enumerate(LEAVES, 1):
        frontier.push(leaf)
        assert frontier.size == size
        if size <= 256 or size % 37 == 0:
            assert frontier.root() == reference.root(DATA[:size]), size


def test_nodes_are_the_roots_of_complete_subtrees_and_come_once() -> None:
    frontier = Frontier()
    seen = []
    for size, leaf in enumerate(LEAVES, 1):
        nodes = frontier.push(leaf)
        assert bool(nodes) is (size % 256 == 0)
        seen += nodes
    assert [(node.level, node.idx) for node in seen] == [(1, 0), (1, 1)]
    for node in seen:
        first = node.idx * 256
        assert node.hash == reference.root(DATA[first : first + 256])


def test_the_65536th_leaf_completes_two_levels() -> None:
    frontier = Frontier()
    nodes: list[tuple[int, int]] = []
    for number in range(65_536):
        nodes += [(node.level, node.idx) for node in frontier.push(leaf_hash(str(number).encode()))]
    assert nodes[-2:] == [(1, 255), (2, 0)]
    assert len(nodes) == 257


def test_a_copy_grows_without_the_original() -> None:
    frontier = grown(255)
    copy = frontier.copy()
    copy.push(LEAVES[255])
    assert (frontier.size, frontier.root()) == (255, reference.root(DATA[:255]))
    assert (copy.size, copy.root()) == (256, reference.root(DATA[:256]))
    frontier.push(leaf_hash(b"something else"))
    assert copy.root() == reference.root(DATA[:256])


def test_every_size_is_restored_from_nodes_and_tail() -> None:
    for size in [*range(300), 511, 512, 513, 599]:
        stored = Stored(LEAVES[:size])
        frontier = Frontier.restore(size, stored.node, stored.leaves)
        assert frontier.root() == reference.root(DATA[:size]), size
        assert stored.reads <= 255 * 2
        for leaf in LEAVES[size : size + 3]:
            frontier.push(leaf)
        assert frontier.root() == reference.root(DATA[: size + 3]) or size + 3 > len(DATA)


def test_a_large_tree_is_restored_with_few_reads() -> None:
    size = 66_000
    stored = Stored(leaf_hash(str(number).encode()) for number in range(size))
    frontier = Frontier.restore(size, stored.node, stored.leaves)
    wanted = dict(load("tree/go.json")["roots"])
    assert frontier.root().hex() == wanted[size]
    assert stored.reads <= 255 * 3
    assert frontier.push(leaf_hash(b"more")) == ()


@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_a_whole_subtree_is_appended_by_its_root(blocks: int) -> None:
    frontier = grown(blocks * 64)
    frontier.graft(6, reference.root(DATA[blocks * 64 : blocks * 64 + 64]))
    assert frontier.size == blocks * 64 + 64
    assert frontier.root() == reference.root(DATA[: blocks * 64 + 64])
    frontier.push(LEAVES[blocks * 64 + 64])
    assert frontier.root() == reference.root(DATA[: blocks * 64 + 65])


def test_a_subtree_cannot_begin_inside_another() -> None:
    frontier = grown(65)
    with pytest.raises(ValueError, match="cannot begin at leaf 65"):
        frontier.graft(6, bytes(32))


def test_a_wrong_stored_node_gives_another_root() -> None:
    stored = Stored(LEAVES[:512])
    stored.nodes[1, 1] = stored.nodes[1, 0]
    frontier = Frontier.restore(512, stored.node, stored.leaves)
    assert frontier.root() != reference.root(DATA[:512])


def test_subtrees_of_every_split_are_those_of_the_definition() -> None:
    stored = Stored(LEAVES)

    def check(lo: int, hi: int, split: Callable[[int], int] = reference.split) -> None:
        found = subtree_root(lo, hi, stored.node, stored.leaves)
        assert found == reference.root(DATA[lo:hi]), (lo, hi)
        if hi - lo > 1 and lo % 64 == 0:
            middle = lo + split(hi - lo)
            check(lo, middle)
            check(middle, hi)

    for size in (1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 600):
        check(0, size)


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=70))
def test_fold_is_the_naive_root_over_any_leaves(data: list[bytes]) -> None:
    assert fold([leaf_hash(item) for item in data]) == reference.root(data)


def test_leaf_and_node_hashes_cannot_be_confused() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != reference.node(left, right)
    assert grown(2).root() == reference.node(left, right)
