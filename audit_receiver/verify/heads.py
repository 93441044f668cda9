"""Tree heads against the tree: every root recomputed, signatures checked where DESIGN 8 asks."""

from collections.abc import Callable, Iterator
from typing import Any

from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.verify.epochs import Epochs
from audit_receiver.verify.findings import Finding

SPREAD = 256  # signatures that are checked besides the tip and the last of each epoch


class HeadChecker:
    """Walks along the heads while the tree grows; reports what does not match."""

    def __init__(
        self,
        heads: Iterator[Any],
        size: int,
        epochs: Epochs,
        every_head: bool,
        report: Callable[[Finding], None],
    ) -> None:
        self._heads = heads
        self._epochs = epochs
        self._report = report
        self._step = 1 if every_head else max(size // SPREAD, 1)
        self._next_sample = 0
        self._coming: Any = next(heads, None)
        self._last: tuple[int, bytes, Any, Any] | None = None
        self.checked = 0
        self.signatures = 0
        self.tip_size = 0  # of the largest head that is well-formed
        self.good_size = 0  # of the largest head whose root matches
        self._signed_size = 0  # of the largest head whose signature was checked and holds
        self.first_bad: tuple[int, str, str] | None = None  # size, stated root, computed root
        self._bad_heads = 0
        self._unjudged: int | None = None
        self.signature_failed = False

    @property
    def next_size(self) -> int | None:
        """The size of the next head, None after the last."""
        self._skip_malformed()
        return None if self._coming is None else self._coming[0]

    def arrive(self, size: int, root: Callable[[], bytes] | None) -> None:
        """The tree has `size` leaves; `root` computes its root, None where it cannot be known."""
        while (following := self.next_size) is not None and following <= size:
            stated_size, stated_root, signature, epoch = self._coming
            self._coming = next(self._heads, None)
            self.checked += 1
            self.tip_size = stated_size
            if following < size:  # stands between two entries' ends: cannot be
                self._bad(stated_size, stated_root.hex(), "none")
                continue
            self._root(stated_size, stated_root, root)
            self._signature(stated_size, stated_root, signature, epoch)

    def finish(self, size: int) -> None:
        """The end of the entries: the tip must be covered by a head that is signed."""
        if self._last is not None:
            self._verify(*self._last)
            self._last = None
        while self.next_size is not None:  # heads beyond the entries
            stated_size, stated_root, signature, epoch = self._coming
            self._coming = next(self._heads, None)
            self.checked += 1
            self.tip_size = stated_size
            self._verify(stated_size, stated_root, signature, epoch)
        if self.tip_size < size:
            self._report(
                Finding(
                    "head",
                    self.tip_size,
                    size - 1,
                    "a signed head",
                    "none",
                    "no signed head covers these entries: they were not written by the receiver",
                )
            )
        if self._unjudged is not None:
            self._report(
                Finding(
                    "head",
                    self._unjudged - 1,
                    self.tip_size - 1,
                    "entries without a gap",
                    "a gap before",
                    "heads from here on cannot be recomputed",
                )
            )
        if self.first_bad is not None:
            first, stated, computed = self.first_bad
            self._report(
                Finding(
                    "head",
                    first - 1,
                    self.tip_size - 1,
                    stated,
                    computed,
                    f"{self._bad_heads} heads, from size {first} on, do not match the entries",
                )
            )

    def _root(self, size: int, stated: bytes, root: Callable[[], bytes] | None) -> None:
        if root is None:
            self._unjudged = self._unjudged or size
            return
        computed = root()
        if computed == stated:
            if self.first_bad is None:
                self.good_size = size
        else:
            self._bad(size, stated.hex(), computed.hex())

    def _bad(self, size: int, stated: str, computed: str) -> None:
        self._bad_heads += 1
        if self.first_bad is None:
            self.first_bad = (size, stated, computed)

    def _signature(self, size: int, root: bytes, signature: Any, epoch: Any) -> None:
        """Check a spread at once; keep the newest, which is checked when it turns out the last."""
        before, self._last = self._last, (size, root, signature, epoch)
        if before is not None and before[3] != epoch:
            self._verify(*before)  # the last of its epoch
        if size >= self._next_sample:
            self._next_sample = size + self._step
            self._last = None
            self._verify(size, root, signature, epoch)

    def _verify(self, size: int, root: bytes, signature: Any, epoch: Any) -> None:
        self.signatures += 1
        reign = self._epochs.at(size)
        if reign is None:
            return  # without a genesis nothing names a key; that is reported there
        if epoch != reign.seq:
            self._report(
                Finding(
                    "key",
                    size - 1,
                    size - 1,
                    str(reign.seq),
                    repr(epoch),
                    "a head claims another key's epoch than its size belongs to",
                )
            )
        text = head_text(reign.origin, size, root).encode()
        if type(signature) is bytes and reign.key.verify(text, signature):
            self._signed_size = size
            return
        if not self.signature_failed:
            self.signature_failed = True
            self._report(
                Finding(
                    "head",
                    self._signed_size,
                    size - 1,
                    f"signed by key {reign.key.key_id:08x}",
                    "the signature does not verify",
                    "heads of this range are not signed with the ledger's key",
                )
            )

    def _skip_malformed(self) -> None:
        while self._coming is not None and not _well_formed(self._coming):
            self._report(
                Finding(
                    "head",
                    None,
                    None,
                    "size, root, signature, epoch",
                    repr(self._coming)[:200],
                    "a head is malformed",
                )
            )
            self._coming = next(self._heads, None)


def _well_formed(row: Any) -> bool:
    size, root = row[0], row[1]
    return type(size) is int and size > 0 and type(root) is bytes and len(root) == 32
