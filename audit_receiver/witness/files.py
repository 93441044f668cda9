"""Files of a witness: written whole and on disk before anybody is told, and one process at a time.

A witness keeps a few lines a log, so its memory is one text file and not a database.
"""

import fcntl
import os
from pathlib import Path

from audit_receiver.errors import AuditReceiverError
from audit_receiver.ledger.durable import sync_directory

PRIVATE = 0o400
PUBLIC = 0o644


class WitnessError(AuditReceiverError):
    """The witness cannot be started as asked (exit 2): says what is in the way, and the mend."""


def replace_durably(path: Path, content: bytes, mode: int) -> None:
    """Put `content` in the place of `path` so that after a crash it is the old or the new one.

    When this returns it is the new one. Raises OSError; `path` may then be either of the two.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # of a run that was killed between writing and renaming
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)  # whatever the umask took or left
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    os.replace(draft, path)
    sync_directory(path.parent)


class Lock:
    """Keeps a second witness away from one memory; the kernel frees it when we die."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(self._descriptor)
            raise WitnessError(
                f"{path}: another witness runs on this directory. Two with one key could cosign two"
                " histories: stop that one first, or give this one a --data directory of its own"
            ) from exc

    def release(self) -> None:
        """Let go; the file stays, because removing it would race with the next holder."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
