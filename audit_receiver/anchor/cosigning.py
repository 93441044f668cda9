"""One witness (C2SP tlog-witness): a proof from where it is, its cosignature, what its no means.

A witness remembers the newest tree head of this ledger, and cosigns the next one only where a
consistency proof shows that it extends that one. So the proof is read from the ledger, from the
size that the witness is known to hold; if it holds another (409), from that one. A witness whose
head is beyond the ledger, or that no proof leads to, knows another history: a conflict.
"""

import logging
import re
from collections.abc import Awaitable
from typing import NamedTuple

from audit_receiver.anchor.http import Answer, Peer
from audit_receiver.anchor.model import AnchorError, Published
from audit_receiver.anchor.proving import Proving
from audit_receiver.tlog.cosignature import CosignerKey, cosignatures, parse_lines
from audit_receiver.tlog.note import Note, NoteError, NoteSignature
from audit_receiver.tlog.submission import Submission, SubmissionError, head_of

MOST_ANSWER_BYTES = 64 * 1024
_MOST_ROUNDS = 3  # a 409 is followed by a proof from where the witness says it is
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?\Z")
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """One witness: its key, and where it takes checkpoints and shows them."""

    key: CosignerKey
    submission: Peer
    monitoring: Peer

    def close(self) -> tuple[Awaitable[None], Awaitable[None]]:
        """Let go of both connections."""
        return self.submission.close(), self.monitoring.close()


class OneWitness:
    """One witness, and the size of this ledger that it holds as far as we know."""

    def __init__(self, place: Place, proving: Proving) -> None:
        self.name = place.key.name
        self._place = place
        self._proving = proving
        self._origin, self._size = "", 0

    async def cosign(self, published: Published, note: Note) -> NoteSignature:
        """Its cosignature of the checkpoint, verified. Raises AnchorError."""
        known = self._size if self._origin == published.origin else 0
        old = min(known, published.size)
        for _ in range(_MOST_ROUNDS):
            path = await self._proving.consistency(old, published.size)
            body = str(Submission(old, tuple(path), published.note)).encode()
            answer = await self._place.submission.post(body, _TEXT, "/add-checkpoint")
            if answer.status != 409:
                break
            old = await self._held(answer, published)
            if old < known:
                _log.warning(
                    "witness %s: holds %d, but has cosigned %d: its memory was put back",
                    self.name,
                    old,
                    known,
                )
        if answer.status != 200:
            raise await self._refused(answer, published, old)
        line = self._line(answer, note)
        self._origin, self._size = published.origin, published.size
        return line

    async def newest(self, path: str, origin: str) -> str:
        """The newest note that it cosigned of this ledger, "" if none. Raises AnchorError."""
        answer = await self._place.monitoring.get(path)
        if answer.status == 404:
            return ""
        if answer.status != 200:
            raise AnchorError(f"witness {self.name}: {answer.said()}")
        try:
            note = Note.parse(answer.body.decode())
            if head_of(note.text).origin == origin and cosignatures(note, [self._place.key]):
                return str(note)
            reason = "it is another log's, or not cosigned by it"
        except (NoteError, SubmissionError, UnicodeDecodeError) as exc:
            reason = str(exc)
        raise AnchorError(f"witness {self.name}: shows a note that does not hold: {reason}")

    async def close(self) -> None:
        for closing in self._place.close():
            await closing

    def _line(self, answer: Answer, note: Note) -> NoteSignature:
        """Its line among those of the answer; lines of other keys are not looked at."""
        key = self._place.key
        try:
            lines = parse_lines(answer.body.decode())
            found = [one for one in lines if (one.name, one.key_id) == (key.name, key.key_id)]
            if found and cosignatures(Note(note.text, tuple(found)), [key]):
                return found[0]
            names = ", ".join(f"{one.name} {one.key_id:08x}" for one in lines)
            reason = f"no line is by {key.name} {key.key_id:08x} (lines by: {names})"
        except (NoteError, UnicodeDecodeError) as exc:
            reason = str(exc)
        raise AnchorError(
            f"witness {self.name}: answered with no cosignature that holds: {reason}. Compare its"
            " vkey in the configuration with the one that it prints"
        )

    async def _held(self, answer: Answer, published: Published) -> int:
        """The size that it holds, if the ledger has reached it. Raises AnchorError."""
        told = _SIZE.match(answer.body)
        if told is None or answer.content_type != "text/x.tlog.size":
            raise AnchorError(
                f"witness {self.name}: holds another tree of this ledger: {answer.said()}",
                conflict=True,
            )
        size = int(told[1])
        if size <= published.size:
            return size
        ledger = await self._proving.size()
        if size > ledger:
            raise AnchorError(
                f"witness {self.name}: has seen {size} entries of {published.origin}, the ledger"
                f" has {ledger}: it was cut off or rolled back, or another one has its key",
                conflict=True,
            )
        raise AnchorError(
            f"witness {self.name}: has a newer checkpoint ({size}) than this one ({published.size})"
        )

    async def _refused(self, answer: Answer, published: Published, old: int) -> AnchorError:
        who = f"witness {self.name}"
        match answer.status:
            case 404 | 403:
                key = await self._proving.log_key(published.origin)
                return AnchorError(
                    f"{who}: does not know this ledger: {answer.said()}. Its operator has to add"
                    f" the ledger's log key: --log '{key}'"
                )
            case 422:
                return AnchorError(
                    f"{who}: remembers another history of this ledger up to size {old}: no proof"
                    f" leads from there to {published.size}: {answer.said()}",
                    conflict=True,
                )
            case _:
                return AnchorError(f"{who}: {answer.said()}")
