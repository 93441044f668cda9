"""Anchor `file`: every checkpoint appended to a text file, best on another volume or host's share.

The file holds signed notes one after another, a line `=` between them, so that `verify --anchor`
reads it as it is. It is only ever appended to; where the platform has it, `chattr +a` keeps even
root from more.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from audit_receiver.anchor.model import AnchorError, Published, Token
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import Note

SEPARATOR = "=\n"
_END = "\n" + SEPARATOR  # of a note: base64 inside one may end in `=` as well
MOST_READ_BYTES = 64 * 1024  # from the end: a note has a few hundred bytes
_T = TypeVar("_T")


class FileAnchor:
    """Appends each note and syncs it; knows the newest by reading the end of its file."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        # One thread of its own: an attempt that hangs (a dead network share) blocks the next one
        # of this anchor, and nothing else.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"anchor-{name}")

    async def publish(self, published: Published) -> Sequence[Token]:
        """Append and sync. Raises AnchorError with what the file system says."""
        await self._in_thread(lambda: _append(self._path, published.note))
        return ()

    async def newest(self) -> Sequence[str]:
        """The last notes of the file, oldest first; () while there is no file."""
        return await self._in_thread(lambda: _last_notes(self._path))

    async def close(self) -> None:
        """The file is open only while it is written."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, call: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except OSError as exc:
            raise AnchorError(f"{self._path}: {exc.strerror or exc}") from exc


def notes(text: str) -> Iterator[str]:
    """The notes of an anchor file, oldest first; what a crash cut off is no note and left out."""
    for part in text.split(_END)[:-1]:
        note = part.removeprefix(SEPARATOR) + "\n"
        try:
            Checkpoint.parse(Note.parse(note).text)
        except ValueError:
            continue
        yield note


def _append(path: Path, note: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o640)
    try:
        data = (_closing(descriptor) + note + SEPARATOR).encode()
        while data:
            data = data[os.write(descriptor, data) :]
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _closing(descriptor: int) -> str:
    """What ends a note that a crash or a full disk cut off, so that the next one is whole."""
    size = os.fstat(descriptor).st_size
    last = os.pread(descriptor, len(_END), max(size - len(_END), 0))
    return "" if size == 0 or last == _END.encode() else _END


def _last_notes(path: Path) -> Sequence[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ()
    try:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, MOST_READ_BYTES, max(size - MOST_READ_BYTES, 0))
    finally:
        os.close(descriptor)
    return tuple(notes(tail.decode("utf-8", "replace")))
