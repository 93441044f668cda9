"""Somebody else's SQL on a ledger: one statement that can read and do nothing more."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import database

Row = tuple[Any, ...]

_TELLING_PRAGMAS = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"}
    | {"database_list", "application_id", "user_version", "page_size", "page_count", "encoding"}
    | {"journal_mode", "compile_options", "integrity_check", "quick_check", "data_version"}
    | {"function_list", "freelist_count", "schema_version"}
)
_WITH_ARGUMENT = frozenset(
    {"table_info", "table_xinfo", "index_list", "index_info", "index_xinfo"}
    | {"integrity_check", "quick_check", "table_list"}
)
_READING = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)


def _only_reading(
    action: int, first: str | None, second: str | None, _database: str | None, _by: str | None
) -> int:
    if action in _READING:
        return sqlite3.SQLITE_OK
    if (
        action == sqlite3.SQLITE_PRAGMA
        and first in _TELLING_PRAGMAS
        and (second is None or first in _WITH_ARGUMENT)
    ):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def guarded_select(
    path: Path, sql: str, parameters: Sequence[Any] | dict[str, Any], limit_seconds: float
) -> tuple[list[str], Iterator[Row]]:
    """Run a foreign statement on a connection of its own that can do nothing but read."""
    connection = database.open_reader(path)
    connection.text_factory = lenient_text
    if limit_seconds > 0:
        deadline = time.monotonic() + limit_seconds
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
    try:
        # Their first use declares them, which the authorizer would hear as a change of schema.
        connection.execute("SELECT count(*) FROM json_each('[]'), json_tree('[]')").fetchone()
        connection.set_authorizer(_only_reading)
        cursor = connection.execute(sql, parameters)
    except (sqlite3.Error, sqlite3.Warning) as exc:
        connection.close()
        raise _select_error(exc, limit_seconds) from exc
    if cursor.description is None:
        connection.close()
        raise LedgerError("there is no statement that gives rows")
    columns = [column[0] for column in cursor.description]
    return columns, _fetch(connection, cursor, limit_seconds)


def _fetch(
    connection: sqlite3.Connection, cursor: sqlite3.Cursor, limit_seconds: float
) -> Iterator[Row]:
    try:
        while rows := cursor.fetchmany(256):
            yield from rows
    except sqlite3.Error as exc:
        raise _select_error(exc, limit_seconds) from exc
    finally:
        connection.close()


def _select_error(exc: Exception, limit_seconds: float) -> LedgerError:
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return LedgerError(
            f"the statement took longer than {limit_seconds:g} s and was stopped; narrow it, for"
            " example by time"
        )
    if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY):
        return LedgerError(f"only reading statements on this ledger are allowed: {exc}")
    return LedgerError(f"SQLite: {exc}")


def lenient_text(raw: bytes) -> str | bytes:
    """Text as str, or its bytes where they are not UTF-8 (a file tampered with)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
