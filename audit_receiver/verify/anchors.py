"""Checkpoints that were given from outside: does the ledger still say what they say?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError
from audit_receiver.tlog.merkle import EMPTY_ROOT
from audit_receiver.tlog.note import Note, NoteError, VerifierKey
from audit_receiver.verify.epochs import Epochs
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.heads import NEVER
from audit_receiver.verify.incarnations import Incarnations


class Outside(NamedTuple):
    """A note as it is given; `source` names an anchor that may hold those of other ledgers too."""

    name: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A checkpoint from outside: under which name, what it says."""

    name: str
    note: Note | None  # None: remembered by this verifier, which needs no signature for that
    checkpoint: Checkpoint
    source: str = ""


@dataclass(slots=True)
class Seen:
    """The tree at the size of a checkpoint."""

    root: bytes
    records: int  # of kind span, log or audit up to there
    heads: set[bytes]  # roots that stored heads of this size state
    since: str | None = None  # `received` of the first record behind it


def read(given: Iterable[Sequence[str]]) -> tuple[list[Given], list[str]]:
    """Parse notes; returns those that can be read and why others cannot."""
    good: list[Given] = []
    bad: list[str] = []
    known: set[tuple[str, str]] = set()
    for one in map(Outside._make, ((*some, "")[:3] for some in given)):
        if (one.source, one.text) in known:
            continue
        known.add((one.source, one.text))
        try:
            note = Note.parse(one.text)
            good.append(Given(one.name, note, Checkpoint.parse(note.text), one.source))
        except (NoteError, CheckpointError) as exc:
            bad.append(
                f"{one.name} is no checkpoint: {exc}; a checkpoint is one signed note, and a file"
                " or log of an anchor is given with --anchor"
            )
    return sorted(good, key=lambda one: one.checkpoint.size), bad


class AnchorChecker:
    """Compares the roots of the tree with what checkpoints say; reports what does not match."""

    def __init__(
        self, given: Sequence[Given], pins: Sequence[VerifierKey], findings: Findings
    ) -> None:
        self._given = given
        self._pins = pins
        self._findings = findings
        self._wanted = sorted({one.checkpoint.size for one in given} - {0}, reverse=True)
        self._seen = {0: Seen(EMPTY_ROOT, 0, set())}
        self._waiting = [self._seen[0]]  # for the first record behind them
        self._foreign: dict[str, list[Given]] = {}  # by source
        self.newest = 0  # records up to the largest size met so far
        self._held = 0  # of the largest that was compared and holds
        self.anchored_size = 0
        self.anchored_by = ""  # the name of what says so
        self.cosigned: list[Given] = []  # that hold, and have lines of others
        self.undecided: list[str] = []
        self.remarks: list[str] = []

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
        self._meet(self._wanted.pop(), Seen(root, records, set() if stated is None else {stated}))

    def passed(self, base: int, roots: dict[int, bytes], records: int) -> None:
        """The part that an earlier run has checked, and roots that are there now at sizes in it."""
        before = len(self._given)
        self._given = [
            one
            for one in self._given
            if not 0 < one.checkpoint.size <= base or one.checkpoint.size in roots
        ]
        if left := before - len(self._given):
            self.remarks.append(
                f"{left} checkpoints of sizes up to {base} were not compared: this run is an"
                " incremental one"
            )
        self._wanted = [size for size in self._wanted if size > base]
        self._seen |= {size: Seen(root, records, set()) for size, root in roots.items()}
        self.newest = records

    def sizes(self, base: int) -> list[int]:
        """Sizes up to `base` that were given, largest first."""
        return [size for size in self._wanted if size <= base]

    def hold(self, size: int, root: bytes, records: int, name: str) -> None:
        """The tree, now of this size, is vouched for by a token that was judged."""
        if size not in self._seen:
            self._meet(size, Seen(root, records, set()))
        if size > self.anchored_size:
            self.anchored_size, self.anchored_by = size, name

    def _meet(self, size: int, seen: Seen) -> None:
        self._seen[size] = seen
        self.newest = seen.records
        self._waiting.append(seen)

    def finish(
        self, size: int, covered_tip: bool, epochs: Epochs, incarnations: Incarnations
    ) -> None:
        """Judge every checkpoint against a ledger of `size` entries."""
        for one in self._given:
            checkpoint = one.checkpoint
            end = incarnations.last_size(checkpoint.origin)
            lost = checkpoint.size > (size if end is None else end)
            seen = self._seen.get(checkpoint.size)
            is_here = not lost and seen is not None and seen.root == checkpoint.root
            if not is_here and incarnations.is_declared(one.name, checkpoint):
                continue
            if not self._is_of_this_ledger(one, size, epochs):
                continue
            if not self._is_signed(one, lost, epochs):
                continue
            if lost and end is not None:
                self._is_undeclared(one, end)
            elif lost:
                self._is_ahead(one, size, covered_tip)
            else:
                self._compare(one)
        self._tell_foreign(size, epochs)

    def _is_of_this_ledger(self, one: Given, size: int, epochs: Epochs) -> bool:
        if one.checkpoint.origin in self._origins(epochs):
            return True
        if one.source:
            self._foreign.setdefault(one.source, []).append(one)
        else:
            self._is_foreign(one.name, one, size, epochs)
        return False

    def _origins(self, epochs: Epochs) -> set[str]:
        return {epoch.origin for epoch in epochs.all()} | {key.name for key in self._pins}

    def _tell_foreign(self, size: int, epochs: Epochs) -> None:
        """Notes of other ledgers in an anchor are passed over, unless there are no others."""
        origins = self._origins(epochs)
        ours = {one.source for one in self._given if one.checkpoint.origin in origins}
        for source, foreign in self._foreign.items():
            if source in ours:
                names = sorted({one.checkpoint.origin for one in foreign})
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                self.remarks.append(
                    f"{source}: {len(foreign)} checkpoints of other ledgers were passed over"
                    f" ({', '.join(names[:3])}{more})"
                )
            else:
                self._is_foreign(source, foreign[-1], size, epochs)

    def _is_foreign(self, name: str, one: Given, size: int, epochs: Epochs) -> None:
        self._findings.add(
            "forked",
            0,
            max(size, 1) - 1,
            f"{name}: the checkpoint was taken of another ledger than this one, or this one was"
            " begun anew in its place",
            f"origin {one.checkpoint.origin}",
            f"origin {' or '.join(sorted(self._origins(epochs))) or 'none'}",
        )

    def _is_signed(self, one: Given, lost: bool, epochs: Epochs) -> bool:
        if one.note is None:
            return True
        origin = one.checkpoint.origin
        reign = epochs.at(one.checkpoint.size)
        keys = [epoch.key for epoch in epochs.all() if reign is None or epoch == reign]
        if lost or (reign is not None and reign.origin != origin):
            keys = epochs.keys_of(origin)
        epochal = [epoch.key for epoch in epochs.all()]  # each for its own sizes, also if pinned
        keys += [key for key in self._pins if key not in epochal]
        log_key = epochs.log_key(origin)
        if log_key is not None:  # a witness shows what it was told with that key's line alone
            keys.append(log_key)
        try:
            holder = one.note.signed_by(keys)
        except NoteError as exc:
            self.undecided.append(f"{one.name} proves nothing: {exc}")
            return False
        if holder is None or holder.name != origin:
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

    def _is_undeclared(self, one: Given, end: int) -> None:
        self._findings.add(
            "rolled_back",
            end,
            one.checkpoint.size - 1,
            f"{one.name}: entries were lost before entry {end} began a new incarnation, and it does"
            " not declare this checkpoint lost",
            f"{one.checkpoint.size} entries of {one.checkpoint.origin}",
            f"{end} entries",
        )

    def _compare(self, one: Given) -> None:
        size, root = one.checkpoint.size, one.checkpoint.root
        seen = self._seen.get(size)
        if seen is None:
            self.undecided.append(f"{one.name}: so many entries are missing that it cannot be used")
        elif seen.root == root:
            self._held = max(self._held, size)
            if one.note is not None and len(one.note.signatures) > 1:
                self.cosigned.append(one)
            if size > self.anchored_size:
                self.anchored_size, self.anchored_by = size, one.name
        elif root not in seen.heads:  # else the heads still say so, and what was changed is located
            self._findings.add(
                "forked",
                max(min(self._held, size - 1), 0),
                max(size, 1) - 1,
                f"{one.name}: the entries of this range are not those that the checkpoint covers",
                root.hex(),
                seen.root.hex(),
            )
