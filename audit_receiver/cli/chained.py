"""Rows of several ledgers that continue each other, as if they were one; each says whose it is."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from audit_receiver.cli import ledgers

if TYPE_CHECKING:
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.query import Filter

COLUMN = "ledger"


def columns_of(readers: "Sequence[Reader]", columns: Sequence[str]) -> tuple[str, ...]:
    """The columns, with the ledger's name in front where there are several."""
    return (COLUMN, *columns) if len(readers) > 1 else tuple(columns)


def newest_first(
    readers: "Sequence[Reader]",
    wanted: "Filter",
    columns: Sequence[str],
    seqs: "Sequence[array[int]]",
    limit: int | None,
) -> Iterator[Sequence[Any]]:
    """The rows of all ledgers by event time, newest first; without a time last, as in each."""
    place = columns.index("timestamp")
    sources = [
        _named(reader, len(readers) > 1, ledgers.rows_of(reader, wanted, columns, some))
        for reader, some in zip(readers, seqs, strict=True)
    ]
    if len(sources) == 1:
        return islice(sources[0], limit)
    # Equal times: `merge` prefers earlier sources, and the newer ledger's come first here.
    place += 1
    merged = merge(*reversed(sources), key=lambda row: str(row[place] or ""), reverse=True)
    return islice(merged, limit)


def in_order(
    readers: "Sequence[Reader]",
    wanted: "Filter",
    columns: Sequence[str],
    seqs: Sequence[Sequence[int]],
    advance: Callable[[int], None],
) -> Iterator[Sequence[Any]]:
    """The rows of one ledger after the other, each in its order."""
    for reader, some in zip(readers, seqs, strict=True):
        rows = ledgers.rows_of(reader, wanted, columns, some, advance)
        yield from _named(reader, len(readers) > 1, rows)


def _named(
    reader: "Reader", several: bool, rows: Iterator[Sequence[Any]]
) -> Iterator[Sequence[Any]]:
    return ((str(reader.path), *row) for row in rows) if several else rows
