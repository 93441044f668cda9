"""Files that are there after a power cut, and files that should be nowhere any more."""

import os
from contextlib import suppress
from pathlib import Path

from audit_receiver.errors import LedgerError


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that does not exist yet and sync it; nobody sees it with a wider mode."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as exc:
        raise LedgerError(f"{path}: exists already; move it away first") from exc
    except OSError as exc:
        raise LedgerError(f"{path}: cannot be written: {exc.strerror}") from exc
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the umask took or left
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(directory: Path) -> None:
    """Make names in this directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def destroy(path: Path) -> str:
    """Overwrite a secret in place, sync, and unlink it; "" or why it was not overwritten.

    As far as the file system lets: one that writes to a new place (btrfs, ZFS, overlay), a flash
    disk's spare blocks, snapshots and backups keep the old bytes. Raises OSError if it is still
    there.
    """
    problem = ""
    try:
        os.chmod(path, 0o600)
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, os.urandom(os.fstat(descriptor).st_size), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return ""
    except OSError as exc:
        problem = f"{path}: removed without being overwritten: {exc.strerror}"
    with suppress(FileNotFoundError):
        os.unlink(path)
    sync_directory(path.parent)
    return problem
