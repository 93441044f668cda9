"""The witness itself: what it cosigns, what it refuses, and in which order it looks.

`add_checkpoint` is one piece under one lock: compare with what is remembered, verify, sign, put on
disk. Of two requests with the same old size one wins, and the other is told the new size.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.cosignature import Cosigner
from audit_receiver.tlog.merkle import EMPTY_ROOT
from audit_receiver.tlog.note import Note, NoteError
from audit_receiver.tlog.proof import ProofError, verify_consistency
from audit_receiver.tlog.submission import Submission, SubmissionError, head_of
from audit_receiver.witness.logs import Logs
from audit_receiver.witness.memory import Memory

SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain"

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What goes back to the log."""

    status: int
    text: str
    content_type: str = TEXT_TYPE


class _Refused(Exception):
    """A submission that gets no cosignature."""

    def __init__(self, status: int, text: str, content_type: str = TEXT_TYPE) -> None:
        super().__init__(text)
        self.answer = Answer(status, f"{text}\n", content_type)


class Watched(NamedTuple):
    """A log as the witness sees it: the head is None if nothing of it was cosigned yet."""

    origin: str
    head: Checkpoint | None
    note: str


class Witness:
    """Cosigns heads that extend what it remembers; safe to call from several threads."""

    def __init__(
        self, logs: Logs, cosigner: Cosigner, memory: Memory, unix_seconds: Callable[[], int]
    ) -> None:
        self.verifier = cosigner.verifier
        self._logs = logs
        self._cosigner = cosigner
        self._memory = memory
        self._unix_seconds = unix_seconds
        self._lock = threading.Lock()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one submission, after what it changes is on disk. Raises OSError if it is not."""
        try:
            return self._add(body)
        except _Refused as refused:
            return refused.answer

    def logs(self) -> list[Watched]:
        """Every log that it watches, by origin."""
        return [self._watched(origin) for origin in sorted(self._logs)]

    def newest(self, origin: str) -> str | None:
        """The newest cosigned note of a log, also of one that is no longer watched."""
        return self._watched(origin).note or None

    def origins(self) -> list[str]:
        """Every log that is watched, and every one that was."""
        return sorted({*self._logs, *self._memory.origins()})

    def _watched(self, origin: str) -> Watched:
        note = self._memory.note(origin)
        return Watched(origin, head_of(note.text) if note else None, str(note) if note else "")

    def _add(self, body: bytes) -> Answer:
        submission, note, head = _read(body)
        signed = self._signed(note, head.origin)
        if submission.old > head.size:
            raise _Refused(400, f"the old size {submission.old} is over the size {head.size}")
        with self._lock:
            self._compare(submission, signed, head)
            when = max(self._unix_seconds(), self._memory.time(head.origin))
            line = self._cosigner.cosign(note.text, when)
            self._memory.put(head.origin, Note(note.text, (*signed.signatures, line)))
        return Answer(200, str(line))

    def _signed(self, note: Note, origin: str) -> Note:
        """The note with the lines of the log's own keys alone."""
        keys = self._logs.get(origin)
        if keys is None:
            raise _Refused(404, f"the log {origin} is not watched here")
        try:
            holder = note.signed_by(keys)
        except NoteError as exc:
            raise _Refused(403, str(exc)) from exc
        if holder is None:
            ids = ", ".join(f"{key.key_id:08x}" for key in keys)
            raise _Refused(403, f"no line is by a key of {origin} that is known here ({ids})")
        known = {(key.name, key.key_id) for key in keys}
        lines = (line for line in note.signatures if (line.name, line.key_id) in known)
        return Note(note.text, tuple(lines))

    def _compare(self, submission: Submission, signed: Note, head: Checkpoint) -> None:
        """Refuse what does not extend the head that is remembered."""
        origin = head.origin
        known = self._memory.head(origin)
        if known is not None and head.size == known.size and head.root != known.root:
            self._tell_fork(origin, signed, head)
        size = known.size if known is not None else 0
        if submission.old != size:
            raise _Refused(409, str(size), SIZE_TYPE)
        if head.size == 0 and head.root != EMPTY_ROOT:
            raise _Refused(422, "the root of size 0 is not that of the empty tree")
        if size == 0:
            if submission.path:
                raise _Refused(422, "from size 0 on there is nothing to prove: leave the proof out")
            return
        assert known is not None
        try:
            verify_consistency(size, head.size, known.root, head.root, submission.path)
        except ProofError as exc:
            _log.warning("%s: size %d does not extend %d: %s", origin, head.size, size, exc)
            raise _Refused(422, f"size {head.size} does not extend {size}: {exc}") from exc

    def _tell_fork(self, origin: str, signed: Note, head: Checkpoint) -> None:
        """Another tree of the same size: no proof mends that, and the two notes are the proof."""
        remembered = self._memory.note(origin)
        assert remembered is not None
        _log.error(
            "FORK of %s at size %d: the log has signed two trees; both notes are kept",
            origin,
            head.size,
        )
        self._memory.keep_fork(remembered, signed)


def _read(body: bytes) -> tuple[Submission, Note, Checkpoint]:
    try:
        submission = Submission.parse(body.decode("utf-8"))
        note = Note.parse(submission.note)
        return submission, note, head_of(note.text)
    except (SubmissionError, NoteError, UnicodeDecodeError) as exc:
        raise _Refused(400, str(exc)) from exc
