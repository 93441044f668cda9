"""A ledger file from rows that come from elsewhere: entries, heads and checkpoints, in order.

The guards of the schema stand while it is filled, but for those on entries, which would refuse what
has no body; they are put back with the very same text before the file gets its name. No private key
lies beside the file, so nothing can be appended to it.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import database, durable
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.tlog.merkle import Node

_PUT_BACK = ("entry_insert", "entry_update")
# As the guard of the schema has it: what no entry may erase stays.
_ERASE = (
    "UPDATE main.entry SET body = NULL WHERE seq BETWEEN ? AND ? AND body IS NOT NULL AND"
    " (kind <> 'ledger' OR action IN ('ledger.start','ledger.stop','ledger.heartbeat',"
    "'ledger.read','ledger.incident'))"
)


class Restoration:
    """Fills a new ledger file; use it as a context manager and end with `finish`.

    Without `finish` nothing is left behind. Raises LedgerError.
    """

    def __init__(self, path: Path) -> None:
        self._files = LedgerFiles.beside(path)
        self._path = path
        if path.exists() or Path(f"{path}-wal").exists() or self._files.vkey.exists():
            raise LedgerError(
                f"{path}: a ledger, or its .vkey, is there already; nothing is overwritten"
            )
        try:
            self._files.draft.unlink(missing_ok=True)
            self._connection = database.create(self._files.draft)
            self._files.draft.chmod(0o640)
            self._run("PRAGMA synchronous=OFF")  # synced as a whole before it gets its name
            self._guards = [self._trigger(name) for name in _PUT_BACK]
            for name in _PUT_BACK:
                self._run(f"DROP TRIGGER main.{name}")
            self._run("BEGIN")
        except (sqlite3.Error, OSError) as exc:
            raise LedgerError(f"{self._files.draft}: cannot be created: {exc}") from exc

    def __enter__(self) -> "Restoration":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        for path in (self._files.draft, Path(f"{self._files.draft}-journal")):
            path.unlink(missing_ok=True)

    def entries(self, rows: Iterable[tuple[int, str, bytes, str | None]]) -> None:
        """Append entries (seq, header, hash, body)."""
        self._many("INSERT INTO main.entry(seq, header, hash, body) VALUES (?, ?, ?, ?)", rows)

    def nodes(self, nodes: Iterable[Node]) -> None:
        """Append roots of complete subtrees, once their last entry is there."""
        self._many("INSERT INTO main.node(level, idx, hash) VALUES (?, ?, ?)", nodes)

    def head(self, size: int, root: bytes, signature: bytes, epoch: int) -> None:
        """Append a head; the entries end with it."""
        row = (size, root, signature, epoch)
        self._many("INSERT INTO main.head(size, root, signature, epoch) VALUES (?, ?, ?, ?)", [row])

    def checkpoints(self, rows: Iterable[tuple[int, str]]) -> None:
        """Append published checkpoints (size, note), smallest first."""
        self._many("INSERT INTO main.checkpoint(size, note) VALUES (?, ?)", rows)

    def erase(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Take out the bodies of ranges, but for those that nobody may erase."""
        self._many(_ERASE, ranges)

    def finish(self, vkey: str, schema_sha3: str) -> None:
        """Put the guards back, sync, give the file its name and its verifier key beside it.

        Args:
            vkey: "" if it is not known.
            schema_sha3: the digest that the ledger's own records state, "" if they are not there.
        """
        try:
            for guard in self._guards:
                self._run(guard)
            if schema_sha3 == database.FIRST_SCHEMA_SHA3:
                for table in ("checkpoint", "anchored"):
                    self._run(f"DROP TABLE main.{table}")
            digest = database.schema_digest(self._run(database.SCHEMA_ROWS).fetchall())
            if schema_sha3 not in ("", digest):
                raise LedgerError(
                    f"{self._path}: the ledger has the schema {schema_sha3}, which this release"
                    " does not know; use the release that wrote it"
                )
            self._run("COMMIT")
            self._connection.close()
            _sync(self._files.draft)
            if vkey:
                durable.write_new(self._files.vkey, f"{vkey}\n".encode(), 0o644)
            self._files.draft.rename(self._path)
            durable.sync_directory(self._path.absolute().parent)
        except (sqlite3.Error, OSError) as exc:
            raise LedgerError(f"{self._path}: cannot be written: {exc}") from exc

    def _trigger(self, name: str) -> str:
        sql = "SELECT sql FROM main.sqlite_master WHERE type = 'trigger' AND name = ?"
        return str(self._connection.execute(sql, (name,)).fetchone()[0])

    def _run(self, sql: str) -> sqlite3.Cursor:
        return self._connection.execute(sql)

    def _many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as exc:
            raise LedgerError(f"{self._files.draft}: cannot be filled: {exc}") from exc


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
