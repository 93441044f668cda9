"""Key epochs against a thief: today's key cannot rewrite yesterday; one key for ever can."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.conftest import Result
from tests.kit.attacker import Attacker, copy_of, stolen_key, vkey_text
from tests.kit.lab import LedgerLab, draft

DAY = 86_400.0
Command = Callable[..., Result]


class Days(NamedTuple):
    """A ledger of three days, its newest key, and where each day's key was named."""

    path: Path
    named: list[int]
    note: Path  # the head of all of it, kept outside

    @property
    def vkey(self) -> Path:
        return self.path.with_suffix(".vkey")


def three_days(folder: Path, command: Command, rotation: float) -> Days:
    lab = LedgerLab(folder)
    lab.open(key_rotation_seconds=rotation)
    for number in range(60):
        if number % 20 == 0 and number:
            lab.clock.pass_seconds(DAY)
            lab.settle()
        lab.append(draft(f"r{number}"))
    lab.check()
    lab.close()
    named = [h["seq"] for h in lab.headers() if h.get("action") == "ledger.key"]
    note = folder / "note.txt"
    assert command("checkpoint", lab.path, "--output", note).code == 0
    return Days(lab.path, named, note)


@pytest.fixture
def days(tmp_path: Path, command: Command) -> Days:
    made = three_days(tmp_path, command, DAY)
    assert len(made.named) == 2
    return made


@pytest.fixture
def one_key(tmp_path: Path, command: Command) -> Days:
    made = three_days(tmp_path, command, 0.0)
    assert made.named == []
    return made


def steal_and_rewrite(days: Days, folder: Path, seq: int) -> Path:
    """Edit a record and make everything behind it fit again, with the key of today."""
    folder.mkdir(exist_ok=True)
    copy = copy_of(days.path, folder)
    with Attacker(copy) as attacker:
        attacker.edit_body(seq, lambda body: body["audit"]["actor"].update(id="mallory"))
        attacker.rehash(seq)
        # Published checkpoints in the file itself go too: nobody outside the file misses them.
        attacker.db.execute("DELETE FROM checkpoint WHERE size > ?", (seq,))
        attacker.db.execute("DELETE FROM anchored WHERE size > ?", (seq,))
        attacker.sign(stolen_key(days.path), attacker.origin(), first_size=seq + 1)
    return copy


def record_of(path: Path, number: int) -> int:
    with Attacker(copy_of(path, path.parent, f"look-{number}.db")) as attacker:
        return attacker.seqs("kind = 'log'")[number]


def test_todays_key_cannot_rewrite_yesterday(days: Days, tmp_path: Path, command: Command) -> None:
    for number in (5, 25):  # the day before yesterday, yesterday
        seq = record_of(days.path, number)
        copy = steal_and_rewrite(days, tmp_path / str(number), seq)
        result = command("verify", copy, "--vkey", days.vkey, "--format", "json")
        assert (result.code, result.json()["verdict"]) == (1, "tampered")
        findings = result.json()["findings"]
        last = days.named[-1]  # behind it today's key is the right one
        assert any(
            f["kind"] == "head" and f["first"] <= seq and f["last"] == last for f in findings
        ), findings


def test_todays_key_can_rewrite_today_and_only_an_outside_checkpoint_tells(
    days: Days, tmp_path: Path, command: Command
) -> None:
    seq = record_of(days.path, 45)
    assert seq > days.named[-1]
    copy = steal_and_rewrite(days, tmp_path / "today", seq)
    assert command("verify", copy, "--vkey", days.vkey).code == 3
    outside = command("verify", copy, "--vkey", days.vkey, "--checkpoint", days.note)
    assert outside.code == 1


def test_with_one_key_for_ever_the_same_attack_passes(
    one_key: Days, tmp_path: Path, command: Command
) -> None:
    seq = record_of(one_key.path, 5)
    copy = steal_and_rewrite(one_key, tmp_path / "all", seq)
    result = command("verify", copy, "--vkey", one_key.vkey, "--every-head", "--format", "json")
    assert (result.code, result.json()["findings"]) == (3, [])
    outside = command("verify", copy, "--vkey", one_key.vkey, "--checkpoint", one_key.note)
    assert outside.code == 1


def test_a_history_without_the_epochs_needs_another_first_key(
    days: Days, tmp_path: Path, command: Command
) -> None:
    """The thief names today's key in the genesis and lets it sign everything."""
    folder = tmp_path / "thief"
    folder.mkdir()
    copy, key = copy_of(days.path, folder), stolen_key(days.path)
    with Attacker(copy) as attacker:
        vkey = vkey_text(key, attacker.origin())
        attacker.edit_body(0, lambda body: body["event"].update(vkey=vkey))
        for named in days.named:
            attacker.edit_body(named, lambda body: body["event"].update(name="stop"))
            attacker.edit_header(named, lambda header: header.update(action="ledger.stop"))
        attacker.db.execute("UPDATE head SET epoch = 0")
        attacker.rehash(0)
        attacker.sign(key, attacker.origin())
        copy.with_suffix(".vkey").write_text(f"{vkey}\n")
    result = command("verify", copy, "--vkey", days.vkey, "--format", "json")
    assert result.code == 1
    assert ("key", 0, 0) in {(f["kind"], f["first"], f["last"]) for f in result.json()["findings"]}


def test_checkpoints_of_every_epoch_hold(days: Days, command: Command) -> None:
    result = command("verify", days.path, "--vkey", days.vkey, "--checkpoint", days.note)
    assert result.code == 0, result.out
    key_line = days.note.read_text().splitlines()[-1]
    assert key_line.startswith("— lab/")
