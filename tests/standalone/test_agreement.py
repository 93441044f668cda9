"""Three verifiers that share no code agree on every attack: verdict, kinds, and where it begins.

`audit-receiver verify`, `verify.py`, and where it can judge the statement for the stock shell.
"""

import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Populated, Result
from tests.kit.attacker import copy_of, stolen_key
from tests.kit.attacks import CATALOGUE, Victim

Command = Callable[..., Result]
Standalone = Callable[..., tuple[int, Any]]

# Where they differ by nature: the attack, what is left out of the comparison, and why.
DIFFERENT = {
    "damage pages": ("unreadable", "verify.py says how far it came, the other names the file"),
    "edit a link and recompute its own hash": (
        "altered",
        "verify.py names both neighbours, of which it cannot know which one was changed",
    ),
}
# What one statement over `entry` can see: the layers that it checks again.
SEEN_BY_SHELL = {"chain", "body hash"}
# A tail that is gone leaves a whole chain: only heads and checkpoints know of it.
LEFT_WHOLE = {"delete entries: the last", "delete entries: the last ten"}


def victim_of(populated: Populated, folder: Path) -> Victim:
    return Victim(
        copy_of(populated.path, folder), stolen_key(populated.path), populated.early, commit=10
    )


def kinds(report: dict[str, Any], without: str = "") -> dict[str, int | None]:
    """Each kind of finding with the first entry of its first range."""
    firsts: dict[str, int | None] = {}
    for finding in report["findings"]:
        if finding["kind"] != without:
            firsts.setdefault(finding["kind"], finding["first"])
    return firsts


@pytest.mark.parametrize("name", CATALOGUE)
def test_both_verifiers_say_the_same_of_an_attack(
    name: str, populated: Populated, tmp_path: Path, command: Command, standalone: Standalone
) -> None:
    victim = victim_of(populated, tmp_path)
    CATALOGUE[name].run(victim)
    without = DIFFERENT.get(name, ("", ""))[0]
    tip = populated.notes[populated.size]
    for outside in ([], ["--vkey", populated.vkey, "--checkpoint", tip]):
        words = [victim.path, "--every-head", *outside]
        ours = command("verify", *words, "--format", "json")
        code, theirs = standalone(*words)
        assert (code, theirs["verdict"]) == (ours.code, ours.json()["verdict"])
        assert kinds(theirs, without) == kinds(ours.json(), without)
    assert code == 1, "with key and checkpoint from outside every attack is found"
    assert set(kinds(theirs)) <= CATALOGUE[name].kinds


@pytest.mark.parametrize(
    "name", [name for name in CATALOGUE if CATALOGUE[name].layer in SEEN_BY_SHELL]
)
def test_the_stock_shell_sees_what_the_chain_and_the_bodies_show(
    name: str, populated: Populated, tmp_path: Path
) -> None:
    assert shell(populated.path) == [], "of an untouched ledger it says nothing"
    victim = victim_of(populated, tmp_path)
    CATALOGUE[name].run(victim)
    assert bool(shell(victim.path)) is (name not in LEFT_WHOLE)


def shell(path: Path) -> list[str]:
    """The columns of the statement that are not 0 and should be; what it could not run counts."""
    done = subprocess.run(
        ["sqlite3", "-readonly", "-header", "-separator", "|", path],
        input=(resources.files("audit_receiver") / "ledger" / "check.sql").read_text(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != 2:
        return [done.stderr or "no answer"]
    row = dict(zip(lines[0].split("|"), lines[1].split("|"), strict=True))
    return [name for name, value in row.items() if name.startswith("bad_") and value != "0"]
