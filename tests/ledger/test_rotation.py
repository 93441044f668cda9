"""Key epochs: when the key changes, which heads are whose, and what is left of the old key."""

import base64
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger import rotation
from audit_receiver.ledger.keysource.file import FileSource
from audit_receiver.tlog.note import SignerKey
from tests.kit.attacker import Attacker, vkey_text
from tests.kit.lab import LedgerLab, draft

DAY = 86_400.0


def raw(vkey: str) -> bytes:
    return base64.b64decode(vkey.split("+", 2)[2])[1:]


def key_in(path: Path) -> bytes:
    """The public half of the private key in a file."""
    key = load_pem_private_key(path.read_bytes(), None)
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def names_of(lab: LedgerLab) -> list[str]:
    return sorted(path.name for path in lab.path.parent.iterdir() if "key" in path.name)


def rotate(lab: LedgerLab, seconds: float = DAY) -> int:
    """Let a day go by; returns the seq of the entry that names the next key."""
    before = len(lab.events("key"))
    lab.clock.pass_seconds(seconds)
    lab.settle()
    lab.settle()
    assert len(lab.events("key")) == before + 1
    return max(h["seq"] for h in lab.headers() if h.get("action") == "ledger.key")


@pytest.fixture
def daily(lab: LedgerLab) -> LedgerLab:
    lab.open(key_rotation_seconds=DAY)
    return lab


def test_a_day_later_the_heads_are_of_another_key(daily: LedgerLab) -> None:
    first = key_in(daily.path.with_suffix(".key"))
    daily.append(draft("a"))
    daily.clock.pass_seconds(DAY - 1)
    daily.append(draft("b"))
    daily.settle()
    assert daily.events("key") == []
    named = rotate(daily, 1)
    daily.append(draft("c"))
    (event,) = daily.events("key")
    assert set(event) == {"is", "name", "reason", "time", "vkey"}
    assert event["reason"] == "scheduled"
    second = key_in(daily.path.with_suffix(".key"))
    assert raw(event["vkey"]) == second != first
    epochs = dict(daily.rows("SELECT size, epoch FROM head"))
    assert {size: epoch for size, epoch in epochs.items() if size <= named + 1} == {
        size: 0 for size in epochs if size <= named + 1
    }
    assert named + 1 in epochs, "the entry is the last of its commit"
    assert {epoch for size, epoch in epochs.items() if size >= named + 2} == {named}
    assert raw(daily.path.with_suffix(".vkey").read_text().strip()) == first
    assert names_of(daily) == ["ledger.key", "ledger.logkey", "ledger.vkey"]
    daily.check()


def test_the_tip_names_the_key_that_signed_it(daily: LedgerLab) -> None:
    rotate(daily)
    boundary = daily.appender.tip
    first = daily.path.with_suffix(".vkey").read_text().split("+")[1]
    assert f"{boundary.key_id:08x}" == first, "the head over the entry is the old key's"
    tip = daily.append(draft("a")).tip
    assert f"{tip.key_id:08x}" == daily.events("key")[0]["vkey"].split("+")[1]
    assert tip.size == boundary.size + 1


def test_an_idle_ledger_changes_its_key_without_being_asked(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "RETRY_SECONDS", 0.01)
    lab.open(key_rotation_seconds=DAY)
    lab.clock.pass_seconds(DAY - 0.05)
    lab.settle()
    assert 0 < lab.appender._writer.patience_seconds() <= 0.06


def test_a_key_that_is_overdue_is_changed_at_the_start(daily: LedgerLab) -> None:
    daily.close()
    daily.clock.pass_seconds(3 * DAY)
    daily.open()
    assert len(daily.events("key")) == 1
    daily.close()
    daily.clock.pass_seconds(DAY - 10)
    daily.open()
    assert len(daily.events("key")) == 1, "its day is counted from the entry that names it"
    daily.check()


def test_never_is_never(lab: LedgerLab) -> None:
    lab.open(key_rotation_seconds=0.0)
    lab.clock.pass_seconds(80 * DAY)
    lab.settle()
    lab.close()
    lab.open()
    assert lab.events("key") == []
    lab.check()


def test_an_operator_can_ask_for_a_new_key(lab: LedgerLab) -> None:
    lab.open()
    lab.close()
    lab.open(new_key="the laptop with the backup was stolen")
    lab.append(draft("a"))
    assert [event["reason"] for event in lab.events("key")] == [
        "the laptop with the backup was stolen"
    ]
    lab.check()


def test_the_old_private_key_is_overwritten_before_it_is_unlinked(daily: LedgerLab) -> None:
    path = daily.path.with_suffix(".key")
    held = os.open(path, os.O_RDONLY)  # the old file, whatever becomes of its name
    try:
        before = os.pread(held, 4096, 0)
        rotate(daily)
        after = os.pread(held, 4096, 0)
        assert os.fstat(held).st_nlink == 0
    finally:
        os.close(held)
    assert b"PRIVATE KEY" in before
    assert len(after) == len(before)
    assert b"PRIVATE KEY" not in after
    assert path.stat().st_mode & 0o777 == 0o400
    daily.check()


def test_a_key_file_that_is_a_link_stays_one(lab: LedgerLab, tmp_path: Path) -> None:
    real = tmp_path / "secrets" / "real.key"
    real.parent.mkdir()
    lab.open(key_path=tmp_path / "link.key")
    lab.close()
    (tmp_path / "link.key").rename(real)
    (tmp_path / "link.key").symlink_to(real)
    lab.open(key_rotation_seconds=DAY)
    rotate(lab)
    lab.append(draft("a"))
    assert (tmp_path / "link.key").is_symlink()
    assert key_in(real) == raw(lab.events("key")[0]["vkey"])
    assert [path.name for path in real.parent.iterdir()] == ["real.key"]
    lab.check()


def test_a_second_name_of_the_current_key_is_only_unlinked(tmp_path: Path) -> None:
    """As after a crash between link and rename, beside a ledger that was put back meanwhile."""
    source = FileSource(tmp_path / "ledger.key")
    signer = source.create("x/1")
    os.link(tmp_path / "ledger.key", tmp_path / "ledger.key.old")
    assert source.settle(signer.verifier) == ""
    assert source.find(signer.verifier).verifier == signer.verifier
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.key"]


def test_nothing_is_destroyed_while_no_key_is_the_ledgers(tmp_path: Path) -> None:
    source = FileSource(tmp_path / "ledger.key")
    source.create("x/1")
    following = source.prepare("x/1")
    (tmp_path / "ledger.key").chmod(0o600)
    (tmp_path / "ledger.key").write_text("something else")
    (tmp_path / "ledger.key.old").write_text("kept")
    other = SignerKey.generate("x/1").verifier
    assert source.settle(other) == ""
    assert len(list(tmp_path.iterdir())) == 3
    source.settle(following.verifier)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.key"]


def test_without_hard_links_the_ledger_says_that_nothing_was_overwritten(
    daily: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    rotate(daily)
    daily.append(draft("a"))
    (incident,) = daily.events("incident")
    assert incident["incident"] == "old_key_kept"
    assert "was replaced and not overwritten" in incident["reason"]
    assert names_of(daily) == ["ledger.key", "ledger.logkey", "ledger.vkey"]
    daily.check()


def test_many_epochs_are_walked_at_the_start(lab: LedgerLab) -> None:
    lab.open(key_rotation_seconds=1.0)
    for number in range(60):
        lab.clock.pass_seconds(1)
        lab.append(draft(f"r{number}"))
    lab.settle()
    assert len(lab.events("key")) >= 59
    lab.close()
    lab.open()
    lab.append(draft("last"))
    lab.check()


def test_the_entry_that_names_a_key_is_found_by_the_index(lab: LedgerLab) -> None:
    from audit_receiver.ledger import epochs

    lab.open()
    plan = lab.rows(f"EXPLAIN QUERY PLAN {epochs.ENTRIES}")
    assert "USING INDEX entry_action (action=?)" in plan[0][3], plan


Change = Callable[[Attacker, int], Any]


def _resign_boundary(attacker: Attacker, named: int) -> None:
    key = load_pem_private_key(attacker.path.with_suffix(".key").read_bytes(), None)
    [root] = attacker.db.execute("SELECT root FROM head WHERE size = ?", (named + 1,)).fetchone()
    text = f"{attacker.origin()}\n{named + 1}\n{base64.b64encode(root).decode()}\n"
    signature = key.sign(text.encode())  # type: ignore[union-attr,call-arg]
    attacker.db.execute("UPDATE head SET signature = ? WHERE size = ?", (signature, named + 1))


def _other_key(attacker: Attacker, named: int) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    vkey = vkey_text(Ed25519PrivateKey.generate(), attacker.origin())
    attacker.edit_body(named, lambda body: body["event"].update(vkey=vkey))


BREAKS: dict[str, tuple[Change, str]] = {
    "the new key signed the head over its own entry": (
        _resign_boundary,
        "the key before did not sign for it",
    ),
    "no head over the entry": (
        lambda a, s: a.db.execute("DELETE FROM head WHERE size = ?", (s + 1,)),
        "is covered by no head of its own",
    ),
    "another epoch on that head": (
        lambda a, s: a.db.execute("UPDATE head SET epoch = ? WHERE size = ?", (s, s + 1)),
        "the key before did not sign for it",
    ),
    "another key in the body": (_other_key, "does not have the body"),
    "no body": (lambda a, s: a.set(s, body=None), "its body is gone"),
    "another header": (
        lambda a, s: a.edit_header(s, lambda h: h.update(flags=["late"])),
        "does not have the hash",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_chain_of_keys_stops_the_start(daily: LedgerLab, name: str) -> None:
    named = rotate(daily)
    daily.append(draft("a"))
    daily.append(draft("b"))
    daily.close()
    change, told = BREAKS[name]
    with Attacker(daily.path) as attacker:
        change(attacker, named)
    with pytest.raises(IntegrityError, match=told):
        daily.open()


def test_yesterdays_key_in_its_place_stops_the_start(daily: LedgerLab) -> None:
    path = daily.path.with_suffix(".key")
    yesterday = path.read_bytes()
    rotate(daily)
    daily.append(draft("a"))
    daily.close()
    today = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(yesterday)
    with pytest.raises(LedgerError, match="Restore the key that belongs to this ledger"):
        daily.open()
    path.write_bytes(today)
    daily.open()
    daily.check()
