"""The golden vectors are what their generator makes, and it shares nothing with the product."""

import re
import shutil
from pathlib import Path

import pytest

from tests.vectors import generate, generate_cosignatures, generate_notes

HERE = Path(generate.__file__).parent
ROOMS = ("tree", "chain", "note", "proof", "cosignature")
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


@openssl
def test_the_generator_makes_the_files_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
        if room != "chain":
            shutil.copy(HERE / room / "go.json", tmp_path / room)
    monkeypatch.setattr(generate, "HERE", tmp_path)
    generate.tree()
    generate.chain()
    generate_notes.main()
    generate_cosignatures.main()
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")}
    kept = {path.relative_to(HERE) for room in ROOMS for path in (HERE / room).rglob("*")}
    assert made == kept
    for path in made:
        assert (tmp_path / path).read_text("utf-8") == (HERE / path).read_text("utf-8"), path


@pytest.mark.parametrize(
    "path", ["generate.py", "generate_notes.py", "generate_cosignatures.py", "../kit/reference.py"]
)
def test_the_generator_uses_nothing_of_the_product(path: str) -> None:
    assert not re.search(
        r"^\s*(from|import) audit_receiver", (HERE / path).read_text(), re.MULTILINE
    )
