"""The stock tools as docs/verify-by-hand.md has them, run as they stand there."""

import os
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from tests.cli.conftest import Populated
from tests.kit.attacker import copy_of, stolen_key
from tests.kit.attacks import CATALOGUE, Victim

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
    assert told[-1] == "the first key is the one from outside"


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("rewrite and sign with another key", "Signature Verified Successfully\nsame root"),
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
