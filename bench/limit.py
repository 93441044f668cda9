"""The limit: how fast the standard library's sqlite3 writes the very entries that were written.

Entries and heads are finished beforehand, so nothing is left to do but `executemany` and COMMIT:
into the same schema with the same pragmas in groups of the same median size, and, for the record,
into a bare table.
"""

import sqlite3
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.ledger import database

MOST_ENTRIES = 50_000
RUNS = 3  # the median of so many

Rows = list[tuple[Any, ...]]


class Limit(NamedTuple):
    """Entries per second, into the ledger's schema and into a bare table, and the group size."""

    group: int
    entries: int
    schema_per_second: float
    bare_per_second: float


def median_group(ledger: Path) -> int:
    """Median number of entries per commit: the differences of the heads' sizes."""
    with _reading(ledger) as connection:
        sizes = [row[0] for row in connection.execute("SELECT size FROM head ORDER BY size")]
    connection.close()
    return int(statistics.median(b - a for a, b in zip([0, *sizes], sizes, strict=False)))


def measure(ledger: Path, folder: Path) -> Limit:
    """Write the ledger's first entries again and again, into new files in `folder`."""
    group = median_group(ledger)
    with _reading(ledger) as connection:
        entries = connection.execute(
            "SELECT seq, header, hash, body FROM entry NOT INDEXED ORDER BY seq LIMIT ?",
            (MOST_ENTRIES,),
        ).fetchall()
        root, signature, epoch = connection.execute(
            "SELECT root, signature, epoch FROM head ORDER BY size DESC LIMIT 1"
        ).fetchone()
    connection.close()
    ends = [*range(group, len(entries), group), len(entries)]
    groups = [entries[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    heads = [(end, root, signature, epoch) for end in ends]
    seconds = [
        (
            _write(groups, heads, _schema(folder / f"limit-schema-{run}.db"), "entry"),
            _write(groups, heads, _bare(folder / f"limit-bare-{run}.db"), "bare"),
        )
        for run in range(RUNS)
    ]
    schema, bare = (statistics.median(times) for times in zip(*seconds, strict=True))
    return Limit(group, len(entries), len(entries) / schema, len(entries) / bare)


def _reading(ledger: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)


def _schema(path: Path) -> sqlite3.Connection:
    database.create(path).close()
    return database.open_writer(path)


def _bare(path: Path) -> sqlite3.Connection:
    connection = _schema(path)
    connection.execute("CREATE TABLE bare(seq INTEGER PRIMARY KEY, header TEXT, hash BLOB, body)")
    return connection


def _write(groups: list[Rows], heads: Rows, connection: sqlite3.Connection, table: str) -> float:
    insert = f"INSERT INTO {table}(seq, header, hash, body) VALUES (?, ?, ?, ?)"
    began = time.perf_counter()
    for rows, head in zip(groups, heads, strict=True):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows)
        if table == "entry":
            connection.execute("INSERT INTO head VALUES (?, ?, ?, ?)", head)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds
