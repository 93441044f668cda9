"""Findings: merged into ranges, kept short, turned into a verdict and an exit code."""

import json
from typing import get_args

import pytest

from audit_receiver.verify import check, walk
from audit_receiver.verify.findings import (
    MOST_FINDINGS,
    MOST_RANGES,
    Finding,
    Findings,
    Kind,
    merge,
    span_of,
)
from audit_receiver.verify.report import EXIT_CODES, Verdict, exit_code
from tests.verify.scene import Scene


def finding(first: int | None, last: int | None, message: str = "m", kind: Kind = "altered"):  # type: ignore[no-untyped-def]
    return Finding(kind, first, last, "e", "f", message)


def test_neighbours_that_say_the_same_become_one() -> None:
    merged = merge([finding(3, 3), finding(1, 1), finding(2, 2), finding(5, 7), finding(6, 9)])
    assert [(f.first, f.last) for f in merged] == [(1, 3), (5, 9)]


def test_the_same_of_the_same_entry_is_said_once() -> None:
    assert merge([finding(4, 4), finding(4, 4)]) == [finding(4, 4)]


def test_what_differs_in_kind_or_words_stays_apart() -> None:
    given = [finding(1, 1), finding(2, 2, "other"), finding(3, 3, kind="time"), finding(None, None)]
    assert set(merge(given)) == set(given)


def test_findings_come_by_place_those_of_the_whole_file_first() -> None:
    merged = merge([finding(9, 9), finding(None, None, "file"), finding(-1, -1), finding(4, 4)])
    assert [f.first for f in merged] == [None, -1, 4, 9]


def test_the_first_of_a_range_lends_its_expected_and_found() -> None:
    collected = Findings()
    collected.add("altered", 1, 1, "m", "e1", "f1")
    collected.add("altered", 2, 2, "m", "e2", "f2")
    [one] = collected.sorted()
    assert (one.expected, one.found) == ("e1", "f1")


def test_many_ranges_of_one_kind_widen_the_last() -> None:
    collected = Findings()
    for seq in range(0, 10 * MOST_RANGES, 2):
        collected.add("altered", seq, seq, "m")
    made = collected.sorted()
    assert len(made) == MOST_RANGES
    assert made[-1].last == 10 * MOST_RANGES - 2


def test_beyond_ten_thousand_the_rest_is_counted() -> None:
    collected = Findings()
    for number in range(MOST_FINDINGS + 5):
        collected.add("index", None, None, f"message {number}")
    made = collected.sorted()
    assert len(made) == MOST_FINDINGS + 1
    assert made[-1].message == "5 more findings are left out"


def test_texts_are_cut() -> None:
    collected = Findings()
    collected.add("altered", 1, 1, "m" * 9000, "e" * 9000, "f" * 9000)
    [one] = collected.sorted()
    assert {len(one.message), len(one.expected), len(one.found)} == {500}


def test_every_verdict_has_its_exit_code() -> None:
    assert EXIT_CODES == {"intact": 0, "tampered": 1, "undecided": 2, "intact_unanchored": 3}
    assert set(EXIT_CODES) == set(get_args(Verdict))


def test_the_kinds_are_those_of_the_design() -> None:
    kinds = "altered reordered inserted missing truncated rolled_back forked body_missing head key"
    assert set(get_args(Kind)) == {
        *kinds.split(),
        *["schema", "index", "canonical", "time", "unreadable"],
    }


def test_a_report_is_one_json_object_with_the_members_that_others_rely_on(scene: Scene) -> None:
    scene.entries[5][2] = bytes(32)
    report = scene.verify(pinned=scene.vkey)
    told = json.loads(json.dumps(report.as_dict()))
    relied_on = {"verdict", "size", "root", "origin", "key_pinned", "anchored_size", "unanchored"}
    assert relied_on | {"findings"} <= set(told)
    assert set(told["findings"][0]) == {"kind", "first", "last", "expected", "found", "message"}
    assert (told["verdict"], told["key_pinned"], exit_code(report)) == ("tampered", True, 1)
    assert told["origin"] == scene.vkey.name


def test_progress_is_told_now_and_then(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "TOLD_EVERY", 500)
    told: list[int] = []
    examination = check.Examination(beside=scene.vkey)
    examination.log(scene.entries, iter(scene.heads), scene.nodes, 1051, told.append)
    assert told == [500, 1000]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(None, None, "the file"), (3, 3, "entry 3"), (3, None, "entry 3"), (3, 5, "entries 3 to 5")],
)
def test_a_range_in_words(first: int | None, last: int | None, words: str) -> None:
    assert span_of(first, last) == words
