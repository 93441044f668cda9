"""The schema as it is in the file, against every schema that was ever released (DESIGN 3.8)."""

from collections.abc import Callable, Iterable
from hashlib import sha3_256
from typing import Any

from audit_receiver.verify.findings import Finding
from audit_receiver.verify.released import APPLICATION_ID, RELEASED

_LEFT_OUT = {"sqlite_stat1", "sqlite_stat4", "_litestream_seq", "_litestream_lock"}


def digest(rows: Iterable[tuple[Any, Any, Any, Any]]) -> str:
    """SHA3-256 over the lines `type NUL name NUL tbl_name NUL sql LF`, by type and name."""
    text = "".join(
        f"{kind}\0{name}\0{table}\0{sql}\n" for kind, name, table, sql in _relevant(rows)
    )
    return sha3_256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check(
    rows: Iterable[tuple[Any, Any, Any, Any]],
    application_id: Any,
    user_version: Any,
    report: Callable[[Finding], None],
) -> str:
    """Compare with what was released; names each object that differs. Returns the digest."""
    rows = list(rows)
    found = digest(rows)
    if application_id != APPLICATION_ID:
        _say(
            report, f"application_id {APPLICATION_ID}", repr(application_id), "this is not a ledger"
        )
    if found in RELEASED:
        version, _ = RELEASED[found]
        if user_version != version:
            _say(
                report,
                f"user_version {version}",
                repr(user_version),
                "the format number was changed",
            )
        return found
    newest = list(RELEASED.values())[-1][1]
    present = {
        (str(kind), str(name)): sha3_256(str(sql).encode("utf-8", "surrogatepass")).hexdigest()
        for kind, name, _, sql in _relevant(rows)
    }
    for key, expected in newest.items():
        if key not in present:
            _say(report, expected, "none", f"{key[0]} {key[1]} was dropped")
        elif present[key] != expected:
            _say(report, expected, present[key], f"{key[0]} {key[1]} was changed")
    for key in sorted(set(present) - set(newest)):
        _say(report, "none", present[key], f"{key[0]} {key[1]} was added")
    if set(present.items()) == set(newest.items()):
        _say(report, "a released schema", found, "an object was moved to another table")
    return found


def _relevant(rows: Iterable[tuple[Any, Any, Any, Any]]) -> list[tuple[Any, Any, Any, Any]]:
    kept = [
        row
        for row in rows
        if row[3] is not None and not (row[0] == "table" and row[1] in _LEFT_OUT)
    ]
    return sorted(kept, key=lambda row: (str(row[0]), str(row[1])))


def _say(report: Callable[[Finding], None], expected: str, found: str, message: str) -> None:
    report(Finding("schema", None, None, expected, found, message))
