"""Leaving a ledger so that people without write access to its directory can read it."""

import sqlite3
import time

from audit_receiver.ledger.guard import FileGuard, Replaced

PATIENCE_SECONDS = 5.0  # a reader that holds the file may need to finish
_STEP_SECONDS = 0.1


def leave_wal(connection: sqlite3.Connection, guard: FileGuard) -> str:
    """Move everything into the file and leave WAL mode; returns why not, "" if done.

    SQLite deletes the -wal by its name: where that is not our file any more, it is left alone.
    """
    try:
        guard.check()
    except Replaced as exc:
        return _WORDS.format(exc)
    deadline = time.monotonic() + PATIENCE_SECONDS
    connection.execute("PRAGMA busy_timeout=100")
    while True:
        problem = _try_to_leave(connection)
        if not problem or time.monotonic() > deadline:
            return problem
        time.sleep(_STEP_SECONDS)


def _try_to_leave(connection: sqlite3.Connection) -> str:
    try:
        connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchone()
        mode = connection.execute("PRAGMA main.journal_mode=DELETE").fetchone()[0]
    except sqlite3.Error as exc:
        return _WORDS.format(exc)
    return "" if mode == "delete" else _WORDS.format("a reader holds it open")


_WORDS = (
    "the ledger was left in WAL mode ({}): users without write access to its directory cannot read"
    " it until the service runs again"
)
