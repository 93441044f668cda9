"""Go's own packages check what `checkpoint` and `prove` write: sumdb/note, sumdb/tlog.

The program is built by tests/peers; here it gets a ledger with more than one full subtree.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Populated, Result, command, populated
from tests.kit.attack_model import OTHER_KEY
from tests.kit.attacker import vkey_text
from tests.peers import programs

__all__ = ["command", "populated"]

pytestmark = pytest.mark.peers
Command = Callable[..., Result]


def check(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [programs.notes(), *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def proofs(command: Command, populated: Populated, tmp_path: Path) -> list[Path]:
    """Proofs of entries at the edges of subtrees."""
    made = [tmp_path / f"{seq}.tlog-proof" for seq in (0, 1, 255, 256, 511, 512, 569)]
    for path in made:
        assert command("prove", populated.path, path.name.split(".")[0], "--output", path).code == 0
    return made


def test_go_opens_the_checkpoint_and_follows_every_proof(
    populated: Populated, proofs: list[Path]
) -> None:
    for size, note in populated.notes.items():
        done = check(populated.vkey, note)
        assert (done.returncode, done.stdout) == (0, f"checkpoint {size}\n"), done.stderr
    done = check(populated.vkey, populated.notes[populated.size], *proofs)
    assert done.returncode == 0, done.stderr
    told = [f"proof {path.name.split('.')[0]}" for path in proofs]
    assert done.stdout.splitlines() == [f"checkpoint {populated.size}", *told]


def test_go_refuses_them_once_anything_is_changed(
    populated: Populated, proofs: list[Path], tmp_path: Path
) -> None:
    note = populated.notes[populated.size]
    changed = tmp_path / "changed"
    text = note.read_text()
    changed.write_text(text.replace("\n570\n", "\n571\n"))
    assert "invalid signature" in check(populated.vkey, changed).stderr
    foreign = tmp_path / "foreign.vkey"
    foreign.write_text(vkey_text(OTHER_KEY, text.splitlines()[0]))
    assert check(foreign, note).returncode == 1
    proof = proofs[3].read_text()
    for mutant in (
        proof.replace("index 256\n", "index 257\n"),
        proof.replace("extra ey", "extra ez"),
        proof.replace(proof.splitlines()[3], proof.splitlines()[4]),
    ):
        assert mutant != proof
        changed.write_text(mutant)
        assert check(populated.vkey, note, changed).returncode == 1
