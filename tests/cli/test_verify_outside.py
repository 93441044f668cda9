"""`verify` with what was kept outside: files, folders, JSON lines; each verdict by itself."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, copy_of

Command = Callable[..., Result]


def texts(populated: Populated) -> list[str]:
    return [populated.notes[size].read_text() for size in sorted(populated.notes)]


def as_file(populated: Populated, folder: Path) -> Path:
    path = folder / "checkpoints.txt"
    path.write_text("".join(f"{text}=\n" for text in texts(populated)))
    return path


def as_folder(populated: Populated, folder: Path) -> Path:
    place = folder / "notes"
    (place / "deep").mkdir(parents=True)
    for number, text in enumerate(texts(populated)):
        (place / "deep" / f"{number}.txt").write_text(text)
    return place


def as_lines(populated: Populated, folder: Path) -> Path:
    path = folder / "stdout.jsonl"
    lines = [
        json.dumps({"audit_receiver": "checkpoint", "note": text}) for text in texts(populated)
    ]
    path.write_text("\n".join(["ready", *lines, ""]))
    return path


@pytest.mark.parametrize("form", [as_file, as_folder, as_lines])
def test_what_an_anchor_keeps_covers_the_ledger(
    command: Command, populated: Populated, tmp_path: Path, form: Callable[[Populated, Path], Path]
) -> None:
    kept = form(populated, tmp_path)
    result = command("verify", populated.path, "--vkey", populated.vkey, "--anchor", kept)
    assert result.code == 0, result.out
    assert "Assurance ANCHORED: " in result.out
    assert f"up to size {populated.size}: {kept}" in result.out


def test_what_an_anchor_keeps_contradicts_an_older_copy(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    kept = as_file(populated, tmp_path)
    report = command("verify", populated.early, "--anchor", kept, "--format", "json")
    assert report.code == 1
    told = report.json()
    assert told["verdicts"]["rolled_back"]["findings"] == 1
    assert told["verdicts"]["altered"] == {"findings": 0, "ranges": []}
    assert told["assurance"]["level"] == "NONE"


def test_an_anchor_without_any_checkpoint_is_wrong_use(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = command("verify", populated.path, "--anchor", empty)
    assert (result.code, result.out) == (2, "")
    assert "holds no checkpoint" in " ".join(result.err.split())


def test_each_verdict_is_told_by_itself(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        attacker.set(100, body=None)
    out = command("verify", copy).out
    assert "\nFound     body missing\n" in out
    assert "\nNot found altered, canonical, forked, head, index, inserted, key, missing," in out
    assert "\nAssurance NONE: what was found contradicts the ledger\n" in out


def test_levels_of_assurance_are_told_with_what_they_rest_on(
    command: Command, populated: Populated
) -> None:
    def assurance(*options: str | Path) -> tuple[str, str]:
        told = command("verify", populated.path, "--format", "json", *options).json()["assurance"]
        return told["level"], " ".join(told["rests_on"])

    level, why = assurance()
    assert level == "LOCAL_CHAINED"
    assert "whoever rewrote it could replace it" in why
    level, why = assurance("--vkey", populated.vkey)
    assert (level, "--vkey" in why) == ("SIGNED", True)
    level, why = assurance("--checkpoint", populated.notes[populated.size])
    assert (level, f"up to size {populated.size}" in why) == ("ANCHORED", True)
