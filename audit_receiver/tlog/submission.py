"""What a log sends to a witness (C2SP tlog-witness): the old size, a consistency proof, a note."""

import base64
import re
from dataclasses import dataclass

from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import NoteError, decode_base64

MOST_HASHES = 63
HASH_BYTES = 32
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})\Z")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\Z")


class SubmissionError(ValueError):
    """The text is not what the protocol asks for; the message says where."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The body of `POST /add-checkpoint`."""

    old: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        lines = [f"old {self.old}", *(base64.b64encode(node).decode() for node in self.path)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, text: str) -> "Submission":
        """Read the one form there is. Raises SubmissionError."""
        head, blank, note = text.partition("\n\n")
        if not blank:
            raise SubmissionError("there is no empty line between the proof and the checkpoint")
        first, *lines = head.split("\n")
        old = _OLD.match(first)
        if old is None:
            raise SubmissionError(f"the first line is {first[:60]!r}, not `old SIZE`")
        if len(lines) > MOST_HASHES:
            raise SubmissionError(f"the proof has {len(lines)} hashes; {MOST_HASHES} are the most")
        try:
            path = tuple(decode_base64(line) for line in lines)
        except NoteError as exc:
            raise SubmissionError(f"the proof: {exc}") from exc
        if any(len(node) != HASH_BYTES for node in path):
            raise SubmissionError("a hash of the proof does not have 32 bytes")
        return cls(int(old[1]), path, note)


def head_of(text: str) -> Checkpoint:
    """The tree head in anybody's checkpoint: any origin, extension lines let pass.

    `Checkpoint.parse` takes only what our own ledgers write. Raises SubmissionError.
    """
    if not text.endswith("\n"):
        raise SubmissionError("the checkpoint does not end in a newline")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise SubmissionError("a checkpoint is at least three lines, none empty")
    origin, size, encoded = lines[:3]
    if not _SIZE.match(size):
        raise SubmissionError(f"{size[:30]!r} is not a tree size")
    try:
        root = decode_base64(encoded)
    except NoteError as exc:
        raise SubmissionError(f"the root: {exc}") from exc
    if len(root) != HASH_BYTES:
        raise SubmissionError(f"the root has {len(root)} bytes, not 32")
    return Checkpoint(origin, int(size), root)
