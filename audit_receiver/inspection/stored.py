"""Checkpoints and tokens that a ledger keeps, read in short transactions: there may be millions."""

from collections.abc import Iterator, Sequence
from typing import Any

from audit_receiver.errors import LedgerError
from audit_receiver.ledger.reader import Reader, UnreadableLedger

PAGE = 4096  # rows
LOWEST = -(2**63)
_CHECKPOINTS = (
    "SELECT size, note FROM main.checkpoint NOT INDEXED WHERE size >= ? ORDER BY size",
    "SELECT size, note FROM main.checkpoint NOT INDEXED WHERE size > ? ORDER BY size",
)
_TOKENS = (
    "SELECT size, anchor, kind, content FROM main.anchored WHERE size >= ?"
    " ORDER BY size, anchor, kind",
    "SELECT size, anchor, kind, content FROM main.anchored WHERE (size, anchor, kind) > (?, ?, ?)"
    " ORDER BY size, anchor, kind",
)


def checkpoints(reader: Reader, first_size: int = LOWEST) -> Iterator[Sequence[Any]]:
    """(size, note), oldest first; none in a ledger of the first schema."""
    return _paged(reader, "checkpoint", *_CHECKPOINTS, first_size, 1)


def tokens(reader: Reader, first_size: int = LOWEST) -> Iterator[Sequence[Any]]:
    """(size, anchor, kind, content), oldest first."""
    return _paged(reader, "anchored", *_TOKENS, first_size, 3)


def _paged(
    reader: Reader, table: str, first: str, following: str, first_size: int, keys: int
) -> Iterator[Sequence[Any]]:
    if ("table", table) not in {tuple(row[:2]) for row in reader.schema_rows()}:
        return
    sql, place = first, (first_size,)
    while True:
        try:
            rows = list(reader.select(f"{sql} LIMIT {PAGE}", place)[1])
        except LedgerError as exc:
            raise UnreadableLedger(f"{reader.path}: table `{table}` cannot be read: {exc}") from exc
        yield from rows
        if len(rows) < PAGE:
            return
        sql, place = following, rows[-1][:keys]
