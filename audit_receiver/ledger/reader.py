"""The reading door: a read-only connection, short transactions, a size fixed at the start.

Rows come out as plain tuples in the order of `verify.rows` (StoredEntry, StoredHead, StoredNode),
because this room and `verify` do not know each other: `StoredEntry._make(row)` dresses one.
On a file that was tampered with a value can be of any type, and text that is not UTF-8 is bytes.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import orjson

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import database
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.lock import is_held
from audit_receiver.tlog import merkle

Row = tuple[Any, ...]
CHUNK_ROWS = 4096
CHUNK_BYTES = 32 * 1024 * 1024
_FIRST_POSSIBLE = -(2**63)
_PAST_POSSIBLE = 2**63 - 1


class UnreadableLedger(LedgerError):
    """SQLite cannot read rows or structures of the file: damage, or something that is no ledger."""


class Genesis(NamedTuple):
    """The entry 0 as it stands in the file; nothing in it is believed before it is checked."""

    header: str
    hash: bytes
    body: str | None
    event: dict[str, Any]  # the body's `event` object, {} if it cannot be read


class Facts(NamedTuple):
    """What the file says of itself."""

    application_id: int
    user_version: int
    page_size: int
    journal_mode: str
    encoding: str


class Reader:
    """A ledger opened read-only; use it as a context manager.

    Every method reads in a transaction of its own, so that a slow caller never holds one open.
    Raises LedgerError if the file cannot be opened, UnreadableLedger if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = LedgerFiles.beside(path)
        if not path.exists():
            raise LedgerError(f"{path}: there is no ledger here")
        try:
            self._connection = database.open_reader(path)
            self._connection.execute("SELECT count(*) FROM main.sqlite_master").fetchone()
        except sqlite3.Error as exc:
            raise self._opening_error(exc) from exc

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def is_live(self) -> bool:
        """Whether a writer holds the ledger's lock now."""
        return is_held(self.files.lock)

    def facts(self) -> Facts:
        """Application id, format version, page size, journal mode, encoding."""
        names = ("application_id", "user_version", "page_size", "journal_mode", "encoding")
        return Facts(*(self._rows(f"PRAGMA main.{name}")[0][0] for name in names))

    def schema_rows(self) -> list[Row]:
        """(type, name, tbl_name, sql) of everything in the schema, ordered by type and name."""
        return sorted(self._rows(database.SCHEMA_ROWS), key=lambda row: (str(row[0]), str(row[1])))

    def schema_digest(self) -> str:
        """The digest that the genesis states, recomputed from the file."""
        rows = self.schema_rows()
        return database.schema_digest((row[0], row[1], row[2], row[3]) for row in rows)

    def genesis(self) -> Genesis:
        """Entry 0. Raises LedgerError if there is none."""
        rows = self._rows("SELECT header, hash, body FROM main.entry NOT INDEXED WHERE seq = 0")
        if not rows:
            raise LedgerError(f"{self.path}: has no genesis entry; it is not a ledger")
        header, digest, body = rows[0]
        try:
            event = orjson.loads(body)["event"]
        except (ValueError, TypeError, KeyError):
            event = {}
        return Genesis(header, digest, body, event if isinstance(event, dict) else {})

    def size(self) -> int:
        """The number of entries that are there now: the end to fix at the start of a reading."""
        first, last, count = self.bounds()
        return 0 if not count else int(last) + 1 if isinstance(last, int) else count

    def bounds(self) -> tuple[Any, Any, int]:
        """(lowest seq, highest seq, number of rows); a full scan only of the b-tree's pages."""
        return self._rows("SELECT min(seq), max(seq), count(*) FROM main.entry NOT INDEXED")[0]  # type: ignore[return-value]

    def tip_head(self) -> Row | None:
        """The newest head (size, root, signature, epoch), or None."""
        rows = self._rows(
            "SELECT size, root, signature, epoch FROM main.head ORDER BY size DESC LIMIT 1"
        )
        return rows[0] if rows else None

    def heads(self, first_size: int = _FIRST_POSSIBLE, end_size: int = _PAST_POSSIBLE) -> Iterator[Row]:
        """Heads (size, root, signature, epoch) with first_size <= size < end_size, in order."""
        sql = (
            "SELECT size, root, signature, epoch FROM main.head NOT INDEXED"
            " WHERE size >= ? AND size < ? ORDER BY size"
        )
        return self._by_key(sql, first_size, end_size)

    def entries(self, first: int = _FIRST_POSSIBLE, end: int = _PAST_POSSIBLE) -> Iterator[Row]:
        """Entries (seq, header, hash, body) with first <= seq < end, in order of seq."""
        sql = (
            "SELECT seq, header, hash, body FROM main.entry NOT INDEXED"
            " WHERE seq >= ? AND seq < ? ORDER BY seq"
        )
        return self._by_key(sql, first, end)

    def nodes(self) -> Iterator[Row]:
        """Nodes (level, idx, hash), level by level."""
        levels = self._rows("SELECT DISTINCT level FROM main.node ORDER BY level")
        for (level,) in levels:
            yield from self._nodes_of(level)

    def subtree(self, size: int) -> Callable[[int, int], bytes]:
        """MTH(D[lo:hi]) of RFC 6962 for proofs over the first `size` entries."""

        def node(level: int, idx: int) -> bytes:
            rows = self._rows("SELECT hash FROM main.node WHERE level = ? AND idx = ?", (level, idx))
            if not rows:
                raise UnreadableLedger(f"{self.path}: tree node {level}/{idx} is missing")
            return bytes(rows[0][0])

        def leaves(lo: int, hi: int) -> list[bytes]:
            rows = self._rows(
                "SELECT header FROM main.entry NOT INDEXED WHERE seq >= ? AND seq < ? ORDER BY seq",
                (lo, hi),
            )
            if len(rows) != hi - lo:
                raise UnreadableLedger(f"{self.path}: entries are missing in {lo}..{hi - 1}")
            return [merkle.leaf_hash(_as_bytes(header)) for (header,) in rows]

        def subtree_root(lo: int, hi: int) -> bytes:
            if not 0 <= lo < hi <= size:
                raise ValueError(f"subtree {lo}..{hi} of a tree of {size}")
            return merkle.subtree_root(lo, hi, node, leaves)

        return subtree_root

    def select(
        self, sql: str, parameters: Sequence[Any] | dict[str, Any] = (), limit_seconds: float = 0
    ) -> tuple[list[str], Iterator[Row]]:
        """Run one reading statement of somebody else's; (column names, rows).

        It can read this ledger and nothing else: no ATTACH, no writing, no other pragma than those
        that tell. limit_seconds > 0 ends it, also while rows are fetched.
        """
        cursor = self._connection.cursor()
        limiter = _Limiter(limit_seconds)
        with self._guarded(limiter):
            try:
                cursor.execute(sql, parameters)
            except (sqlite3.Warning, sqlite3.ProgrammingError, sqlite3.Error) as exc:
                raise limiter.error(exc) from exc
        columns = [column[0] for column in cursor.description or ()]
        return columns, self._fetch(cursor, limiter)

    def integrity_check(
        self, progress: Callable[[str], None] | None = None, scratch: Path | None = None
    ) -> list[str]:
        """What `PRAGMA integrity_check` says; [] if all is well.

        A live ledger is copied first, so that the check holds no transaction open in it.
        """
        say = progress or (lambda _: None)
        if not self.is_live():
            say("checking the file's structure")
            return _check(self._connection)
        with tempfile.TemporaryDirectory(prefix="audit-receiver-", dir=scratch) as directory:
            copy = Path(directory) / "copy.db"
            say("copying the live ledger")
            self.copy_to(copy)
            connection = database.open_reader(copy)
            try:
                say("checking the copy's structure")
                return _check(connection)
            finally:
                connection.close()
