"""Checkpoints that were given from outside: does the ledger still say what they say?"""

from collections.abc import Sequence
from dataclasses import dataclass

from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError
from audit_receiver.tlog.merkle import EMPTY_ROOT
from audit_receiver.tlog.note import Note, NoteError, VerifierKey
from audit_receiver.verify.epochs import Epochs
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.heads import NEVER


@dataclass(frozen=True, slots=True)
class Given:
    """A note as it was given: which file, what it says."""

    name: str
    note: Note
    checkpoint: Checkpoint


@dataclass(slots=True)
class Seen:
    """The tree at the size of a checkpoint."""

    root: bytes
    records: int  # of kind span, log or audit up to there
    heads: set[bytes]  # roots that stored heads of this size state
    since: str | None = None  # `received` of the first record behind it


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
        self, given: Sequence[Given], pinned: VerifierKey | None, findings: Findings
    ) -> None:
        self._given = given
        self._pinned = pinned
        self._findings = findings
        self._wanted = sorted({one.checkpoint.size for one in given} - {0}, reverse=True)
        self._seen = {0: Seen(EMPTY_ROOT, 0, set())}
        self._waiting = [self._seen[0]]  # for the first record behind them
        self.newest = 0  # records up to the largest size met so far
        self.anchored_size = 0
        self.undecided: list[str] = []

    @property
    def next_size(self) -> int:
        """The next size at which the tree is wanted; larger than any tree after the last."""
        return self._wanted[-1] if self._wanted else NEVER

    @property
    def covered(self) -> Seen:
        """The tree at the size of the largest checkpoint that holds."""
        return self._seen[self.anchored_size]

    @property
    def waits(self) -> bool:
        """Whether the next record is the first one behind a checkpoint."""
        return bool(self._waiting)

    def record(self, received: str) -> None:
        """The first record behind all sizes met so far."""
        for seen in self._waiting:
            seen.since = received
        self._waiting = []

    def arrive(self, root: bytes, records: int, stated: bytes | None) -> None:
        """The tree has the next wanted size; `stated` is the root that a stored head states."""
        size = self._wanted.pop()
        seen = Seen(root, records, set() if stated is None else {stated})
        self._seen[size] = seen
        self.newest = records
        self._waiting.append(seen)

    def finish(self, size: int, covered_tip: bool, epochs: Epochs) -> None:
        """Judge every checkpoint against a ledger of `size` entries."""
        for one in self._given:
            if not self._is_of_this_ledger(one, size, epochs) or not self._is_signed(one, epochs):
                continue
            if one.checkpoint.size > size:
                self._is_ahead(one, size, covered_tip)
            else:
                self._compare(one)

    def _is_of_this_ledger(self, one: Given, size: int, epochs: Epochs) -> bool:
        origins = {epoch.origin for epoch in epochs.all()}
        if self._pinned is not None:
            origins.add(self._pinned.name)
        if one.checkpoint.origin in origins:
            return True
        self._findings.add(
            "forked",
            0,
            max(size, 1) - 1,
            f"{one.name}: the checkpoint was taken of another ledger than this one, or this one was"
            " begun anew in its place",
            f"origin {one.checkpoint.origin}",
            f"origin {' or '.join(sorted(origins)) or 'none'}",
        )
        return False

    def _is_signed(self, one: Given, epochs: Epochs) -> bool:
        reign = epochs.at(one.checkpoint.size)
        keys = [epoch.key for epoch in epochs.all() if reign is None or epoch == reign]
        if self._pinned is not None and self._pinned not in keys:
            keys.append(self._pinned)
        try:
            holder = one.note.signed_by(keys)
        except NoteError as exc:
            self.undecided.append(f"{one.name} proves nothing: {exc}")
            return False
        if holder is None or holder.name != one.checkpoint.origin:
            ids = ", ".join(f"{line.key_id:08x}" for line in one.note.signatures)
            self._findings.add(
                "key",
                0,
                max(one.checkpoint.size, 1) - 1,
                f"{one.name}: the checkpoint has this ledger's origin and is signed by another key:"
                " the ledger was rewritten under a new key, or the checkpoint is forged",
                f"key {ids}",
                f"key {', '.join(f'{key.key_id:08x}' for key in keys) or 'none'}",
            )
            return False
        return True

    def _is_ahead(self, one: Given, size: int, covered_tip: bool) -> None:
        # Cut off at the end of a commit, a ledger is what it once was: nothing in it can tell.
        self._findings.add(
            "rolled_back" if covered_tip else "truncated",
            size,
            one.checkpoint.size - 1,
            f"{one.name}: the ledger is an older state of itself: rolled back, or cut off"
            if covered_tip
            else f"{one.name}: the tail of the ledger was cut off",
            f"{one.checkpoint.size} entries",
            f"{size} entries",
        )

    def _compare(self, one: Given) -> None:
        size, root = one.checkpoint.size, one.checkpoint.root
        seen = self._seen.get(size)
        if seen is None:
            self.undecided.append(f"{one.name}: so many entries are missing that it cannot be used")
        elif seen.root == root:
            self.anchored_size = max(self.anchored_size, size)
        elif root not in seen.heads:  # else the heads still say so, and what was changed is located
            self._findings.add(
                "forked",
                max(min(self.anchored_size, size - 1), 0),
                max(size, 1) - 1,
                f"{one.name}: the entries of this range are not those that the checkpoint covers",
                root.hex(),
                seen.root.hex(),
            )
