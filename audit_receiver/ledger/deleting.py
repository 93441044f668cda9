"""Deleting bodies for good: the statements, each short enough that records go on coming in.

The schema's trigger lets a body become NULL where the newest erase or prune entry under a signed
head names its seq, and nothing else. With secure_delete a cell's bytes are zeroed when it goes, but
copies of cells that once moved stay behind in index pages, so the indexes over body texts are built
anew; and the WAL still has the old pages until it is cut to nothing.
"""

import sqlite3
from collections.abc import Sequence

INDEXES = ("entry_actor", "entry_target", "entry_trace", "entry_record")
_NULL = (
    "UPDATE main.entry SET body = NULL WHERE seq BETWEEN ? AND ? AND body IS NOT NULL AND"
    " (kind <> 'ledger' OR action IN"
    " ('ledger.start','ledger.stop','ledger.heartbeat','ledger.read','ledger.incident'))"
)
# By the seeded statistics SQLite looks for the newest erase entry from the end of the table, for
# each row: 9 ms with 6,000 entries between, and more with more. Told that actions are rare it takes
# the index, 0.03 ms. The statistics are put back before COMMIT, so the file never has others.
_READ_STAT = "SELECT stat FROM main.sqlite_stat1 WHERE tbl = 'entry' AND idx = 'entry_action'"
_SET_STAT = "UPDATE main.sqlite_stat1 SET stat = ? WHERE tbl = 'entry' AND idx = 'entry_action'"
_RARE = "1000000 1 1"


def null_out(connection: sqlite3.Connection, ranges: Sequence[tuple[int, int]]) -> int:
    """Delete these bodies, inside the caller's transaction; returns how many were there."""
    row = connection.execute(_READ_STAT).fetchone()
    try:
        if row is not None:
            connection.execute(_SET_STAT, (_RARE,))
            connection.execute("ANALYZE main.sqlite_master")  # reads the statistics, takes none
        return sum(connection.execute(_NULL, pair).rowcount for pair in ranges)
    finally:
        if row is not None and connection.in_transaction:
            connection.execute(_SET_STAT, row)
            connection.execute("ANALYZE main.sqlite_master")


def rebuild(connection: sqlite3.Connection, index: str) -> None:
    """Build one index anew; what it sorts stays in memory and out of temporary files."""
    connection.execute("PRAGMA temp_store=MEMORY")
    try:
        connection.execute(f"REINDEX main.{index}")
    finally:
        connection.execute("PRAGMA temp_store=DEFAULT")


def forget_samples(connection: sqlite3.Connection) -> None:
    """Empty sqlite_stat4, if there is one: it holds samples of indexed texts."""
    there = "SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_stat4'"
    if connection.execute(there).fetchone():
        connection.execute("DELETE FROM main.sqlite_stat4")


def cut_wal(connection: sqlite3.Connection) -> bool:
    """Move everything into the file and cut the WAL to nothing; False while a reader holds it."""
    [(patience,)] = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout=20")
    try:
        busy = connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout={patience}")
    return not busy
