"""Tree heads against the tree: every root recomputed, signatures checked where DESIGN 8 asks."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.verify.epochs import Epoch, Epochs
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.tree import Tree

SPREAD = 512  # signatures that are checked besides the tip, the first and last of each epoch
NEVER = 1 << 80


class Head(NamedTuple):
    """A row of table `head` whose size and root have their types."""

    size: int
    root: bytes
    signature: Any
    epoch: Any


class HeadChecker:
    """Walks along the heads while the tree grows; reports what does not match.

    Args:
        heads: rows (size, root, signature, epoch) in order of size.
        size: of the ledger, to spread the signatures over it.
        base: an earlier run has checked the entries and heads before this size.
    """

    def __init__(
        self,
        heads: Iterator[Any],
        size: int,
        epochs: Epochs,
        every_head: bool,
        findings: Findings,
        base: int = 0,
    ) -> None:
        self._heads = heads
        self._epochs = epochs
        self._findings = findings
        self._step = 1 if every_head else max((size - base) // SPREAD, 1)
        self._next_sample = 0
        self._last: Head | None = None  # the newest head, while its signature is not checked
        self._reign: Epoch | None = None  # of the newest head
        self.checked = 0
        self.signatures = 0
        self.tip: Head | None = None  # the largest so far
        self.good_size = 0  # of the largest whose root matches
        self._base = base
        self._verified_size = base  # of the newest whose signature was looked at
        self._bad: list[Head] = []  # first and last of those in a row whose roots do not match
        self._bad_count = 0
        self._bad_signed = True  # whether the first of them is what the key signed
        self._coming: Head | None = None
        self._advance()

    @property
    def next_size(self) -> int:
        """The size of the next head; larger than any tree after the last."""
        return NEVER if self._coming is None else self._coming.size

    def arrive(self, tree: Tree) -> None:
        """The tree has grown to the size of the next head."""
        while (head := self._coming) is not None and head.size <= tree.size:
            self._take(head)
            if tree.agrees(head.root):
                tree.believe_entries()
                self._matches(head)
            elif tree.fence(head.root):
                self._mismatch(head)
                self._close(head.size)
                self.good_size = head.size
            else:
                self._mismatch(head)

    def finish(self, tree: Tree) -> int:
        """The end of the entries; returns how many there should be by the heads."""
        stated = self.tip.size if self.tip is not None else 0
        beyond = stated
        while (head := self._coming) is not None:  # heads over more entries than there are
            self._take(head)
            if head.size > tree.size and self._verify(head):
                beyond = head.size
            self._last = None
        if self._last is not None:
            self._verify(self._last)
        self._close(tree.size if self.tip is not None else 0)
        if stated < tree.size:
            self._findings.add(
                "head",
                stated,
                tree.size - 1,
                "no signed head covers these entries: they were not written by the receiver",
                f"a head of size {tree.size}",
                f"the newest head has size {stated}",
            )
        return beyond if self.tip is not None else tree.size

    def root_at(self, size: int) -> bytes | None:
        """The root that the newest head states, if it has this size."""
        return self.tip.root if self.tip is not None and self.tip.size == size else None

    def _take(self, head: Head) -> None:
        self.checked += 1
        before, self._last = self._last, head
        reign = self._epochs.at(head.size)
        first = reign is not self._reign
        if first:
            self._enter(reign, before)
        self.tip = head
        odd = not _is_signature(head.signature) or (reign is not None and head.epoch != reign.seq)
        if head.size >= self._next_sample or odd or first:
            self._next_sample = max(self._next_sample, head.size + self._step)
            self._last = None
            self._verify(head)
        self._advance()

    def _enter(self, reign: Epoch | None, before: Head | None) -> None:
        """Another key's heads begin: the last one of the key before is checked, and the first one.

        A `key` entry is the last of its commit, so a head of the old key ends with it.
        """
        self._reign = reign
        if before is not None:
            self._verify(before)
        begins_here = reign is not None and reign.is_successor and reign.seq + 1 >= self._base
        if begins_here and reign is not None and self.root_at(reign.seq + 1) is None:
            self._findings.add(
                "key",
                reign.seq,
                reign.seq,
                "the entry names a new key, and no head of the old key ends with it",
                f"a head of size {reign.seq + 1}",
                "none",
            )

    def _matches(self, head: Head) -> None:
        if self._bad:  # heads before and behind them hold, so nothing but these heads was changed
            self._findings.add(
                "head",
                self.good_size,
                self._bad[-1].size - 1,
                f"{self._counted()} not the root of the entries, while later heads hold:"
                " the head was changed, not the entries",
                found=self._bad[0].root.hex(),
            )
            self._bad, self._bad_count = [], 0
        self.good_size = head.size

    def _mismatch(self, head: Head) -> None:
        if not self._bad:
            self._bad_signed = self._verify(head)
        self._bad = [self._bad[0] if self._bad else head, head]
        self._bad_count += 1

    def _close(self, end: int) -> None:
        """Report heads in a row whose roots are not those of the entries."""
        if not self._bad:
            return
        first = self._bad[0].size
        self._findings.add(
            "head",
            self.good_size,
            max(end, self._bad[-1].size) - 1,
            f"{self._counted()} not the root of the entries:"
            f" the first change lies in {_between(self.good_size, first - 1)}"
            + ("" if self._bad_signed else ", and that head is not signed by the ledger's key"),
            self._bad[0].root.hex(),
        )
        self._bad, self._bad_count = [], 0

    def _counted(self) -> str:
        first, last = self._bad[0].size, self._bad[-1].size
        if self._bad_count == 1:
            return f"the head of size {first} is"
        return f"{self._bad_count} heads, of size {first} to {last}, are"

    def _verify(self, head: Head) -> bool:
        """Check a signature and what the head says of its key; reports what is wrong."""
        self.signatures += 1
        reign = self._epochs.at(head.size)
        if reign is None:
            return True  # without a genesis nothing names a key; that is reported there
        first, self._verified_size = min(self._verified_size, head.size - 1), head.size
        last = head.size - 1
        if head.epoch != reign.seq or type(head.epoch) is not int:
            self._findings.add(
                "key",
                last,
                last,
                "heads name another key's epoch than the one that their size belongs to",
                reign.seq,
                repr(head.epoch),
            )
        text = head_text(reign.origin, head.size, head.root).encode()
        if _is_signature(head.signature) and reign.key.verify(text, head.signature):
            return True
        self._findings.add(
            "head",
            first,
            last,
            "heads of this range are not signed by the ledger's key",
            f"a signature by {reign.key.name}+{reign.key.key_id:08x}",
            "another one, or none",
        )
        return False

    def _advance(self) -> None:
        """Go to the next head that can be compared; rows that cannot be heads are reported."""
        for row in self._heads:
            size, root = row[0], row[1]
            if type(size) is int and size > 0 and type(root) is bytes and len(root) == 32:
                self._coming = Head(*row)
                return
            self.checked += 1
            self._findings.add("head", None, None, "a head is malformed", found=repr(tuple(row)))
        self._coming = None


def _is_signature(value: Any) -> bool:
    return type(value) is bytes and len(value) == 64


def _between(first: int, last: int) -> str:
    return f"entry {first}" if first >= last else f"entries {first} to {last}"
