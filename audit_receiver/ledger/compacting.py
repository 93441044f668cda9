"""Giving space back: the ledger written anew without its free pages, offline, under the lock.

VACUUM INTO makes a new file beside it; every row of every table is compared, and only then does the
new file take the name of the old one. A crash before that leaves the ledger as it was, and a file
that the next attempt removes.
"""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger import closing as leaving
from audit_receiver.ledger import database, durable
from audit_receiver.ledger.guard import FileGuard
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.lock import WriterLock

_TABLES = {
    "entry": "SELECT seq, header, hash, body FROM main.entry NOT INDEXED ORDER BY seq",
    "head": "SELECT size, root, signature, epoch FROM main.head NOT INDEXED ORDER BY size",
    "node": "SELECT level, idx, hash FROM main.node ORDER BY level, idx",
    "checkpoint": "SELECT size, note FROM main.checkpoint NOT INDEXED ORDER BY size",
    "anchored": "SELECT size, anchor, kind, content FROM main.anchored ORDER BY 1, 2, 3",
    "sqlite_stat1": "SELECT tbl, idx, stat FROM main.sqlite_stat1 ORDER BY 1, 2",
}


class Compacted(NamedTuple):
    """What came of it."""

    before_bytes: int
    after_bytes: int
    entries: int


def draft_of(ledger: Path) -> Path:
    """The new file while it is made."""
    return ledger.with_name(f"{ledger.name}.compacting")


def compact(ledger: Path) -> Compacted:
    """Write the ledger anew. Raises LedgerError where it cannot be, IntegrityError on a difference.

    Call it on a ledger that was verified, and verify it again.
    """
    files = LedgerFiles.beside(ledger)
    real = ledger.resolve()
    draft = draft_of(real)
    lock = WriterLock(files.lock)
    try:
        draft.unlink(missing_ok=True)
        before = real.stat()
        _refuse_without_room(real, before.st_size)
        with closing(database.open_writer(ledger)) as connection:
            rows = _rows(connection)
            if problem := leaving.leave_wal(connection, FileGuard(ledger)):
                raise LedgerError(f"{ledger}: {problem}. Try again when nobody reads it")
            _write(connection, draft)
        _settle(draft, before)
        with closing(database.open_reader(draft)) as copy:
            if _rows(copy) != rows:
                raise IntegrityError(
                    f"{draft}: the new file does not hold what the ledger does; the ledger was"
                    " left as it is. Keep both files and report it"
                )
            messages = [row[0] for row in copy.execute("PRAGMA main.integrity_check")]
            if messages != ["ok"]:
                raise IntegrityError(
                    f"{draft}: integrity_check: {messages[0]}; nothing was changed"
                )
            [(entries,)] = copy.execute("SELECT count(*) FROM main.entry").fetchall()
        os.replace(draft, real)
        durable.sync_directory(real.parent)
        return Compacted(before.st_size, real.stat().st_size, entries)
    except sqlite3.Error as exc:
        raise LedgerError(f"{ledger}: cannot be compacted: {exc}; it was left as it is") from exc
    finally:
        draft.unlink(missing_ok=True)
        lock.release()


def _refuse_without_room(ledger: Path, size: int) -> None:
    free = shutil.disk_usage(ledger.parent).free
    if free < size:
        raise LedgerError(
            f"{ledger}: compacting writes it anew beside the old file, for which {size} bytes are"
            f" needed and {free} are free. Free some space"
        )


def _write(connection: sqlite3.Connection, draft: Path) -> None:
    connection.execute("PRAGMA temp_store=MEMORY")
    old = os.umask(0o177)  # nobody else looks into it before it has the ledger's mode
    try:
        connection.execute("VACUUM main INTO ?", (str(draft),))
    finally:
        os.umask(old)


def _settle(draft: Path, before: os.stat_result) -> None:
    """Owner and mode of the old file, and all of it on the disk."""
    descriptor = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.geteuid() == 0:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, before.st_mode & 0o7777)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rows(connection: sqlite3.Connection) -> dict[str, str]:
    """A digest of every table's rows, of the schema, and what the file says of itself."""
    found = {"schema": database.schema_digest(connection.execute(database.SCHEMA_ROWS))}
    for pragma in ("application_id", "user_version", "page_size", "encoding"):
        found[pragma] = str(connection.execute(f"PRAGMA main.{pragma}").fetchone()[0])
    there = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master")}
    for table, sql in _TABLES.items():
        if table not in there:
            continue
        digest = hashlib.sha3_256()
        for row in connection.execute(sql):
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        found[table] = digest.hexdigest()
    return found
