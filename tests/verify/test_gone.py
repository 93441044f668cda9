"""Bodies that are gone as a signed entry allows: told with ranges and the entry, no finding."""

from typing import Any

import pytest

from audit_receiver.verify.erased import Erasures
from audit_receiver.verify.findings import Findings
from tests.verify.scene import Scene


def gone(scene: Scene, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        scene.entries[seq][3] = None


def allow(scene: Scene, event: str, *ranges: list[int]) -> int:
    return scene.own(event, ranges=list(ranges), reason="r", authoriser="a", count=1)


def test_pruned_and_erased_bodies_are_told_apart_with_their_entries(scene: Scene) -> None:
    pruned = allow(scene, "prune", [100, 149])
    erased = allow(scene, "erase", [200, 200], [205, 206])
    gone(scene, 100, 149)
    for seq in (200, 205, 206):
        gone(scene, seq, seq)
    report = scene.verify()
    assert report.findings == ()
    assert [(one.first, one.last, one.by) for one in report.pruned] == [(100, 149, pruned)]
    assert [(one.first, one.last, one.by) for one in report.erased] == [
        (200, 200, erased),
        (205, 206, erased),
    ]
    told = report.as_dict()["verdicts"]
    assert told["pruned"] == {"bodies": 50, "ranges": [[100, 149]], "authorised_by": [pruned]}
    assert told["erased"]["bodies"] == 3


def test_what_an_entry_allows_and_is_still_there_is_not_told(scene: Scene) -> None:
    allow(scene, "prune", [100, 149])
    gone(scene, 120, 121)
    report = scene.verify()
    assert [(one.first, one.last) for one in report.pruned] == [(120, 121)]
    assert report.findings == ()


def test_one_body_more_than_allowed_is_the_finding(scene: Scene) -> None:
    allow(scene, "prune", [100, 149])
    gone(scene, 100, 150)
    report = scene.verify()
    assert {(f.kind, f.first, f.last) for f in report.findings} == {("body_missing", 150, 150)}
    assert [(one.first, one.last) for one in report.pruned] == [(100, 149)]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        # (first, last, by) as entries name them; runs of missing bodies; what each is told as
        ([(0, 9, 50), (5, 20, 60)], [(0, 9, 50), (10, 20, 60)]),
        ([(0, 20, 60), (5, 9, 50)], [(0, 4, 60), (5, 9, 50), (10, 20, 60)]),
        ([(0, 9, 50), (0, 20, 60), (15, 20, 55)], [(0, 9, 50), (10, 14, 60), (15, 20, 55)]),
        ([(0, 20, 50), (5, 9, 50), (5, 9, 60)], [(0, 20, 50)]),
    ],
)
def test_where_several_entries_allow_it_the_oldest_is_named(
    ranges: list[tuple[int, int, int]], expected: list[Any]
) -> None:
    findings = Findings()
    erasures = Erasures(findings)
    for first, last, by in ranges:
        erasures.allow(by, "ledger.erase", {"ranges": [[first, last]]})
    for seq in range(21):
        erasures.gone(seq, "log", "")
    erasures.finish(100)
    assert [(one.first, one.last, one.by) for one in erasures.erased] == expected
    assert not findings


def test_an_entry_that_no_head_covers_allows_nothing(scene: Scene) -> None:
    scene.own("prune", head=False, ranges=[[100, 149]])
    gone(scene, 100, 149)
    report = scene.verify()
    assert ("body_missing", 100, 149) in {(f.kind, f.first, f.last) for f in report.findings}
    assert report.pruned == ()


# ---- holds ---------------------------------------------------------------------------------------


def hold(scene: Scene, name: str, state: str = "add", *ranges: list[int]) -> int:
    return scene.own("hold", hold=name, state=state, ranges=list(ranges), reason="r")


def test_a_hold_wins_over_an_entry_that_names_what_it_keeps(scene: Scene) -> None:
    hold(scene, "case-1", "add", [105, 109])
    allow(scene, "prune", [100, 149])
    gone(scene, 100, 149)
    report = scene.verify()
    assert [(f.kind, f.first, f.last) for f in report.findings] == [("body_missing", 105, 109)]
    assert "although a hold kept it then" in report.findings[0].message
    assert [(one.first, one.last) for one in report.pruned] == [(100, 104), (110, 149)]


def test_a_hold_that_was_released_or_came_later_keeps_nothing(scene: Scene) -> None:
    hold(scene, "case-1", "add", [100, 149])
    hold(scene, "case-1", "release")
    allow(scene, "prune", [100, 149])
    hold(scene, "case-2", "add", [100, 149])
    gone(scene, 100, 149)
    assert scene.found() == set()


def test_a_second_hold_keeps_what_the_first_one_let_go(scene: Scene) -> None:
    hold(scene, "case-1", "add", [100, 120])
    hold(scene, "case-2", "add", [110, 130])
    hold(scene, "case-1", "release")
    allow(scene, "erase", [100, 149])
    gone(scene, 100, 149)
    assert scene.found() == {("body_missing", 110, 130)}


def test_an_entry_after_the_release_allows_what_one_before_it_could_not(scene: Scene) -> None:
    hold(scene, "case-1", "add", [100, 149])
    allow(scene, "prune", [100, 149])
    hold(scene, "case-1", "release")
    later = allow(scene, "erase", [100, 149])
    gone(scene, 100, 149)
    report = scene.verify()
    assert report.findings == ()
    assert {one.by for one in report.erased} == {later}
