"""What a monitor has seen of one log, as a file; written before anything is reported."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from audit_receiver.errors import LedgerError
from audit_receiver.mirror.notes import Offered
from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError
from audit_receiver.tlog.note import Note, NoteError

_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint that held, and when it grew to that."""

    note: str
    grown_unix: int  # when this size was met first, by the monitor's clock
    entries: int = 0  # headers that were hashed anew, from the beginning on

    @property
    def checkpoint(self) -> Checkpoint:
        """The tree head; its signature was checked before it was kept."""
        return Checkpoint.parse(Note.parse(self.note).text)


def read(path: Path) -> Seen | None:
    """What is remembered; None if there is no file. Raises LedgerError if it cannot be used."""
    try:
        text = path.read_bytes()[:_LONGEST]
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise LedgerError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        given = json.loads(text)
        seen = Seen(str(given["note"]), int(given["grown_unix"]), int(given["entries"]))
        _ = seen.checkpoint
    except (ValueError, KeyError, TypeError, NoteError, CheckpointError) as exc:
        raise LedgerError(
            f"{path}: is not what a monitor remembers: {exc}. Look for an older copy; without one"
            " a rollback before today cannot be seen, so keep the file and start with a new --state"
        ) from exc
    return seen


def write(path: Path, seen: Seen) -> None:
    """Replace the file as a whole; returns once it is durable. Raises LedgerError."""
    _replace(path, json.dumps(asdict(seen), indent=1, sort_keys=True) + "\n")


def keep_evidence(path: Path, notes: list[str]) -> Path:
    """Notes that cannot both be true, beside the state; one file for each pair."""
    text = "=\n".join(notes)
    sizes = [str(Checkpoint.parse(Note.parse(note).text).size) for note in notes]
    target = path.with_name(f"{path.name}.evidence-{'-'.join(sizes)}")
    _replace(target, text + "=\n")
    return target


def unchanged(seen: Seen, one: Offered) -> bool:
    """Whether this is the tree head that is remembered."""
    return seen.checkpoint == one.checkpoint


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(path)
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise LedgerError(f"{path}: cannot be written: {exc.strerror}") from exc
