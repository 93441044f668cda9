"""Inclusion and consistency proofs of RFC 6962, 2.1.1 and 2.1.2: made and verified."""

from collections.abc import Callable, Sequence

from audit_receiver.tlog.merkle import node_hash

Subtree = Callable[[int, int], bytes]
"""subtree(lo, hi): MTH(D[lo:hi]), as `merkle.subtree_root` gives it."""


class ProofError(ValueError):
    """A proof does not show what it claims to; the message says how."""


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (count > 1)."""
    return 1 << (count - 1).bit_length() - 1


def prove_inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, RFC 6962, 2.1.1.

    Raises ValueError if the leaf is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path = []
    lo, hi = 0, size
    while hi - lo > 1:
        middle = lo + _split(hi - lo)
        if index < middle:
            path.append(subtree(middle, hi))
            hi = middle
        else:
            path.append(subtree(lo, middle))
            lo = middle
    path.reverse()
    return path


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that `path` leads to from leaf hash `leaf` (RFC 9162, 2.1.3.2).

    Raises ProofError if the index is outside the tree or the path has the wrong length.
    """
    if not 0 <= index < size:
        raise ProofError(f"index {index} is outside a tree of {size}")
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError("the path is longer than the tree is high")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise ProofError("the path is shorter than the tree is high")
    return root


def prove_consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """The proof that the tree of `new` leaves extends that of `old`, RFC 6962, 2.1.2.

    Raises ValueError unless 0 < old <= new.
    """
    if not 0 < old <= new:
        raise ValueError(f"no tree of {new} leaves extends one of {old}")
    path = []
    lo, hi, whole = 0, new, True
    while old != hi:
        middle = lo + _split(hi - lo)
        if old <= middle:
            path.append(subtree(middle, hi))
            hi = middle
        else:
            path.append(subtree(lo, middle))
            lo, whole = middle, False
    if not whole:
        path.append(subtree(lo, hi))
    path.reverse()
    return path


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree (`new`, `new_root`) extends (`old`, `old_root`) (RFC 9162, 2.1.4.2).

    Raises ProofError if it does not.
    """
    if not 0 < old <= new:
        raise ProofError(f"no tree of {new} leaves extends one of {old}")
    if old == new:
        if path:
            raise ProofError("two trees of one size need no path")
        if old_root != new_root:
            raise ProofError("two trees of one size have different roots")
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes or (len(hashes) == 1 and old & (old - 1) == 0):
        raise ProofError("the path is empty")
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofError("the path is longer than the tree is high")
        if node & 1 or node == last:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise ProofError("the path is shorter than the tree is high")
    if first != old_root:
        raise ProofError("the path does not lead to the older root")
    if second != new_root:
        raise ProofError("the path does not lead to the newer root")
