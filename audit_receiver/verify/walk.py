"""One pass over entries, heads, nodes and checkpoints: who wants the tree at which size gets it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from audit_receiver.tlog.merkle import leaf_hash
from audit_receiver.verify.anchors import AnchorChecker
from audit_receiver.verify.entries import EntryChecker
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.heads import HeadChecker
from audit_receiver.verify.memory import Resumption
from audit_receiver.verify.runs import LEAF, Run
from audit_receiver.verify.stored import StoredChecker
from audit_receiver.verify.tree import Tree

Progress = Callable[[int], None]
Again = Callable[[int, int], Iterable[Sequence[Any]]]
"""again(first, end): the rows of a run that cannot be taken as a whole."""
TOLD_EVERY = 4096


class Walk:
    """Leads the checkers along the entries."""

    def __init__(
        self,
        entries: EntryChecker,
        heads: HeadChecker,
        tree: Tree,
        outside: AnchorChecker,
        stored: StoredChecker,
        findings: Findings,
    ) -> None:
        self.entries, self.heads, self.tree = entries, heads, tree
        self._outside, self._stored, self._findings = outside, stored, findings

    def resume(self, resumption: Resumption) -> bool:
        """Begin behind what an earlier run has checked; False if that is not there any more."""
        memory = resumption.memory
        if not self.tree.resume(memory.frontier, resumption.tail):
            return False
        self.entries.resume(memory)
        roots = {**resumption.roots, memory.size: self.tree.root()}
        self._outside.passed(memory.size, roots, memory.records)
        return True

    def go(
        self,
        entries: Iterable[Sequence[Any]],
        again: Again | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Take all entries: rows (seq, header, hash, body) or runs of them, in order of seq."""
        checker, outside, tree = self.entries, self._outside, self.tree
        wake, push, feed = self._arrive(), tree.push, checker.feed
        for seq, header, digest, body in self._rows(entries, again, progress):
            leaf = feed(seq, header, digest, body)
            if leaf is None:
                continue
            if checker.missing_before:
                tree.skip(checker.missing_before)
                checker.missing_before = 0
                wake = self._arrive()
            if outside.waits and checker.records > outside.newest:
                outside.record(checker.last_received)
            push(leaf_hash(leaf))
            if tree.size >= wake:
                wake = self._arrive()
            if progress is not None and not tree.size % TOLD_EVERY:
                progress(tree.size)

    def finish(self) -> int:
        """The end of the entries: what is missing there; returns the size that holds."""
        tree, heads = self.tree, self.heads
        size = tree.size
        stated = heads.finish(tree)
        for first, behind in self.entries.gaps:
            if first < stated:
                self._missing(first, behind - 1)
            else:
                self._findings.add(
                    "inserted",
                    behind,
                    behind,
                    "an entry stands beyond the end, where nothing was ever written",
                )
        if stated > size or size == 0:
            self._missing(size, max(stated, 1) - 1)
        self.entries.finish(heads.good_size)
        return size

    def _rows(
        self,
        entries: Iterable[Sequence[Any]],
        again: Again | None,
        progress: Progress | None,
    ) -> Iterator[Sequence[Any]]:
        """The entries that are judged one by one; runs are taken on the way."""
        for item in entries:
            if type(item) is not Run:
                yield item
            elif self.entries.continues(item):
                self._take(item)
                if progress is not None:
                    progress(self.tree.size)
            elif again is not None:
                yield from again(item.first, item.first + item.length)

    def _take(self, run: Run) -> None:
        """A run that continues what came before it, up to each size at which somebody waits."""
        checker, outside, tree = self.entries, self._outside, self.tree
        records, leaves, push = checker.records, run.leaves, tree.push
        at, wake = 0, self._wake()
        while at < run.length:
            if outside.waits:
                outside.record(run.time(at))
            end = min(run.length, at + max(wake - tree.size, 1))
            for place in range(at * LEAF, end * LEAF, LEAF):
                push(leaves[place : place + LEAF])
            at = end
            checker.records, checker.last_received = records + at, run.time(at - 1)
            if tree.size >= wake:
                wake = self._arrive()
        checker.took(run)

    def _wake(self) -> int:
        """The next tree size at which somebody wants the root."""
        return min(self.heads.next_size, self._outside.next_size, self._stored.next_size)

    def _arrive(self) -> int:
        tree, heads, outside = self.tree, self.heads, self._outside
        if heads.next_size <= tree.size:
            heads.arrive(tree)
        while outside.next_size <= tree.size:
            stated = heads.root_at(outside.next_size)
            passed_by = outside.next_size < tree.size  # it lies among missing entries
            root = b"" if passed_by or tree.lost else tree.root()
            outside.arrive(root, self.entries.records, stated)
        if self._stored.next_size <= tree.size:
            self._arrive_stored(tree, heads.root_at(tree.size))
        return self._wake()

    def _arrive_stored(self, tree: Tree, stated: bytes | None) -> None:
        records, received = self.entries.records, self.entries.last_received
        root = None if tree.lost else tree.root()
        if (who := self._stored.arrive(tree.size, root, stated, received)) and root is not None:
            self._outside.hold(tree.size, root, records, f"what {who} signed")

    def _missing(self, first: int, last: int) -> None:
        self._findings.add("missing", first, last, "entries are gone", "entries", "none")
