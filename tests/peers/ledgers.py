"""What came of a load: the records in the ledger, while it grows and in the end."""

import sqlite3
from collections import Counter
from pathlib import Path

from tests.e2e.oracle import rows


def stored(folder: Path, run: str) -> Counter[str]:
    """How often each record of a run is in the ledger, by its own id."""
    sql = (
        "SELECT coalesce(record_id, trace_id || span_id) AS id FROM audit_records_all"
        " WHERE action = ?"
    )
    try:
        return Counter(row["id"] for row in rows(folder / "data" / "ledger.db", sql, (run,)))
    except sqlite3.OperationalError:  # the receiver is just being killed or started
        return Counter()
