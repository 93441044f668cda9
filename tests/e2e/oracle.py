"""The oracle after every step: lab.check and `audit-receiver verify`, on the file as left."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.kit import lab
from tests.kit.server import Server, run_cli


def settle(server: Server) -> dict[str, Any]:
    """Stop the receiver cleanly, then `holds`."""
    assert server.stop() == 0, server.stderr
    return holds(server.ledger)


def holds(ledger: Path) -> dict[str, Any]:
    """Every invariant holds, and `verify` says so; returns its report."""
    lab.check(ledger)
    done = run_cli("verify", ledger, "--format", "json", cwd=ledger.parent)
    report: dict[str, Any] = json.loads(done.stdout or "{}")
    assert report.get("findings") == [], done.stdout + done.stderr
    assert report["verdict"] == "intact_unanchored"
    assert done.returncode == 3, done.stderr
    return report


def rows(ledger: Path, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """What a stock read-only connection finds, as dictionaries."""
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql, parameters)]
    finally:
        connection.close()


def value(ledger: Path, sql: str, parameters: Sequence[Any] = ()) -> Any:
    """The one value that a query gives."""
    [row] = rows(ledger, sql, parameters)
    [found] = row.values()
    return found


def events(ledger: Path, name: str) -> list[dict[str, Any]]:
    """The `event` objects of the receiver's own records of this kind."""
    sql = "SELECT body FROM entry WHERE action = ? AND kind = 'ledger' ORDER BY seq"
    return [json.loads(row["body"])["event"] for row in rows(ledger, sql, (f"ledger.{name}",))]
