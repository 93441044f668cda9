"""Which SQLite this Python has, and whether a ledger can be made with it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from audit_receiver.cli.doctor.checks import Check, fail, ok, warn
from audit_receiver.errors import AuditReceiverError

OLDEST = (3, 31, 0)  # generated columns
# https://sqlite.org/wal.html#walresetbug: the bug is in 3.7.0 to 3.51.2, fixed in 3.51.3, and the
# fix was back-ported to the patch releases 3.44.6 and 3.50.7. Vendors may have patched others.
FIXED = (3, 51, 3)
BACK_PORTS = {(3, 44): 6, (3, 50): 7}


def checks() -> Iterator[Check]:
    """Version, the WAL-reset bug, and a ledger made in a scratch directory."""
    from audit_receiver.ledger import database

    try:
        with tempfile.TemporaryDirectory(prefix="audit-receiver-doctor-") as directory:
            connection = database.create(Path(directory) / "scratch.db")
            version = str(connection.execute("SELECT sqlite_version()").fetchone()[0])
            said = connection.execute("""SELECT json_extract('{"a":[1,"x"]}', '$.a[1]')""")
            json = said.fetchone()[0] == "x"
            connection.close()
    except (AuditReceiverError, OSError) as exc:
        yield fail("sqlite", f"no ledger can be made here: {exc}", "make TMPDIR writable")
        return
    except Exception as exc:  # sqlite3.Error, which only the ledger's room may name
        yield fail(
            "sqlite",
            f"a ledger's schema does not work with this SQLite: {exc}",
            f"use a Python with SQLite {_text(OLDEST)} or newer and its JSON functions",
        )
        return
    if json:
        yield ok("sqlite", f"SQLite {version} makes a ledger, JSON functions work")
    else:
        yield fail("sqlite", f"SQLite {version}: json_extract answers wrongly", "use another build")
    yield wal_reset(version)


def wal_reset(version: str) -> Check:
    """Whether this version has the bug that two connections which checkpoint at once can meet."""
    numbers = tuple(int(part) for part in version.split(".")[:3])
    patch = BACK_PORTS.get((numbers[0], numbers[1]))
    fixed = numbers >= FIXED or (patch is not None and numbers[2] >= patch)
    if fixed:
        return ok("sqlite WAL-reset", f"fixed in {version}")
    return warn(
        "sqlite WAL-reset",
        f"{version} has the WAL-reset bug: two connections that write or checkpoint at once can"
        " corrupt a WAL database. The receiver has one writer and is safe by itself",
        "never open a live ledger but read-only (sqlite3 -readonly); or use a Python with SQLite"
        f" {_text(FIXED)} or later, or with one whose vendor back-ported the fix",
    )


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
