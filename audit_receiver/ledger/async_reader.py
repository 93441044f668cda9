"""What the running service reads from its own ledger: aiosqlite, read-only, off the event loop."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiosqlite

from audit_receiver.errors import LedgerError
from audit_receiver.ledger.database import reader_uri

Row = tuple[Any, ...]


class AsyncReader:
    """A read-only connection with a thread of its own; use it as an async context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None

    async def __aenter__(self) -> "AsyncReader":
        if not self._path.exists():  # a connection that fails leaves aiosqlite a stray thread
            raise LedgerError(f"{self._path}: there is no ledger here")
        try:
            self._connection = await aiosqlite.connect(
                reader_uri(self._path), uri=True, isolation_level=None, timeout=5.0
            )
            await self._connection.execute("PRAGMA query_only=ON")
        except sqlite3.Error as exc:
            await self.close()
            raise LedgerError(f"{self._path}: cannot be opened for reading: {exc}") from exc
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection and end its thread."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def size(self) -> int:
        """The number of entries."""
        rows = await self.rows("SELECT coalesce(max(seq) + 1, 0) FROM main.entry")
        return int(rows[0][0])

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of one of our own statements, in a transaction that is over at once."""
        if self._connection is None:
            raise LedgerError(f"{self._path}: the reader is closed")
        try:
            async with self._connection.execute(sql, parameters) as cursor:
                return [tuple(row) for row in await cursor.fetchall()]
        except sqlite3.Error as exc:
            raise LedgerError(f"{self._path}: cannot be read: {exc}") from exc
