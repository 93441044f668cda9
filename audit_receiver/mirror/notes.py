"""The checkpoints that a mirror offers; none is believed without a key from outside."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from audit_receiver.errors import IntegrityError
from audit_receiver.mirror import layout
from audit_receiver.mirror.stores import Source
from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from audit_receiver.tlog.note import VerifierKey

_MOST_VERSIONS = 20  # of one name
_MOST_SIZES = 20  # of the largest, when the newest is looked for


class Offered(NamedTuple):
    """A checkpoint whose signature holds, with its note."""

    checkpoint: Checkpoint
    note: str


class NoCheckpoint(IntegrityError):
    """A place has no checkpoint that a given key signed."""


class Fork(IntegrityError):
    """Two checkpoints that one key signed and that cannot both be true."""

    def __init__(self, message: str, notes: Sequence[str]) -> None:
        super().__init__(message)
        self.notes = tuple(notes)


def offered(source: Source, vkeys: Sequence[VerifierKey]) -> list[Offered]:
    """The newest checkpoints of a place, largest first. Raises NoCheckpoint, Fork."""
    keys = [layout.CHECKPOINT]
    keys += map(layout.checkpoint_key, deque(source.sizes(), maxlen=_MOST_SIZES))
    wrong = "there is none"
    found: dict[int, Offered] = {}
    for key in keys:
        for note in versions(source, key):
            try:
                one = Offered(open_checkpoint(note, vkeys), note)
            except CheckpointError as exc:
                wrong = str(exc)
                continue
            add(found, one)
    if not found:
        raise NoCheckpoint(f"{source}: no checkpoint that the given key signed: {wrong}")
    return sorted(found.values(), key=lambda one: -one.checkpoint.size)


def versions(source: Source, key: str) -> Iterator[str]:
    """What lies under a checkpoint's name, newest first."""
    for raw in islice(source.candidates(key), _MOST_VERSIONS):
        yield raw.decode("utf-8", "replace")


def add(found: dict[int, Offered], one: Offered) -> None:
    """Keep one for each size. Raises Fork if two of a size and origin have different roots."""
    other = found.setdefault(one.checkpoint.size, one)
    same = other.checkpoint.origin == one.checkpoint.origin
    if same and other.checkpoint.root != one.checkpoint.root:
        raise Fork(
            f"two signed checkpoints of size {one.checkpoint.size} have different roots: the"
            " ledger was forked. Keep both notes, they are the proof",
            (other.note, one.note),
        )
