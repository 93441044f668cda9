"""The stock tools as docs/verify-by-hand.md has them, run as they stand there."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, copy_of, stolen_key
from tests.kit.attacks import CATALOGUE, Victim
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_rotation import DAY, rotate

Command = Callable[..., Result]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "verify-by-hand.md"
pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None or shutil.which("sqlite3") is None,
    reason="needs the openssl and sqlite3 commands",
)


def by_hand(folder: Path) -> str:
    """What the pasted lines print in a folder with ledger, key and checkpoint."""
    [recipe] = re.findall(r"```sh\n(sqlite3 .*?)```", PAGE.read_text(), re.DOTALL)
    done = subprocess.run(
        ["sh", "-c", recipe],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout + done.stderr


@pytest.fixture
def folder(populated: Populated, tmp_path: Path) -> Path:
    copy_of(populated.path, tmp_path, "ledger.db")
    shutil.copy(populated.notes[populated.size], tmp_path / "checkpoint.txt")
    statement = resources.files("audit_receiver") / "ledger" / "check.sql"
    (tmp_path / "check.sql").write_text(statement.read_text())
    return tmp_path


def test_of_an_untouched_ledger_everything_holds(folder: Path, populated: Populated) -> None:
    told = by_hand(folder).splitlines()
    assert told[1].split("|") == [str(populated.size), str(populated.size - 1), *"000000"]
    assert told[2] == "ok"
    assert told.count("Signature Verified Successfully") == 2, "the checkpoint, and the tip"
    assert f"same root at {populated.size}" in told
    assert "the first key is the one from outside" in told
    assert "bad_epochs = 0" in told


def test_each_key_epoch_is_followed(lab: LedgerLab, command: Command, tmp_path: Path) -> None:
    lab.open(key_rotation_seconds=DAY)
    for number in range(3):
        lab.append(draft(f"r{number}"))
        if number < 2:
            rotate(lab)
    lab.close()
    copy_of(lab.path, tmp_path, "ledger.db")
    command("checkpoint", lab.path, "--output", tmp_path / "checkpoint.txt")
    statement = resources.files("audit_receiver") / "ledger" / "check.sql"
    (tmp_path / "check.sql").write_text(statement.read_text())
    told = by_hand(tmp_path).splitlines()
    assert told.count("Signature Verified Successfully") == 4, "three epochs, and the checkpoint"
    assert "bad_epochs = 0" in told
    size = len(lab.headers())
    assert f"same root at {size}" in told
    with Attacker(tmp_path / "ledger.db") as attacker:
        attacker.sign(stolen_key(lab.path), attacker.origin(), first_size=2)
    told = by_hand(tmp_path).splitlines()
    assert told.count("Signature Verified Successfully") == 2, "of the last epoch, and outside"


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("rewrite and sign with another key", "Signature Verified Successfully\nbad_epochs"),
        ("rewrite and sign with the stolen key", "same root at"),
        ("take everything over with another key: same name", "the first key is the one"),
        ("put an older copy back", "same root at"),
        ("cut off the tail with its heads", "same root at"),
        ("let indexes read each others pages", "\nok\n"),
        ("edit a body: middle", "|0|0|0|0|0|0"),
    ],
)
def test_what_an_attack_leaves_out_of_the_answer(
    folder: Path, populated: Populated, name: str, missing: str
) -> None:
    assert missing in by_hand(folder), "it stands there otherwise"
    path = folder / "ledger.db"
    key = folder / "ledger.vkey"
    pinned = key.read_text()
    CATALOGUE[name].run(Victim(path, stolen_key(populated.path), populated.early, 10))
    key.write_text(pinned)
    assert missing not in by_hand(folder)
