"""One real ledger for all tests here, as rows: commits of 7, one of 300, heartbeats, two runs."""

import sqlite3

import pytest

from tests.kit.lab import START, LedgerLab, draft
from tests.verify.scene import Scene

SMALL, LARGE = 7, 300  # records a request


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The rows as the receiver left them; nobody changes these."""
    lab = LedgerLab(tmp_path_factory.mktemp("verify"), heartbeat_seconds=20.0)
    lab.open()
    number = 0
    for count in [SMALL] * 40 + [LARGE] + [SMALL] * 10 + [1] * 40 + [SMALL] * 50:
        if number == 280:
            lab.close()
            lab.open()
        lab.clock.pass_seconds(0.5)
        lab.append(*(_record(number + i) for i in range(count)))
        number += count
    lab.close()
    lab.check()
    connection = sqlite3.connect(lab.path)
    try:
        tables = ("SELECT seq, header, hash, body FROM entry", "SELECT * FROM head ORDER BY size")
        entries, heads = (connection.execute(sql).fetchall() for sql in tables)
        nodes = connection.execute("SELECT * FROM node").fetchall()
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        vkey = lab.path.with_suffix(".vkey").read_text()
        pem = lab.path.with_suffix(".key").read_bytes()
        return Scene(entries, heads, nodes, schema.fetchall(), vkey, pem)
    finally:
        connection.close()


@pytest.fixture
def scene(original: Scene) -> Scene:
    """A copy to attack."""
    return original.copy()


def _record(number: int):  # type: ignore[no-untyped-def]
    return draft(
        f"record-{number}" if number % 3 else "",
        span=f"{number % 90 + 10}" if number % 2 else "",
        time_unix_nano=START - number * 1_000_000_000,
        action=("role_update", "login", "config_change")[number % 3],
        outcome="failure" if number % 50 == 0 else "success",
        service=f"svc-{number % 4}",
        audit_actor_id=f"actor-{number % 5}",
        audit_note='said "100%" in Zürich\n' if number % 70 == 0 else "nothing",
    )
