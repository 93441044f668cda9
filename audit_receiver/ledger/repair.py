"""Putting a ledger's own triggers, views and indexes back where somebody changed them.

Tables are never touched: what they hold is the evidence.
"""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger import database

_STATISTICS = {"sqlite_stat1", "sqlite_stat4", "_litestream_seq", "_litestream_lock"}


class Mends(NamedTuple):
    """What puts the schema back: SQL, and the same in words."""

    statements: list[str]
    words: list[str]


def of_schema(path: Path, connection: sqlite3.Connection) -> Mends:
    """What leads from the schema that is there to the present one. Raises IntegrityError."""
    wanted = _objects(_fresh())
    present = _objects(connection.execute(database.SCHEMA_ROWS).fetchall())
    if "checkpoint" not in {name for kind, name in present if kind == "table"}:
        first = {key for key in wanted if "checkpoint" not in key[1] and "anchored" not in key[1]}
        if all(present.get(key) == wanted[key] for key in first) and first == set(present):
            return Mends(database.additions(), ["what came to the schema since was added"])
    mends = Mends([], [])
    for kind, name in sorted(present.keys() | wanted.keys(), key=_order):
        _mend(path, kind, name, present.get((kind, name)), wanted.get((kind, name)), mends)
    return mends


def _mend(
    path: Path, kind: str, name: str, is_there: str | None, should_be: str | None, mends: Mends
) -> None:
    if is_there == should_be:
        return
    if kind == "table" and is_there is not None:
        what = "was changed" if should_be is not None else "is not one of a ledger's"
        raise IntegrityError(
            f"{path}: table {name} {what}, and tables are never touched here. Keep the file under"
            " another name, then run this command again: it begins a new ledger that says so"
        )
    quoted = '"' + name.replace('"', '""') + '"'
    if is_there is not None:
        mends.statements.append(f"DROP {kind} {quoted}")
    if should_be is not None:
        mends.statements.append(should_be)
    did = "put back" if should_be is not None else "taken out"
    mends.words.append(f"{kind} {name} was {did}")


def _order(key: tuple[str, str]) -> tuple[bool, str, str]:
    """Foreign triggers go first, so that none fires on what follows; then by kind and name."""
    kind, name = key
    return kind != "trigger", kind, name


def _objects(rows: list[tuple[Any, Any, Any, Any]]) -> dict[tuple[str, str], str]:
    return {
        (str(kind), str(name)): str(sql)
        for kind, name, _, sql in rows
        if sql is not None and not (kind == "table" and name in _STATISTICS)
    }


def _fresh() -> list[tuple[Any, Any, Any, Any]]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(database.schema_text())
        return connection.execute(database.SCHEMA_ROWS).fetchall()
    finally:
        connection.close()
