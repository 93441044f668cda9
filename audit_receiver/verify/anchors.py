"""Checkpoints that were given from outside: does the ledger still say what they say?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError
from audit_receiver.tlog.note import Note, NoteError, VerifierKey
from audit_receiver.verify.epochs import Epochs
from audit_receiver.verify.findings import Finding, Kind


@dataclass(frozen=True, slots=True)
class Given:
    """A note as it was given: which file, what it says."""

    name: str
    note: Note
    checkpoint: Checkpoint


def read(given: Sequence[tuple[str, str]]) -> tuple[list[Given], list[str]]:
    """Parse notes of (name, text); returns those that can be read and why others cannot."""
    good: list[Given] = []
    bad: list[str] = []
    for name, text in given:
        try:
            note = Note.parse(text)
            good.append(Given(name, note, Checkpoint.parse(note.text)))
        except (NoteError, CheckpointError) as exc:
            bad.append(f"{name} is no checkpoint: {exc}")
    return sorted(good, key=lambda one: one.checkpoint.size), bad


class AnchorChecker:
    """Compares the roots of the tree with what checkpoints say; reports what does not match."""

    def __init__(
        self, given: Sequence[Given], pinned: VerifierKey | None, report: Callable[[Finding], None]
    ) -> None:
        self._given = given
        self._pinned = pinned
        self._report = report
        self._wanted = {one.checkpoint.size for one in given}
        self._seen: dict[int, tuple[bytes, int]] = {}  # size -> (root, records so far)
        self.anchored_size = 0
        self.records_covered = 0
        self.undecided: list[str] = []

    @property
    def next_size(self) -> int | None:
        """The next size at which a root is wanted, None if there is none."""
        return min(self._wanted, default=None)

    def arrive(self, size: int, root: Callable[[], bytes] | None, records: int) -> None:
        """The tree has `size` leaves, `records` of them of kind span, log or audit."""
        if size in self._wanted:
            self._wanted.discard(size)
            if root is not None:
                self._seen[size] = (root(), records)

    def finish(self, size: int, covered_tip: bool, epochs: Epochs) -> None:
        """Judge every checkpoint against a ledger of `size` entries."""
        for one in self._given:
            self._judge(one, size, covered_tip, epochs)

    def _judge(self, one: Given, size: int, covered_tip: bool, epochs: Epochs) -> None:
        checkpoint = one.checkpoint
        origins = {epoch.origin for epoch in epochs.all()}
        if checkpoint.origin not in origins:
            self._fork(
                one,
                0,
                size - 1,
                " or ".join(sorted(origins)) or "none",
                checkpoint.origin,
                "is of another origin than this ledger: it is not the ledger that the checkpoint"
                " was taken of",
            )
            return
        if not self._is_signed(one, epochs):
            return
        if checkpoint.size > size:
            kind: Kind = "rolled_back" if covered_tip else "truncated"
            words = (
                "the ledger is an older state of itself: it was rolled back or cut off"
                if covered_tip
                else "the tail of the ledger was cut off"
            )
            self._report(
                Finding(
                    kind,
                    size,
                    checkpoint.size - 1,
                    f"{checkpoint.size} entries",
                    f"{size} entries",
                    f"{one.name}: {words}",
                )
            )
            return
        seen = self._seen.get(checkpoint.size) if checkpoint.size else None
        if checkpoint.size and seen is None:
            self.undecided.append(
                f"{one.name}: the root of size {checkpoint.size} cannot be computed, entries are"
                " missing"
            )
            return
        if seen is not None and seen[0] != checkpoint.root:
            self._fork(
                one,
                self.anchored_size,
                checkpoint.size - 1,
                checkpoint.root.hex(),
                seen[0].hex(),
                "the entries of this range are not those that the checkpoint covers",
            )
            return
        if seen is not None and checkpoint.size > self.anchored_size:
            self.anchored_size, self.records_covered = checkpoint.size, seen[1]

    def _is_signed(self, one: Given, epochs: Epochs) -> bool:
        reign = epochs.at(one.checkpoint.size) or epochs.first
        keys = [epoch.key for epoch in epochs.all() if reign is None or epoch == reign]
        if self._pinned is not None:
            keys.append(self._pinned)
        try:
            holder = one.note.signed_by(keys)
        except NoteError as exc:
            self.undecided.append(f"{one.name}: {exc}")
            return False
        if holder is None:
            ids = ", ".join(f"{line.key_id:08x}" for line in one.note.signatures)
            self._report(
                Finding(
                    "key",
                    0,
                    one.checkpoint.size - 1,
                    f"a key of {one.name}: {ids}",
                    ", ".join(f"{key.key_id:08x}" for key in keys) or "none",
                    f"{one.name}: is of this origin, and signed with another key than the ledger"
                    " names: the ledger was rewritten with a new key, or the checkpoint is forged",
                )
            )
            return False
        return True

    def _fork(
        self, one: Given, first: int, last: int, expected: str, found: str, words: str
    ) -> None:
        self._report(
            Finding("forked", first, max(last, first), expected, found, f"{one.name}: {words}")
        )
