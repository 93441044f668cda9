"""Start checks: refuse, never heal, each in its own words."""

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger import database, keys, opening
from audit_receiver.ledger.appender import LedgerSettings
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.tlog.note import SignerKey
from tests.kit.lab import LedgerLab, draft


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


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


# --- creating ----------------------------------------------------------------------------


def test_files_and_modes_of_a_new_ledger(lab: LedgerLab) -> None:
    old = os.umask(0o077)
    try:
        lab.open()
    finally:
        os.umask(old)
    files = LedgerFiles.beside(lab.path)
    assert mode(lab.path.parent) == 0o2750
    assert mode(files.ledger) == 0o640
    assert mode(Path(f"{lab.path}-wal")) == 0o640
    assert mode(files.key) == mode(files.logkey) == mode(files.dedup) == 0o400
    assert mode(files.vkey) == 0o644
    assert len(files.dedup.read_bytes()) == 32
    assert files.key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----"), "PKCS#8"
    assert not files.draft.exists()
    assert lab.appender.warnings == []
    lab.check(3)


def test_a_directory_that_exists_is_left_as_it_is(lab: LedgerLab) -> None:
    lab.path.parent.mkdir()
    lab.path.parent.chmod(0o711)
    lab.open()
    assert mode(lab.path.parent) == 0o711
    lab.check()


def test_the_genesis_states_everything_that_a_verifier_needs(lab: LedgerLab) -> None:
    lab.open(
        select={"attributes": ["audit.*"]}, select_digest="ab", retention={"keep": "400d"}, name="x"
    )
    (genesis,) = lab.events("genesis")
    name, incarnation = genesis["origin"].split("/")
    assert name == "x"
    assert len(bytes.fromhex(incarnation)) == 8
    assert genesis["vkey"] == lab.appender.vkey
    assert genesis["log_vkey"].split("+")[0] == genesis["origin"]
    assert genesis["log_vkey"] != genesis["vkey"]
    assert genesis["select"] == {"attributes": ["audit.*"]}
    assert (genesis["select_digest"], genesis["retention"]) == ("ab", {"keep": "400d"})
    assert genesis["previous"] is None
    assert genesis["version"] == "0"
    assert lab.rows("SELECT size, epoch FROM head LIMIT 1") == [(1, 0)]
    lab.check()


def test_init_creates_a_ledger_with_a_genesis_and_nothing_else(lab: LedgerLab) -> None:
    settings = LedgerSettings(path=lab.path, name="lab")
    vkey = opening.create_only(settings, lab.clock.clock())
    assert vkey == lab.path.with_suffix(".vkey").read_text().strip()
    assert [event["is"] for event in lab.events()] == ["genesis"]
    assert lab.rows("PRAGMA journal_mode") == [("delete",)]
    lab.check(1)
    with pytest.raises(LedgerError, match="never overwritten"):
        opening.create_only(settings, lab.clock.clock())
    lab.open(create="never")
    assert not lab.appender.created
    assert lab.events("start")[0]["clean"] is True
    lab.check(3)


def test_a_missing_ledger_is_no_fresh_start_if_it_must_exist(lab: LedgerLab) -> None:
    with pytest.raises(LedgerError, match="create is `never`"):
        lab.open(create="never")
    assert not lab.path.parent.exists()


def test_keys_without_their_ledger_stop_a_fresh_start(lab: LedgerLab) -> None:
    stopped(lab)
    lab.path.unlink()
    with pytest.raises(LedgerError, match=r"ledger\.key, ledger\.logkey.*restore it"):
        lab.open()
    assert not lab.path.exists()


def test_an_interrupted_creation_begins_afresh(lab: LedgerLab) -> None:
    files = LedgerFiles.beside(lab.path)
    files.ledger.parent.mkdir()
    files.draft.write_bytes(b"half a ledger")
    files.key.write_bytes(b"half a key")
    lab.open()
    assert not files.draft.exists()
    lab.append(draft("a"))
    lab.check()


@pytest.mark.parametrize("name", ["two words", "ä", "x" * 190, "a\nb"])
def test_a_name_that_cannot_be_an_origin_is_refused(lab: LedgerLab, name: str) -> None:
    with pytest.raises(LedgerError, match=r"ledger\.name"):
        lab.open(name=name)
    assert list(lab.path.parent.iterdir()) == [lab.path.with_suffix(".lock")]


def test_the_private_key_may_lie_elsewhere(lab: LedgerLab, tmp_path: Path) -> None:
    key = tmp_path / "secret" / "signing.pem"
    key.parent.mkdir()
    lab.open(key_path=key)
    lab.append(draft("a"))
    lab.close()
    assert mode(key) == 0o400
    assert not lab.path.with_suffix(".key").exists()
    lab.open()
    lab.check()


@pytest.mark.parametrize("name", ["ledger.key", "ledger.vkey", "ledger.lock", "ledger.creating"])
def test_a_ledger_cannot_have_the_name_of_a_file_beside_it(lab: LedgerLab, name: str) -> None:
    with pytest.raises(LedgerError, match=r"use \.db"):
        lab.open(path=lab.path.with_name(name))


def test_a_directory_that_cannot_be_made_is_said(lab: LedgerLab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be created"):
        lab.open(path=tmp_path / "file" / "ledger.db")


# --- keys --------------------------------------------------------------------------------


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


KEY_FAULTS: dict[str, tuple[Callable[[LedgerFiles], None], str]] = {
    "missing key": (lambda f: f.key.unlink(), "is missing.*cannot continue this ledger"),
    "no key": (lambda f: replace(f.key, b"hello"), "not an Ed25519 private key"),
    "empty key": (lambda f: replace(f.key, b""), "not an Ed25519 private key"),
    "other key": (
        lambda f: replace(f.key, SignerKey.generate("lab/other").to_pem()),
        "Restore the key that belongs to this ledger",
    ),
    "other vkey": (
        lambda f: replace(f.vkey, str(SignerKey.generate("lab/x").verifier).encode()),
        "One of the two has been replaced",
    ),
    "no vkey": (lambda f: replace(f.vkey, b"not+a+key"), "not a C2SP verifier key"),
    "missing dedup": (lambda f: f.dedup.unlink(), "32 random bytes"),
    "short dedup": (lambda f: replace(f.dedup, b"short"), "has 5 bytes"),
}


@pytest.mark.parametrize("fault", KEY_FAULTS)
def test_a_wrong_or_missing_key_is_refused_and_nothing_is_written(
    lab: LedgerLab, fault: str
) -> None:
    stopped(lab)
    spoil, words = KEY_FAULTS[fault]
    spoil(LedgerFiles.beside(lab.path))
    with pytest.raises(LedgerError, match=words):
        lab.open()
    if "vkey" not in fault:
        lab.check(10)
    assert len(lab.headers()) == 10


def test_the_verifier_key_beside_the_ledger_may_be_gone(lab: LedgerLab) -> None:
    stopped(lab)
    files = LedgerFiles.beside(lab.path)
    text = files.vkey.read_text()
    files.vkey.unlink()
    lab.open()
    assert lab.appender.vkey == text.strip()
    files.vkey.write_text(text)
    lab.check()


def test_keys_that_others_can_read_are_warned_about(lab: LedgerLab) -> None:
    stopped(lab)
    lab.path.with_suffix(".key").chmod(0o440)
    lab.open()
    (warning,) = lab.appender.warnings
    assert "0440" in warning
    assert "chmod 0400 ledger.key" in warning
    lab.check()


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    keys.write_new(path, b"one", 0o400)
    with pytest.raises(LedgerError, match="move it away"):
        keys.write_new(path, b"two", 0o400)
    assert path.read_bytes() == b"one"


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
