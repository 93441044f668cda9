"""Is the ledger on disk still the file that we hold open, and is there room?

SQLite goes on committing into an unlinked file without a word, so this is asked after every COMMIT
and before its acknowledgement. Files are looked at with stat only, never opened.
"""

import os
from pathlib import Path
from typing import NamedTuple

from audit_receiver.errors import LedgerUnavailable

_Identity = tuple[int, int]


class Sizes(NamedTuple):
    """Bytes of the ledger and of its write-ahead log."""

    ledger: int
    wal: int


class Replaced(LedgerUnavailable):
    """The path leads to another file than the one held open: nothing may be acknowledged."""


class FileGuard:
    """Remembers device and inode of the ledger, its -wal and its -shm.

    Make it after the connection's first read, when SQLite has all three open.
    """

    def __init__(self, path: Path) -> None:
        real = os.path.realpath(path)  # SQLite names -wal and -shm after the resolved path
        self._ledger, self._wal, self._shm = (str(path), f"{real}-wal", f"{real}-shm")
        self._directory = os.path.dirname(real)
        self._held = {name: _identity(name) for name in (self._ledger, self._wal, self._shm)}
        open_files = _open_files()
        for name, identity in self._held.items():
            if identity is None or (open_files and identity not in open_files):
                raise Replaced(f"{name}: replaced: it was exchanged while the ledger was opened")

    def check(self) -> Sizes:
        """Raise Replaced unless all three paths are the files held open."""
        try:
            ledger, wal, shm = os.stat(self._ledger), os.stat(self._wal), os.stat(self._shm)
        except OSError as exc:
            raise Replaced(f"replaced: {exc.filename} is gone. {_MEND}") from exc
        for name, found in ((self._ledger, ledger), (self._wal, wal), (self._shm, shm)):
            if (found.st_dev, found.st_ino) != self._held[name]:
                raise Replaced(f"replaced: {name} is not the file that is held open. {_MEND}")
        return Sizes(ledger.st_size, wal.st_size)

    def free_bytes(self) -> int:
        """What an ordinary user may still write on the ledger's file system."""
        found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize


_MEND = (
    "Nothing is acknowledged any more. Stop the service, find out who replaced the file, put the"
    " right one back (with its -wal), start again"
)


def _identity(name: str) -> _Identity | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _open_files() -> set[_Identity]:
    """Device and inode of every descriptor of this process; empty where /proc is not there."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return set()
    found = (_identity(f"/proc/self/fd/{name}") for name in names)
    return {identity for identity in found if identity is not None}
