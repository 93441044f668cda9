"""Checkpoints (C2SP tlog-checkpoint): a tree head as a signed note, without extension lines."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from audit_receiver.tlog.note import Note, NoteError, NoteSignature, VerifierKey, decode_base64

MAX_ORIGIN_BYTES = 200
_ORIGIN = re.compile(r"[A-Za-z0-9._~\-/]{1,200}\Z")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\Z")


class CheckpointError(ValueError):
    """A checkpoint is not in its one form, or not signed by the key asked for."""


def check_origin(origin: str) -> None:
    """Raise CheckpointError unless `origin` is 1 to 200 of A-Z a-z 0-9 . _ ~ - / (DESIGN 3.2)."""
    if not _ORIGIN.match(origin):
        raise CheckpointError(
            f"{origin[:220]!r} is no origin: 1 to {MAX_ORIGIN_BYTES} of A-Z a-z 0-9 . _ ~ - /"
        )


def head_text(origin: str, size: int, root: bytes) -> str:
    """What a tree head's signature covers: origin, size and base64 root, a line each."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: whose log, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The three lines that are signed."""
        return head_text(self.origin, self.size, self.root)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read exactly three lines; "07" is not a size. Raises CheckpointError."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise CheckpointError("a checkpoint is three lines: origin, size, root")
        origin, size, encoded = lines[:3]
        check_origin(origin)
        if not _SIZE.match(size):
            raise CheckpointError(f"{size[:30]!r} is not a tree size")
        try:
            root = decode_base64(encoded)
        except NoteError as exc:
            raise CheckpointError(f"the root: {exc}") from exc
        if len(root) != 32:
            raise CheckpointError(f"the root has {len(root)} bytes, not 32")
        return cls(origin, int(size), root)


def signed(checkpoint: Checkpoint, signature: bytes, vkey: VerifierKey) -> str:
    """The full note from a stored 64-byte signature; needs no private key."""
    line = NoteSignature(vkey.name, vkey.key_id, signature)
    return str(Note(checkpoint.text(), (line,)))


def open_checkpoint(note_text: str, vkeys: Sequence[VerifierKey]) -> Checkpoint:
    """Read a note and check that one of `vkeys` signed it and that its name is the origin.

    Raises CheckpointError if it is malformed, unsigned by them, or a signature fails.
    """
    try:
        note = Note.parse(note_text)
        holder = note.signed_by(vkeys)
    except NoteError as exc:
        raise CheckpointError(str(exc)) from exc
    checkpoint = Checkpoint.parse(note.text)
    if holder is None:
        names = ", ".join(line.name for line in note.signatures)
        raise CheckpointError(f"no line is by a key that was asked for (lines by: {names})")
    if holder.name != checkpoint.origin:
        raise CheckpointError(f"signed by {holder.name}, but the origin is {checkpoint.origin}")
    return checkpoint
