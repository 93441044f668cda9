"""The Merkle tree of RFC 6962 over leaves that only ever grow in number.

`Frontier` is the right edge: the roots of the perfect subtrees that the tree's size decomposes
into. Roots of complete 256-subtrees are handed out as `Node`, so that a ledger can store them and
a frontier can be restored, or a proof be made, without reading every leaf.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

EMPTY_ROOT = sha256(b"").digest()

NodeAt = Callable[[int, int], bytes]
"""node(level, idx): the stored hash of entries [idx * 256**level, (idx + 1) * 256**level)."""

LeavesIn = Callable[[int, int], Iterable[bytes]]
"""leaves(first, end): the leaf hashes of [first, end), in order."""

_FANOUT_BITS = 8


class Node(NamedTuple):
    """The root of a complete subtree of 256**level leaves, level 1 or more."""

    level: int
    idx: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962, 2.1: SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree; mutable, owned by one thread."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # one per set bit of size, largest subtree first

    def push(self, leaf: bytes) -> Sequence[Node]:
        """Append one leaf hash; returns the complete 256-subtrees that it finishes, if any."""
        size = self.size
        self.size = size + 1
        if not size & 1:
            self._peaks.append(leaf)
            return ()
        peaks = self._peaks
        nodes: list[Node] = []
        height = 0
        node = leaf
        while size & 1:
            node = sha256(b"\x01" + peaks.pop() + node).digest()
            size >>= 1
            height += 1
            if not height % _FANOUT_BITS:
                nodes.append(Node(height // _FANOUT_BITS, size, node))
        peaks.append(node)
        return nodes

    def graft(self, height: int, root: bytes) -> None:
        """Append 2**height leaves at once, of which only the root is known.

        Raises ValueError unless the tree so far consists of whole subtrees of that height.
        """
        units, rest = divmod(self.size, 1 << height)
        if rest:
            raise ValueError(f"a subtree of height {height} cannot begin at leaf {self.size}")
        node = root
        while units & 1:
            node = node_hash(self._peaks.pop(), node)
            units >>= 1
        self._peaks.append(node)
        self.size += 1 << height

    def root(self) -> bytes:
        """The tree head: RFC 6962, 2.1, MTH over everything pushed."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def copy(self) -> "Frontier":
        """An independent copy: push to it, and keep it only once the push is durable."""
        other = Frontier()
        other.size = self.size
        other._peaks = self._peaks.copy()
        return other

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, largest first: what `of_peaks` takes."""
        return tuple(self._peaks)

    @classmethod
    def of_peaks(cls, size: int, peaks: Sequence[bytes]) -> "Frontier":
        """The right edge of a tree of `size` leaves. Raises ValueError unless they fit."""
        if size < 0 or len(peaks) != size.bit_count() or any(len(peak) != 32 for peak in peaks):
            raise ValueError(f"{len(peaks)} hashes cannot be the edge of a tree of {size} leaves")
        frontier = cls()
        frontier.size = size
        frontier._peaks = list(peaks)
        return frontier

    @classmethod
    def restore(cls, size: int, node: NodeAt, leaves: LeavesIn) -> "Frontier":
        """Rebuild the right edge of a tree of `size` leaves.

        Reads at most 255 stored nodes a level and 255 leaves, whatever the size.
        """
        frontier = cls()
        frontier.size = size
        start = 0
        for height in range(size.bit_length() - 1, -1, -1):
            if size >> height & 1:
                frontier._peaks.append(subtree_root(start, start + (1 << height), node, leaves))
                start += 1 << height
        return frontier


def fold(hashes: Sequence[bytes]) -> bytes:
    """MTH over hashes of equally large subtrees (or leaves), RFC 6962, 2.1."""
    count = len(hashes)
    if count == 1:
        return hashes[0]
    split = 1 << (count - 1).bit_length() - 1
    return node_hash(fold(hashes[:split]), fold(hashes[split:]))


def subtree_root(lo: int, hi: int, node: NodeAt, leaves: LeavesIn) -> bytes:
    """MTH(D[lo:hi]) for a range as RFC 6962 splits make them, from stored nodes where they exist.

    `lo` must be a multiple of the smallest power of two that is at least the length of the range;
    in every range of an inclusion or consistency proof it is. Raises ValueError otherwise.
    """
    count = hi - lo
    if count < 1 or lo % (1 << (count - 1).bit_length()):
        raise ValueError(f"[{lo}, {hi}) is no subtree of an RFC 6962 tree")
    height = count.bit_length() - 1
    if count != 1 << height:  # the right edge: a perfect subtree and what follows it
        middle = lo + (1 << height)
        return node_hash(
            subtree_root(lo, middle, node, leaves), subtree_root(middle, hi, node, leaves)
        )
    level = height // _FANOUT_BITS
    if level == 0:
        return fold(list(leaves(lo, hi)))
    width = 1 << (level * _FANOUT_BITS)
    return fold([node(level, idx) for idx in range(lo // width, hi // width)])
