"""Start checks: refuse, never heal, each in its own words."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger import database
from tests.kit.lab import LedgerLab, draft


def tamper(path: Path, *statements: str) -> None:
    """Change rows behind the triggers' back and leave the schema as it was."""
    connection = sqlite3.connect(path, isolation_level=None)
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def stopped(lab: LedgerLab, records: int = 5) -> None:
    lab.open()
    lab.append(*(draft(f"r{number}") for number in range(records)))
    lab.close()


# --- no ledger, or not one of ours -------------------------------------------------------


def foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t(x)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda path: path.write_bytes(b"hello, this is no database" * 50),
            "not an audit-receiver",
        ),
        (lambda path: path.write_bytes(b""), "not an audit-receiver ledger"),
        (foreign_database, r"application_id 0"),
        (lambda path: path.mkdir(), "cannot be"),
    ],
    ids=["text", "empty", "database", "directory"],
)
def test_what_is_no_ledger_is_refused_and_left_alone(
    lab: LedgerLab, make: Callable[[Path], None], words: str
) -> None:
    lab.path.parent.mkdir()
    make(lab.path)
    before = lab.path.read_bytes() if lab.path.is_file() else b""
    with pytest.raises(LedgerError, match=words):
        lab.open()
    assert before == (lab.path.read_bytes() if lab.path.is_file() else b"")


def test_another_format_version_is_refused(lab: LedgerLab) -> None:
    stopped(lab)
    tamper(lab.path, "PRAGMA user_version = 2")
    with pytest.raises(LedgerError, match="has ledger format 2"):
        lab.open()


def test_the_lock_is_free_again_after_a_refusal(lab: LedgerLab) -> None:
    stopped(lab)
    tamper(lab.path, "PRAGMA user_version = 2")
    for _ in range(2):
        with pytest.raises(LedgerError, match="has ledger format 2"):
            lab.open()
    tamper(lab.path, "PRAGMA user_version = 1")
    lab.open()
    lab.check()


# --- a ledger that does not hold ---------------------------------------------------------

LAST = "(SELECT max(seq) FROM entry)"
LAST_HEAD = "(SELECT max(size) FROM head)"
BROKEN = {
    "last header": (
        f"UPDATE entry SET header = replace(header, 'stop', 'stap') WHERE seq = {LAST}",
        "entry 9 does not have the hash",
    ),
    "last hash": (
        f"UPDATE entry SET hash = zeroblob(32) WHERE seq = {LAST}",
        "entry 9 does not have the hash",
    ),
    "last entry gone": (
        f"DELETE FROM entry WHERE seq = {LAST}",
        "covers 10 entries, the last entry is 8",
    ),
    "last head gone": (
        f"DELETE FROM head WHERE size = {LAST_HEAD}",
        "covers 9 entries, the last entry is 9",
    ),
    "signature": (
        f"UPDATE head SET signature = zeroblob(64) WHERE size = {LAST_HEAD}",
        "not signed by the ledger's key",
    ),
    "root": (
        f"UPDATE head SET root = zeroblob(32) WHERE size = {LAST_HEAD}",
        "not signed by the ledger's key",
    ),
    "no heads": ("DELETE FROM head", "no signed head"),
    "no entries": ("DELETE FROM entry", "no genesis entry"),
    "genesis header": (
        "UPDATE entry SET header = replace(header, 'genesis', 'genesys') WHERE seq = 0",
        "entry 0 does not have the hash",
    ),
    "genesis body": (
        "UPDATE entry SET body = replace(body, 'lab/', 'bal/') WHERE seq = 0",
        "genesis entry's body is not the one hashed",
    ),
    "entry in the tail": (
        "UPDATE entry SET header = replace(header, 'login', 'logon') WHERE seq = 4",
        "do not give the signed root",
    ),
    "entry gone in the tail": ("DELETE FROM entry WHERE seq = 4", r"entries are missing in 0\.\.7"),
    "link of the last": (
        f"UPDATE entry SET hash = zeroblob(32) WHERE seq = {LAST} - 1",
        "entry 9 does not continue",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_ledger_that_does_not_hold_is_not_continued(lab: LedgerLab, fault: str) -> None:
    stopped(lab)
    statement, words = BROKEN[fault]
    tamper(lab.path, statement)
    with pytest.raises(IntegrityError, match=words):
        lab.open()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER entry_update",
        "DROP INDEX entry_actor",
        "CREATE TRIGGER sqly AFTER INSERT ON head BEGIN SELECT 1; END",
        "CREATE TABLE notes(x)",
        "DROP VIEW audit_logs",
        "ALTER TABLE entry ADD COLUMN verified",
    ],
)
def test_a_changed_schema_is_not_continued(lab: LedgerLab, statement: str) -> None:
    stopped(lab)
    connection = sqlite3.connect(lab.path)
    connection.execute(statement)
    connection.close()
    with pytest.raises(IntegrityError, match=r"the schema .* was changed"):
        lab.open()


def test_a_file_cut_in_the_middle_is_not_continued(lab: LedgerLab) -> None:
    stopped(lab, 200)
    os.truncate(lab.path, lab.path.stat().st_size // 2)
    with pytest.raises((IntegrityError, LedgerError)):
        lab.open()


# --- the tree's right edge ---------------------------------------------------------------


@pytest.mark.parametrize("records", [248, 249, 250, 251, 252, 253, 505, 600])
def test_the_tree_goes_on_after_a_restart_at_any_size(lab: LedgerLab, records: int) -> None:
    lab.open()
    lab.append(*(draft(f"r{number}") for number in range(records)))
    lab.close()
    lab.open()
    lab.append(draft("next"))
    lab.check(records + 7)


def test_a_node_that_is_missing_or_wrong_is_found(lab: LedgerLab) -> None:
    stopped(lab, 300)
    tamper(lab.path, "UPDATE node SET hash = zeroblob(32) WHERE idx = 0")
    with pytest.raises(IntegrityError, match="do not give the signed root"):
        lab.open()
    tamper(lab.path, "DELETE FROM node WHERE idx = 0")
    with pytest.raises(IntegrityError, match="tree node 1/0 is missing"):
        lab.open()


def test_a_tree_of_two_levels_is_restored_from_its_nodes(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = draft("r")
    lab.open()
    for start in range(0, 65_700, 7_300):
        drafts = [record._replace(identity=b"%d" % n) for n in range(start, start + 7_300)]
        lab.append(*drafts)
    lab.close()
    assert lab.rows("SELECT count(*), max(level) FROM node") == [(257, 2)]
    thousands: list[int] = []
    connect = database.open_writer

    def counting(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_progress_handler(lambda: thousands.append(1), 1000)
        return connection

    monkeypatch.setattr(database, "open_writer", counting)
    lab.open()
    assert len(thousands) < 50, "steps of SQLite's machine: a start never reads all entries"
    lab.append(draft("next"))
    lab.check()
