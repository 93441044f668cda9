"""The tree as it grows, and how a part that was changed is fenced in.

Two trees are followed: that of the entries, and, once they differ, that of the stored nodes (the
roots of complete 256-subtrees). Where a signed head agrees with the stored nodes and not with the
entries, the entries of that block were changed and those behind it are judged by themselves again:
a changed entry does not cost the proof of a million later ones.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from audit_receiver.tlog.merkle import Frontier, Node, fold
from audit_receiver.verify.findings import Findings

BLOCK = 256
HEIGHT = 8
MOST_LEVEL = 7
MOST_ABSENT = 1 << 20  # entries missing in a row for which places are kept
_ABSENT = bytes(32)  # stands in for the leaf of an entry that is missing


class Tree:
    """Takes leaves and the stored nodes, in order; answers for roots."""

    def __init__(self, nodes: Iterator[Sequence[Any]], findings: Findings) -> None:
        self._nodes = nodes
        self._findings = findings
        self._coming: Sequence[Any] | None = next(nodes, None)
        self._entries = Frontier()
        self._entries_before = Frontier()  # at the start of the block
        self._stored: Frontier | None = None  # None while it is the same
        self._stored_before: Frontier | None = None
        self._blocks: list[bytes] = []  # level 1, as adopted
        self._disputed: list[tuple[int, bytes]] = []  # block, what is stored for it
        self.size = 0
        self.lost = False  # so many entries are missing that no root can be computed any more

    def root(self) -> bytes:
        """The root over the entries (or over what stands for them)."""
        return self._entries.root()

    def frontier(self) -> Frontier:
        """The right edge as it is now."""
        return self._entries.copy()

    def resume(self, frontier: Frontier, tail: Sequence[bytes]) -> bool:
        """Begin with the tree of an earlier run, if the stored nodes and `tail` still give it.

        `tail` are the leaf hashes behind the last complete block. Equal roots vouch for every
        node of those entries, so that later levels can be built on them.
        """
        now = Frontier()
        for idx in range(frontier.size // BLOCK):
            stored = self._node_of_block(idx)
            if type(stored) is not bytes or len(stored) != 32:
                return False
            now.graft(HEIGHT, stored)
            self._blocks.append(stored)
        self._entries_before = now.copy()
        for leaf in tail:
            now.push(leaf)
        if now.size != frontier.size or now.root() != frontier.root():
            return False
        self._entries, self.size = now, now.size
        return True

    def push(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        self.size += 1
        if self.lost:
            return
        completed = self._entries.push(leaf)
        if self._stored is not None:
            self._stored.push(leaf)
        if completed:
            self._complete(completed)

    def skip(self, count: int) -> None:
        """Keep places for entries that are missing."""
        if count > MOST_ABSENT or self.lost:
            self.lost = True
            self.size += count
            return
        for _ in range(count):
            self.push(_ABSENT)

    def agrees(self, root: bytes) -> bool:
        """Whether the entries give this root."""
        return not self.lost and self._entries.root() == root

    def fence(self, root: bytes) -> bool:
        """Whether the stored nodes give a root that the entries do not: then go on from them."""
        if self._stored is None or self.lost or self._stored.root() != root:
            return False
        self._entries = self._stored
        self._entries_before = self._stored_before or self._entries_before
        for idx, digest in self._disputed:
            self._blocks[idx] = digest
        self._forget()
        return True

    def believe_entries(self) -> None:
        """A head agrees with the entries: stored nodes that say otherwise are wrong themselves."""
        for idx, digest in self._disputed:
            self._say(1, idx, self._blocks[idx], digest)
        self._forget()

    def finish(self) -> None:
        """Check the nodes that are left, and that none is missing."""
        if self.lost:
            return
        levels = {1: self._blocks}
        for level in range(2, MOST_LEVEL + 1):
            below = levels[level - 1]
            starts = range(0, len(below) - BLOCK + 1, BLOCK)
            levels[level] = [fold(below[start : start + BLOCK]) for start in starts]
        seen = dict.fromkeys(range(2, MOST_LEVEL + 1), 0)
        while (row := self._coming) is not None:
            self._coming = next(self._nodes, None)
            level, idx, digest = row
            if not _is_place(level, idx):
                self._odd(row)
                continue
            if level == 1:  # a doublet, or of entries that came while we read
                if idx < len(self._blocks):
                    self._odd(row)
                continue
            expected = levels[level]
            for absent in range(seen[level], min(idx, len(expected))):
                self._say(level, absent, expected[absent], None)
            seen[level] = max(seen[level], idx + 1)
            if idx < len(expected) and digest != expected[idx]:
                self._say(level, idx, expected[idx], digest)
        for level, count in seen.items():
            for absent in range(count, len(levels[level])):
                self._say(level, absent, levels[level][absent], None)

    def _complete(self, completed: Sequence[Node]) -> None:
        idx, computed = completed[0].idx, completed[0].hash
        stored = self._node_of_block(idx)
        self._blocks.append(computed)
        if type(stored) is not bytes or len(stored) != 32:
            self._say(1, idx, computed, stored)
        elif stored != computed:
            self._disputed.append((idx, stored))
            self._stored = (self._stored_before or self._entries_before).copy()
            self._stored.graft(HEIGHT, stored)
        self._entries_before = self._entries.copy()
        self._stored_before = None if self._stored is None else self._stored.copy()

    def _node_of_block(self, idx: int) -> Any:
        """The hash stored for a block, None if there is none."""
        while (row := self._coming) is not None:
            if _is_place(row[0], row[1]) and (row[0], row[1]) > (1, idx):
                return None
            self._coming = next(self._nodes, None)
            if (row[0], row[1]) == (1, idx):
                return row[2]
            self._odd(row)
        return None

    def _forget(self) -> None:
        self._stored = self._stored_before = None
        self._disputed = []

    def _odd(self, row: Sequence[Any]) -> None:
        self._findings.add("index", None, None, "a tree node stands where none can be", found=row)

    def _say(self, level: int, idx: int, expected: bytes, found: Any) -> None:
        width = BLOCK**level
        stated = found.hex() if type(found) is bytes else "none" if found is None else repr(found)
        self._findings.add(
            "index",
            idx * width,
            (idx + 1) * width - 1,
            "a stored tree node is not what the entries give",
            expected.hex(),
            stated,
        )


def _is_place(level: Any, idx: Any) -> bool:
    return type(level) is int and 1 <= level <= MOST_LEVEL and type(idx) is int and idx >= 0
