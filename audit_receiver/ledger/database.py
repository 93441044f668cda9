"""The SQLite file: how it is made, how the writer and how a reader opens it.

The writer process holds exactly one read-write connection and never opens the file in another way:
closing any other descriptor of it would drop SQLite's POSIX locks.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audit_receiver.errors import LedgerError

APPLICATION_ID = 1096107597  # 0x4155464D, fixed by docs/ledger.sql
USER_VERSION = 1
PAGE_BYTES = 8192
CHECKPOINT_PAGES = 4000  # 32 MB: a checkpoint every few thousand records, a WAL that stays small
WAL_LIMIT_BYTES = 64 * 1024 * 1024  # what the WAL is cut back to once a long reader has gone
BUSY_MILLISECONDS = 2000  # somebody else's write lock is waited for this long
# Digests of the schema as SQLite keeps it. The genesis states the one that it was made with,
# a `ledger.schema` entry the one that it was given later.
FIRST_SCHEMA_SHA3 = "3cace8f0aaecf37424cba2d9762b6866938b55b40d03bbe83e03226ae7f24ed0"
SCHEMA_SHA3 = "8d81019cf581150b44beb3bd7c20ba4e22bfbae54883459ae980a491a9e433e3"

# Tables that SQLite's planner and Litestream add; anything else named sqlite_* counts (DESIGN 3.8).
_NOT_OURS = frozenset({"sqlite_stat1", "sqlite_stat4", "_litestream_seq", "_litestream_lock"})
SCHEMA_ROWS = "SELECT type, name, tbl_name, sql FROM main.sqlite_master"


def schema_text() -> str:
    """The statements that make an empty ledger."""
    return f"{_package_text('schema.sql')}\n{_package_text('checkpoints.sql')}"


def additions() -> list[str]:
    """The statements, one by one, that a ledger of the first schema lacks."""
    statements, statement = [], ""
    for line in _package_text("checkpoints.sql").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return statements


def check_text() -> str:
    """The statement with which a stock sqlite3 shell checks a ledger without our code."""
    return _package_text("check.sql")


def schema_digest(rows: Iterable[tuple[Any, Any, Any, Any]]) -> str:
    """The digest of DESIGN 3.8 over rows (type, name, tbl_name, sql) of sqlite_master, in hex."""
    kept = [row for row in rows if row[3] is not None]
    kept = [row for row in kept if not (row[0] == "table" and row[1] in _NOT_OURS)]
    digest = hashlib.sha3_256()
    for row in sorted(kept, key=lambda row: (_bytes(row[0]), _bytes(row[1]))):
        digest.update(b"\0".join(_bytes(value) for value in row) + b"\n")
    return digest.hexdigest()


def create(path: Path) -> sqlite3.Connection:
    """Make an empty ledger in a new file and return its connection, still in DELETE mode."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (
        f"page_size={PAGE_BYTES}",
        "encoding='UTF-8'",
        "secure_delete=ON",
        "synchronous=EXTRA",
        f"application_id={APPLICATION_ID}",
        f"user_version={USER_VERSION}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript(f"BEGIN;\n{schema_text()}\nCOMMIT;")
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the one read-write connection: WAL, synchronous=FULL, set and read back."""
    try:
        connection = sqlite3.connect(
            _uri(path, "rw"),
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as exc:
        raise LedgerError(f"{path}: cannot be opened for writing: {exc}") from exc
    try:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        _probe(connection, path)
        _set(connection, path, "journal_mode", "WAL", "wal")
        _set(connection, path, "synchronous", "FULL", 2)
        _set(connection, path, "secure_delete", "ON", 1)
        _set(connection, path, "wal_autocheckpoint", str(CHECKPOINT_PAGES), CHECKPOINT_PAGES)
        _set(connection, path, "journal_size_limit", str(WAL_LIMIT_BYTES), WAL_LIMIT_BYTES)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, busy_seconds: float = 5.0) -> sqlite3.Connection:
    """Open a read-only connection; it sees a live ledger and one left by a crash alike."""
    connection = sqlite3.connect(
        reader_uri(path),
        uri=True,
        isolation_level=None,
        timeout=busy_seconds,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only=ON")
    return connection


def _probe(connection: sqlite3.Connection, path: Path) -> None:
    """The first read, before anything is set: is this a ledger, and one that we know?"""
    try:
        connection.execute("SELECT count(*) FROM main.sqlite_master").fetchone()
        application = connection.execute("PRAGMA main.application_id").fetchone()[0]
        version = connection.execute("PRAGMA main.user_version").fetchone()[0]
    except sqlite3.OperationalError as exc:
        raise LedgerError(
            f"{path}: cannot be read: {exc}. Look at its owner and mode and those of its -wal"
            " and -shm files, and at who else has it open"
        ) from exc
    except sqlite3.DatabaseError as exc:
        raise LedgerError(f"{path}: is not an audit-receiver ledger: {exc}") from exc
    if application != APPLICATION_ID:
        raise LedgerError(
            f"{path}: is a SQLite file, not an audit-receiver ledger (application_id {application})"
        )
    if version != USER_VERSION:
        raise LedgerError(
            f"{path}: has ledger format {version}, this program writes format {USER_VERSION}. Use"
            " the release that wrote it"
        )


def _set(
    connection: sqlite3.Connection, path: Path, pragma: str, value: str, expected: object
) -> None:
    try:
        row = connection.execute(f"PRAGMA {pragma}={value}").fetchone()
        if row is None:
            row = connection.execute(f"PRAGMA {pragma}").fetchone()
    except sqlite3.OperationalError as exc:
        mend = _MEND.get(getattr(exc, "sqlite_errorcode", 0) & 0xFF, "Look at its file system")
        raise LedgerError(f"{path}: PRAGMA {pragma}={value} failed: {exc}. {mend}") from exc
    if row[0] != expected:
        raise LedgerError(
            f"{path}: SQLite answers {pragma}={row[0]!r} where {expected!r} was set. The ledger"
            " needs a local file system with shared memory and locks (no NFS, no SMB)"
        )


def reader_uri(path: Path) -> str:
    """The address under which SQLite opens a ledger for reading only."""
    return _uri(path, "ro")


_MEND = {
    sqlite3.SQLITE_BUSY: "A program that holds it in a transaction must end; then start again",
    sqlite3.SQLITE_CANTOPEN: "The service's user must be able to write to its directory",
    sqlite3.SQLITE_FULL: "Free some space; then start again",
    sqlite3.SQLITE_READONLY: "Make the file writable for the service's user",
}


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"


def _bytes(value: object) -> bytes:
    """Any SQLite value as bytes: a tampered schema table may hold any type."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def _package_text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
