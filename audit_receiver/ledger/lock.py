"""The lock file that keeps a second writer out; its content is the holder's process id."""

import fcntl
import os
import time
from pathlib import Path

from audit_receiver.errors import LedgerError

_PATIENCE_SECONDS = 0.5  # `is_held` of a reader takes the lock for some microseconds


class WriterLock:
    """Holds `ledger.lock` from construction to `release`; the kernel frees it when we die."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as exc:
            raise LedgerError(
                f"{path}: the lock file cannot be opened: {exc.strerror}. The service's user"
                " must be able to write to the ledger's directory"
            ) from exc
        try:
            self._take()
        except BaseException:
            os.close(self._descriptor)
            raise
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; the file stays, because removing it would race with the next holder."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:  # a second release must not close somebody else's file
            os.close(descriptor)

    def _take(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as exc:
                if time.monotonic() > deadline:
                    raise LedgerError(
                        f"{self.path}: the ledger is locked by process {self._holder()}, which is"
                        " writing to it. One ledger has one writer: stop that one first"
                    ) from exc
                time.sleep(0.02)

    def _holder(self) -> str:
        text = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
        return text if text.isdigit() else "unknown"


def is_held(path: Path) -> bool:
    """Whether some process holds the lock; True as well if that cannot be found out."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
