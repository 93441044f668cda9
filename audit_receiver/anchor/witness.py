"""Anchor `witness`: cosignatures of k of n witnesses (C2SP tlog-witness), all asked at once."""

import asyncio
import logging
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from audit_receiver.anchor.cosigning import OneWitness, Place
from audit_receiver.anchor.model import AnchorError, Published, Token
from audit_receiver.anchor.proving import Proving
from audit_receiver.tlog.note import Note, NoteError, NoteSignature

KIND = "cosignature"
GRACE_SECONDS = 1.0  # for the others, once there are enough
_PART_OF_TIMEOUT = 0.9  # the rest is for saying who did not answer

_log = logging.getLogger(__name__)


class WitnessAnchor:
    """Asks all witnesses at once; returns once `quorum` of them have cosigned."""

    def __init__(
        self, name: str, places: Sequence[Place], quorum: int, ledger: Path, timeout_seconds: float
    ) -> None:
        self.name = name
        self._quorum = quorum
        self._proving = Proving(ledger)
        self._witnesses = [OneWitness(place, self._proving) for place in places]
        self._patience = timeout_seconds * _PART_OF_TIMEOUT

    async def publish(self, published: Published) -> Sequence[Token]:
        """One token: the note with every cosignature. Raises AnchorError without a quorum."""
        note = _note(published)
        asking = [
            asyncio.create_task(one.cosign(published, note), name=one.name)
            for one in self._witnesses
        ]
        try:
            await self._enough(asking)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        lines = [task.result() for task in asking if _has_line(task)]
        failures = [_failure(task, self._patience) for task in asking if not _has_line(task)]
        if len(lines) < self._quorum:
            raise self._too_few(len(lines), failures)
        for failure in failures:
            level = logging.ERROR if failure.conflict else logging.WARNING
            _log.log(level, "anchor %s goes on without a witness: %s", self.name, failure)
        return [Token(KIND, str(Note(note.text, (*note.signatures, *lines))).encode())]

    async def newest(self) -> Sequence[str]:
        """What each witness cosigned last. Raises AnchorError if none could be asked."""
        origin = await self._proving.origin()
        if not origin:
            return ()
        path = f"/{sha256(origin.encode()).hexdigest()}/checkpoint"
        answers = await asyncio.gather(
            *(one.newest(path, origin) for one in self._witnesses), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, AnchorError)]
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, AnchorError):
                raise answer
        if len(failures) == len(answers):
            raise AnchorError("; ".join(map(str, failures)))
        return [answer for answer in answers if isinstance(answer, str) and answer]

    async def close(self) -> None:
        """Let go of the connections."""
        for one in self._witnesses:
            await one.close()

    async def _enough(self, asking: Sequence["asyncio.Task[NoteSignature]"]) -> None:
        """Wait for all; once enough have cosigned, only a little longer for the others."""
        until = asyncio.get_running_loop().time() + self._patience
        waiting = set(asking)
        while waiting:
            left = until - asyncio.get_running_loop().time()
            done, waiting = await asyncio.wait(
                waiting, timeout=max(left, 0), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return
            if sum(map(_has_line, asking)) >= self._quorum:
                until = min(until, asyncio.get_running_loop().time() + GRACE_SECONDS)

    def _too_few(self, count: int, failures: Sequence[AnchorError]) -> AnchorError:
        said = "; ".join(map(str, failures))
        conflict = any(failure.conflict for failure in failures)
        if len(self._witnesses) == 1:
            return AnchorError(said, conflict=conflict)
        wanted = f"{count} of {len(self._witnesses)} witnesses cosigned, {self._quorum} have to"
        return AnchorError(f"{wanted}: {said}", conflict=conflict)


def _note(published: Published) -> Note:
    try:
        return Note.parse(published.note)
    except NoteError as exc:
        raise AnchorError(f"the checkpoint of size {published.size} is no note: {exc}") from exc


def _has_line(task: "asyncio.Task[NoteSignature]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _failure(task: "asyncio.Task[NoteSignature]", seconds: float) -> AnchorError:
    """Why there is no cosignature; what is no AnchorError is a bug of ours and goes on."""
    if task.cancelled():
        return AnchorError(f"witness {task.get_name()}: did not answer in time ({seconds:g} s)")
    error = task.exception()
    if isinstance(error, AnchorError):
        return error
    assert error is not None
    raise error
