"""Follows another ledger's mirror: each new checkpoint has to extend what was seen before.

What holds is remembered before it is reported, so a monitor that is killed never forgets what it
said. What does not hold is never remembered: the next look compares with the last good one again.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from audit_receiver.errors import IntegrityError
from audit_receiver.mirror import bundles, layout, memory
from audit_receiver.mirror.layout import ENTRIES
from audit_receiver.mirror.memory import Seen
from audit_receiver.mirror.notes import Offered, versions
from audit_receiver.mirror.stores import Source, StoreError
from audit_receiver.mirror.tree import MissingPiece, TileTree, WrongPiece
from audit_receiver.tlog.chain import GENESIS_PREV, entry_hash
from audit_receiver.tlog.checkpoint import CheckpointError, open_checkpoint
from audit_receiver.tlog.merkle import leaf_hash
from audit_receiver.tlog.note import VerifierKey

Alarm = Literal[
    "", "bad_signature", "fork", "rollback", "other_log", "damaged", "unreachable", "silence"
]
DOES_NOT_HOLD = frozenset({"bad_signature", "fork", "rollback", "other_log", "damaged"})


class Look(NamedTuple):
    """What one look at the place came to."""

    alarm: Alarm  # "" if all is well
    origin: str
    size: int  # of what holds: the new one, or what was seen before
    message: str
    evidence: str = ""  # a file with notes that cannot both be true


class Monitor:
    """One ledger under watch.

    Args:
        vkeys: keys that may sign its checkpoints; the stable log key stays right over all changes.
        state: the file with what was seen.
        max_silence_seconds: without growth for so long it is an alarm; 0 for never.
        entries: whether each new header is hashed anew and its chain followed.
    """

    def __init__(
        self,
        source: Source,
        vkeys: Sequence[VerifierKey],
        state: Path,
        now: Callable[[], int],
        max_silence_seconds: float = 0.0,
        entries: bool = True,
    ) -> None:
        self._source, self._vkeys, self._state = source, vkeys, state
        self._now = now
        self._max_silence = max_silence_seconds
        self._entries = entries
        self._seen = memory.read(state)

    def look(self) -> Look:
        """Look once. Raises LedgerError if the state cannot be kept."""
        try:
            return self._judged(self._newest())
        except StoreError as exc:
            return self._told("unreachable", str(exc))
        except MissingPiece as exc:
            return self._told("damaged", str(exc))
        except _Found as exc:
            return self._told(exc.alarm, str(exc), exc.notes)
        except WrongPiece as exc:
            return self._told("damaged", str(exc))
        except IntegrityError as exc:
            return self._told("damaged", str(exc))

    def _newest(self) -> Offered:
        note = next(versions(self._source, layout.CHECKPOINT), None)
        if note is None:
            raise StoreError(f"{self._source}: there is no checkpoint")
        try:
            return Offered(open_checkpoint(note, self._vkeys), note)
        except CheckpointError as exc:
            raise _Found("bad_signature", f"{self._source}: its checkpoint: {exc}") from exc

    def _judged(self, one: Offered) -> Look:
        checkpoint, seen = one.checkpoint, self._seen
        tree = TileTree(self._source, checkpoint)
        if seen is not None:
            self._compare(seen, one, tree)
            if memory.unchanged(seen, one):
                return self._still(seen)
        elif checkpoint.size:
            tree.root_at(checkpoint.size)
        hashed = self._rehash(tree, seen) if self._entries else 0
        self._seen = Seen(one.note, self._now(), hashed)
        memory.write(self._state, self._seen)
        before = f" after {seen.checkpoint.size}" if seen is not None else ", the first one seen"
        return self._told("", f"size {checkpoint.size}{before}; consistent")

    def _compare(self, seen: Seen, one: Offered, tree: TileTree) -> None:
        """Raises _Found unless the new checkpoint extends what was seen."""
        new, old = one.checkpoint, seen.checkpoint
        notes = [seen.note, one.note]
        if new.origin != old.origin:
            raise _Found(
                "other_log",
                f"{self._source}: is the log {new.origin} now, {old.origin} was seen before; a"
                " recovery begins a new one and says so in its `recover` entry",
                notes,
            )
        if new.size < old.size:
            raise _Found(
                "rollback",
                f"{self._source}: has {new.size} entries, {old.size} were seen before",
                notes,
            )
        root = new.root if new.size == old.size else tree.root_at(old.size) if old.size else b""
        if old.size and root != old.root:
            raise _Found(
                "fork",
                f"{self._source}: its tree of {new.size} entries does not contain the one of"
                f" {old.size} that was seen before: both were signed, and one of them is a lie",
                notes,
            )

    def _still(self, seen: Seen) -> Look:
        silent = self._now() - seen.grown_unix
        if 0 < self._max_silence < silent:
            return self._told(
                "silence",
                f"{self._source}: nothing new for {silent} s; a ledger that runs grows with every"
                " heartbeat",
            )
        return self._told("", f"size {seen.checkpoint.size}, as before")

    def _rehash(self, tree: TileTree, seen: Seen | None) -> int:
        """Hash the headers that are new and follow their chain; how many were ever hashed."""
        size = tree.checkpoint.size
        first = seen.entries if seen is not None else 0
        before = ""
        for piece in layout.pieces(max(first - 1, 0) // layout.WIDTH * layout.WIDTH, size):
            hashes = list(tree.hashes(0, piece.place))

            def fits(headers: Sequence[bytes], hashes: list[bytes] = hashes) -> bool:
                return [leaf_hash(header) for header in headers] == hashes

            for seq, header in enumerate(
                tree.piece(ENTRIES, piece, bundles.decode_entries, fits), piece.first
            ):
                if wrong := _wrong(seq, header, before):
                    raise WrongPiece(f"{self._source}: entry {seq} is signed, and {wrong}")
                before = entry_hash(header).hex()
        return size

    def _told(self, alarm: Alarm, message: str, notes: list[str] | None = None) -> Look:
        evidence = str(memory.keep_evidence(self._state, notes)) if notes else ""
        seen = self._seen.checkpoint if self._seen is not None else None
        return Look(
            alarm,
            seen.origin if seen is not None else "",
            seen.size if seen is not None else 0,
            message,
            evidence,
        )


class _Found(IntegrityError):
    def __init__(self, alarm: Alarm, message: str, notes: list[str] | None = None) -> None:
        super().__init__(message)
        self.alarm: Alarm = alarm
        self.notes = notes


def _wrong(seq: int, header: bytes, before: str) -> str:
    """What is wrong with a header behind one with the hash `before` ("" if that is not known)."""
    try:
        fields = orjson.loads(header)
    except ValueError:
        return "is no JSON"
    if not isinstance(fields, dict) or fields.get("seq") != seq:
        return "states another place"
    expected = before or (GENESIS_PREV if seq == 0 else fields.get("prev"))
    return "" if fields.get("prev") == expected else "does not name the entry before it"
