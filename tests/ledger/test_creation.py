"""Making a ledger, its files and its keys."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import durable, opening
from audit_receiver.ledger.appender import LedgerSettings
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.tlog.note import SignerKey
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_opening import stopped


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


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
    durable.write_new(path, b"one", 0o400)
    with pytest.raises(LedgerError, match="move it away"):
        durable.write_new(path, b"two", 0o400)
    assert path.read_bytes() == b"one"
