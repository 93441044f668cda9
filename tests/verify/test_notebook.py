"""Checkpoints are found wherever text keeps them."""

import json

import pytest

from audit_receiver.verify.notebook import notes
from tests.verify.scene import Scene


@pytest.fixture
def kept(scene: Scene) -> list[str]:
    return [scene.note(size) for size in (1, 287, 902)]


@pytest.mark.parametrize("between", ["", "\n", "=\n", "\n# a remark\n", "\r\n", "\n\n\n"])
def test_notes_one_after_another(kept: list[str], between: str) -> None:
    assert list(notes(between.join(["", *kept, ""]))) == kept


def test_json_lines_of_ours_and_of_a_pipeline_around_them(kept: list[str]) -> None:
    ours = [json.dumps({"audit_receiver": "checkpoint", "note": note}) for note in kept]
    noise = ['{"note": 5}', '{"note', "plain note", "[[[[[[[[[[[[[[[[ note"]
    assert list(notes("\n".join([*noise, *ours]))) == kept
    docker = [json.dumps({"log": line + "\n", "stream": "stdout"}) for line in ours]
    assert list(notes("\n".join(docker))) == kept
    logs = [{"body": {"stringValue": line}} for line in ours]
    assert list(notes(json.dumps({"resourceLogs": [{"logRecords": logs}]}))) == kept


def test_what_a_crash_cut_off_is_left_out(kept: list[str]) -> None:
    for cut in (10, len(kept[1]) // 2, len(kept[1]) - 3):
        assert list(notes(kept[0] + "=\n" + kept[1][:cut] + "\n=\n" + kept[2])) in (
            [kept[0], kept[2]],
            [kept[0], kept[1][:cut] + "\n", kept[2]],
        )


def test_a_note_with_a_cosignature_is_kept_whole(kept: list[str]) -> None:
    note = kept[0] + "\u2014 witness.example AAAAAAAAAAAA\n"
    assert list(notes(note + "=\n" + kept[1])) == [note, kept[1]]


def test_json_that_nests_without_end_is_given_up(kept: list[str]) -> None:
    text = json.dumps({"note": kept[0]})
    assert list(notes("[" * 40 + text + "]" * 40)) == []
    assert list(notes("[" * 4 + text + "]" * 4)) == kept[:1]
