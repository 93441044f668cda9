"""What a witness remembers: of each log the newest note that it cosigned, synced before told.

Each note carries the witness's own cosignature, so that the file proves itself: what somebody
changed in it is found at the next start. That it was put back from a backup cannot be seen; then
the witness would cosign a second history from there, which is why it must not be.
"""

import json
import logging
import os
from pathlib import Path

from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.cosignature import CosignerKey, cosignatures
from audit_receiver.tlog.note import Note
from audit_receiver.tlog.submission import head_of
from audit_receiver.witness.files import PUBLIC, WitnessError, replace_durably

VERSION = 1
MOST_FORK_BYTES = 1 << 20

_log = logging.getLogger(__name__)


class Memory:
    """The newest cosigned note of each log. One thread at a time; the caller sees to that."""

    def __init__(self, path: Path, key: CosignerKey) -> None:
        """Read it. Raises WitnessError if it is missing, damaged or another witness's."""
        self._path = path
        self._key = key
        self._notes: dict[str, Note] = _read(path, key)

    @staticmethod
    def begin(path: Path, key: CosignerKey) -> None:
        """Write the memory of a witness that has seen nothing."""
        replace_durably(path, _render(key, {}), PUBLIC)

    @staticmethod
    def is_blank(path: Path) -> bool:
        """Whether the file says, readably, that nothing was ever cosigned."""
        try:
            return bool(json.loads(path.read_bytes())["notes"] == {})
        except (ValueError, KeyError, TypeError):
            return False

    def origins(self) -> list[str]:
        """Every log of which something is remembered."""
        return sorted(self._notes)

    def note(self, origin: str) -> Note | None:
        """The newest note that was cosigned, with the cosignature on it."""
        return self._notes.get(origin)

    def head(self, origin: str) -> Checkpoint | None:
        """Its tree head."""
        note = self._notes.get(origin)
        return None if note is None else head_of(note.text)

    def time(self, origin: str) -> int:
        """When it was cosigned, in Unix seconds; 0 if never."""
        note = self._notes.get(origin)
        return 0 if note is None else cosignatures(note, [self._key])[0].unix_seconds

    def put(self, origin: str, note: Note) -> None:
        """Remember; on disk when this returns. Raises OSError.

        Then the file holds the old or the new; either is right, as nobody was told the new one.
        """
        notes = {**self._notes, origin: note}
        replace_durably(self._path, _render(self._key, notes), PUBLIC)
        self._notes = notes

    def keep_fork(self, remembered: Note, other: Note) -> None:
        """Two heads of one size that one log signed: evidence against it, in a file beside."""
        path = self._path.with_suffix(".forks")
        text = f"{remembered}=\n{other}=\n".encode()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, PUBLIC)
            try:
                if os.fstat(descriptor).st_size + len(text) <= MOST_FORK_BYTES:
                    os.write(descriptor, text)
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as exc:
            _log.error("%s: the evidence of a fork could not be kept: %s", path, exc)


def _render(key: CosignerKey, notes: dict[str, Note]) -> bytes:
    kept = {origin: str(note) for origin, note in sorted(notes.items())}
    state = {"version": VERSION, "witness": str(key), "notes": kept}
    return (json.dumps(state, ensure_ascii=False, indent=1) + "\n").encode()


def _read(path: Path, key: CosignerKey) -> dict[str, Note]:
    try:
        state = json.loads(path.read_bytes())
        version, owner, kept = state["version"], state["witness"], state["notes"]
        notes = {str(origin): Note.parse(text) for origin, text in kept.items()}
    except FileNotFoundError as exc:
        raise WitnessError(
            f"{path}: this witness has a key and no memory. Without it the witness could cosign a"
            " second history of a log, so it does not begin anew: put the file back as it was when"
            " it last ran, or start a new witness with another --data directory and give its key to"
            " every ledger in the place of this one's"
        ) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise WitnessError(
            f"{path}: is not a witness's memory, or damaged: {exc}. Put it back as it was when the"
            " witness last ran; an older copy would let it cosign a second history"
        ) from exc
    if version != VERSION or owner != str(key):
        raise WitnessError(
            f"{path}: is the memory (version {version}) of {owner}, but this witness is {key}."
            " Start the witness with the key and the memory that belong together"
        )
    for origin, note in notes.items():
        _check(path, key, origin, note)
    return notes


def _check(path: Path, key: CosignerKey, origin: str, note: Note) -> None:
    """Whether this witness cosigned this note of this log."""
    try:
        if head_of(note.text).origin == origin and cosignatures(note, [key]):
            return
        reason = "this witness did not cosign it"
    except ValueError as exc:
        reason = str(exc)
    raise WitnessError(
        f"{path}: what is remembered of {origin} was changed: {reason}. Put the file back as it was"
        " when the witness last ran, and find out who wrote to it"
    )
