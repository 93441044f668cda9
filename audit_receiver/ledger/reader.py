"""The reading door: a read-only connection, short transactions, a size fixed at the start.

Rows come out as plain tuples in the order of `verify.rows` (StoredEntry, StoredHead, StoredNode),
because this room and `verify` do not know each other: `StoredEntry._make(row)` dresses one.
On a file that was tampered with a value can be of any type, and text that is not UTF-8 is bytes.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import orjson

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import database, epochs
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.lock import is_held
from audit_receiver.ledger.statement import Row, guarded_select, lenient_text
from audit_receiver.tlog import merkle

CHUNK_ROWS = 4096
CHUNK_BYTES = 32 * 1024 * 1024
_FIRST_POSSIBLE = -(2**63)
_LAST_POSSIBLE = 2**63 - 1  # of a rowid; somebody may have put a row there
_PAST_POSSIBLE = 2**63
_ENDLESS = (  # a view or virtual table in a table's place: it could give rows for ever
    "SELECT name FROM main.sqlite_master"
    " WHERE lower(name) IN ('entry', 'head', 'node', 'checkpoint', 'anchored')"
    " AND (type <> 'table' OR sql LIKE 'create virtual%')"
)


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
            self._no_table = [name for (name,) in self._connection.execute(_ENDLESS)]
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
        last = self.bounds()[1]
        return last + 1 if isinstance(last, int) else 0

    def bounds(self) -> tuple[Any, Any]:
        """(lowest seq, highest seq); (None, None) without entries."""
        first = self._rows("SELECT min(seq) FROM main.entry NOT INDEXED")[0][0]
        last = self._rows("SELECT max(seq) FROM main.entry NOT INDEXED")[0][0]
        return first, last

    def tip_head(self) -> Row | None:
        """The newest head (size, root, signature, epoch), or None."""
        rows = self._rows(
            "SELECT size, root, signature, epoch FROM main.head ORDER BY size DESC LIMIT 1"
        )
        return rows[0] if rows else None

    def reigns(self) -> list[epochs.Reign]:
        """Every key epoch, oldest first. Raises IntegrityError where their chain is broken."""
        first = epochs.first(self.path, self._rows(epochs.GENESIS))
        return epochs.walk(self.path, first, self._rows(epochs.ENTRIES), self.head_at)

    def head_at(self, size: int) -> Row | None:
        """The head of this size (root, signature, epoch), or None."""
        rows = self._rows(epochs.HEAD, (size,))
        return rows[0] if rows else None

    def heads(
        self, first_size: int = _FIRST_POSSIBLE, end_size: int = _PAST_POSSIBLE
    ) -> Iterator[Row]:
        """Heads (size, root, signature, epoch) with first_size <= size < end_size, in order."""
        sql = (
            "SELECT size, root, signature, epoch FROM main.head NOT INDEXED"
            " WHERE size >= ? AND size <= ? ORDER BY size"
        )
        return self._by_key(sql, first_size, end_size)

    def entries(self, first: int = _FIRST_POSSIBLE, end: int = _PAST_POSSIBLE) -> Iterator[Row]:
        """Entries (seq, header, hash, body) with first <= seq < end, in order of seq."""
        sql = (
            "SELECT seq, header, hash, body FROM main.entry NOT INDEXED"
            " WHERE seq >= ? AND seq <= ? ORDER BY seq"
        )
        return self._by_key(sql, first, end)

    def nodes(self) -> Iterator[Row]:
        """Nodes (level, idx, hash), level by level, whatever types stand there."""
        where, place = "", tuple[Any, ...]()
        while True:
            sql = f"SELECT level, idx, hash FROM main.node{where} ORDER BY level, idx"
            rows = self._rows(f"{sql} LIMIT {CHUNK_ROWS}", place)
            yield from rows
            if len(rows) < CHUNK_ROWS:
                return
            where, place = " WHERE (level, idx) > (?, ?)", rows[-1][:2]

    def checkpoints(self, first_size: int = 0) -> list[Row]:
        """Published checkpoints (size, note), oldest first; [] in a ledger of the first schema."""
        return self._if_there(
            "checkpoint",
            "SELECT size, note FROM main.checkpoint NOT INDEXED WHERE size >= ? ORDER BY size",
            (first_size,),
        )

    def anchored(self, anchor: str = "", kind: str = "") -> list[Row]:
        """What anchors gave back, (size, anchor, kind, content), oldest first."""
        return self._if_there(
            "anchored",
            "SELECT size, anchor, kind, content FROM main.anchored"
            " WHERE ? IN ('', anchor) AND ? IN ('', kind) ORDER BY size, anchor, kind",
            (anchor, kind),
        )

    def newest_anchored(self, anchor: str, kind: str) -> tuple[int, bytes] | None:
        """The newest (size, content) of a kind that an anchor gave back, if there is one."""
        rows = self._if_there(
            "anchored",
            "SELECT size, content FROM main.anchored WHERE anchor = ? AND kind = ?"
            " ORDER BY size DESC LIMIT 1",
            (anchor, kind),
        )
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else None

    def _if_there(self, table: str, sql: str, parameters: tuple[Any, ...]) -> list[Row]:
        there = "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?"
        return self._rows(sql, parameters) if self._rows(there, (table,)) else []

    def subtree(self, size: int) -> Callable[[int, int], bytes]:
        """MTH(D[lo:hi]) of RFC 6962 for proofs over the first `size` entries."""

        def node(level: int, idx: int) -> bytes:
            rows = self._rows(
                "SELECT hash FROM main.node WHERE level = ? AND idx = ?", (level, idx)
            )
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

        It can read this ledger and nothing else: no ATTACH, no writing, only telling pragmas.
        limit_seconds > 0 ends it with LedgerError, also while rows are fetched.
        """
        return guarded_select(self.path, sql, parameters, limit_seconds)

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

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy of the ledger to a new file, page by page as it is.

        With SQLite's backup and not VACUUM INTO: that one builds the indexes' trees anew, and in
        SQLite 3.40 it fails on a read-only connection for a table with generated columns.
        """
        if target.exists():
            raise LedgerError(f"{target}: exists already; a copy never overwrites")
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as connection:
                self._connection.backup(connection)
                connection.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the source
        except sqlite3.Error as exc:
            raise LedgerError(
                f"{self.path}: cannot be copied to {target.parent}: {exc}. It takes as much free"
                " space there as the ledger is large"
            ) from exc

    def _by_key(self, sql: str, first: int, end: int) -> Iterator[Row]:
        """Rows in chunks, each chunk one transaction that is over before the caller sees a row."""
        while True:
            rows, complete = self._chunk(sql, first, end)
            yield from rows
            if complete or rows[-1][0] == _LAST_POSSIBLE:
                return
            first = rows[-1][0] + 1

    def _chunk(self, sql: str, first: int, end: int) -> tuple[list[Row], bool]:
        try:
            return self._fetch_chunk(sql, first, end)
        except sqlite3.OperationalError as exc:
            if "decode" not in str(exc):  # sqlite3 has no code for text that is not UTF-8
                raise UnreadableLedger(
                    f"{self.path}: cannot be read on from {first}: {exc}"
                ) from exc
        except sqlite3.Error as exc:
            raise UnreadableLedger(f"{self.path}: cannot be read on from {first}: {exc}") from exc
        self._connection.text_factory = lenient_text  # slow, so only where it is needed
        try:
            return self._fetch_chunk(sql, first, end)
        except sqlite3.Error as exc:
            raise UnreadableLedger(f"{self.path}: cannot be read on from {first}: {exc}") from exc
        finally:
            self._connection.text_factory = str

    def _require_tables(self) -> None:
        """Raises UnreadableLedger where what should be a table is none."""
        if self._no_table:
            raise UnreadableLedger(
                f"{self.path}: {self._no_table[0]} is no table; what stands in its place is not"
                " read"
            )

    def _fetch_chunk(self, sql: str, first: int, end: int) -> tuple[list[Row], bool]:
        self._require_tables()
        rows: list[Row] = []
        held = 0
        last = min(end - 1, _LAST_POSSIBLE)
        cursor = self._connection.execute(f"{sql} LIMIT {CHUNK_ROWS}", (first, last))
        try:
            while batch := cursor.fetchmany(256):
                rows += batch
                held += sum(len(row[-1]) for row in batch if isinstance(row[-1], (str, bytes)))
                if held > CHUNK_BYTES:
                    return rows, False
        finally:
            cursor.close()
        return rows, len(rows) < CHUNK_ROWS

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        if sql.startswith("SELECT") and "sqlite_master" not in sql:
            self._require_tables()
        self._connection.text_factory = lenient_text
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as exc:
            raise UnreadableLedger(f"{self.path}: {exc}") from exc
        finally:
            self._connection.text_factory = str

    def _opening_error(self, exc: sqlite3.Error) -> LedgerError:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        directory = self.path.absolute().parent
        if not os.access(self.path, os.R_OK):
            return LedgerError(f"{self.path}: this user may not read it; join the ledger's group")
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and not os.access(
            directory, os.W_OK
        ):
            return LedgerError(
                f"{self.path}: the ledger is in WAL mode without a running service (it was not"
                f" stopped cleanly, or only the .db file was copied), and this user may not write"
                f" to {directory}, which SQLite needs to read it. Start the service, or stop it"
                " cleanly once, or read as the service's user, or copy ledger.db together with its"
                " -wal into a directory of your own"
            )
        if code == sqlite3.SQLITE_NOTADB:
            return UnreadableLedger(f"{self.path}: is not a SQLite file: {exc}")
        return UnreadableLedger(f"{self.path}: cannot be opened: {exc}")


def _check(connection: sqlite3.Connection) -> list[str]:
    connection.text_factory = lenient_text
    try:
        rows = connection.execute("PRAGMA main.integrity_check(100)").fetchall()
    except sqlite3.Error as exc:
        return [f"integrity_check stopped: {exc}"]
    texts = [row[0] if isinstance(row[0], str) else repr(row[0]) for row in rows]
    return [] if texts == ["ok"] else texts


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
