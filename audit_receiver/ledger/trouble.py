"""What an SQLite error means for the ledger: wait, look at the request, or end the process."""

import sqlite3

from audit_receiver.errors import AuditReceiverError, LedgerFatal, LedgerUnavailable

_WAIT = {
    sqlite3.SQLITE_FULL: "disk: no space is left for the ledger. Free some; it heals by itself",
    sqlite3.SQLITE_READONLY: "read-only: the ledger's file or file system cannot be written."
    " Make it writable; it heals by itself if it is still the same file",
    sqlite3.SQLITE_BUSY: "locked: another program holds the ledger's write lock. End it (readers"
    " open with `sqlite3 -readonly`); it heals by itself",
    sqlite3.SQLITE_LOCKED: "locked: another statement holds the ledger. It heals by itself",
    sqlite3.SQLITE_CANTOPEN: "the ledger's -wal or -shm file cannot be opened. Look at the"
    " directory's owner and mode, and at the limit of open files",
    sqlite3.SQLITE_PERM: "the ledger's file may not be accessed. Look at its owner and mode",
    sqlite3.SQLITE_AUTH: "the ledger's file may not be accessed. Look at its owner and mode",
    sqlite3.SQLITE_PROTOCOL: "locked: the file locks do not answer. It heals by itself",
    sqlite3.SQLITE_NOMEM: "memory: SQLite got none. It heals by itself",
    sqlite3.SQLITE_IOERR: "disk: an input/output error. Look at the kernel's log (dmesg)",
}
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def of_ledger(error: Exception, at_commit: bool) -> AuditReceiverError | None:
    """LedgerUnavailable or LedgerFatal if the ledger is to blame, None if the data may be.

    An I/O error from COMMIT leaves unknown what is on the disk and in the page cache: only a
    restart and its start checks can tell, so that is fatal.
    """
    if isinstance(error, AuditReceiverError):
        return error
    if isinstance(error, OSError | MemoryError):
        return LedgerUnavailable(f"disk: {error}")
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the Python module itself, about values or a closed connection
        return None
    name = getattr(error, "sqlite_errorname", str(code))
    primary = code & 0xFF
    if primary in _BROKEN:
        return LedgerFatal(f"the ledger's file is damaged: {error} ({name}). Run `verify` on it")
    if primary == sqlite3.SQLITE_IOERR and at_commit:
        return LedgerFatal(
            f"COMMIT failed with an input/output error: {error} ({name}). What reached the disk is"
            " unknown; nothing was acknowledged. The start checks decide"
        )
    if primary in _WAIT:
        return LedgerUnavailable(f"{_WAIT[primary]} (SQLite: {error}, {name})")
    return None
