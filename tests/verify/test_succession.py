"""A chain of ledgers: order, links, and one verdict; a later checkpoint covers the earlier one."""

from dataclasses import replace
from typing import Any

import pytest

from audit_receiver.verify.report import VerifyReport
from audit_receiver.verify.succession import judge

FIRST = VerifyReport(
    verdict="intact_unanchored",
    size=100,
    root="aa" * 32,
    origin="lab/1",
    key_pinned=False,
    anchored_size=0,
    unanchored=90,
    unanchored_since="2026-01-01T00:00:00.000000000Z",
    last_received=None,
    entries_checked=100,
    heads_checked=1,
    signatures_checked=1,
    undecided=(),
    findings=(),
    last_hash="bb" * 32,
    last_action="ledger.close",
)
PREVIOUS = {"origin": "lab/1", "size": 100, "root": "aa" * 32, "hash": "bb" * 32}
SECOND = replace(FIRST, origin="lab/2", size=50, unanchored=40, previous=PREVIOUS, last_action="")


def told(*reports: VerifyReport) -> Any:
    return judge([(f"{number}.db", report) for number, report in enumerate(reports, 1)])


def test_two_that_continue_each_other_have_one_verdict() -> None:
    chain = told(FIRST, SECOND)
    assert (chain.verdict, chain.links, chain.remarks) == ("intact_unanchored", (), ())
    assert (chain.size, chain.unanchored) == (150, 130)
    assert chain.unanchored_since == FIRST.unanchored_since


def test_they_are_put_in_the_order_of_their_links() -> None:
    third = replace(SECOND, origin="lab/3", previous={**PREVIOUS, "origin": "lab/2", "size": 50})
    second = replace(SECOND, last_action="ledger.close")
    chain = judge([("c", third), ("a", FIRST), ("b", second)])
    assert [name for name, _ in chain.ledgers] == ["a", "b", "c"]
    assert "order of their links" in chain.remarks[0]


def test_a_checkpoint_of_the_successor_covers_what_came_before_it() -> None:
    anchored = replace(SECOND, verdict="intact", anchored_size=50, unanchored=0)
    assert told(FIRST, anchored).verdict == "intact"
    partly = replace(SECOND, anchored_size=10, unanchored=30)
    chain = told(FIRST, partly)
    assert (chain.verdict, chain.unanchored) == ("intact_unanchored", 30)
    broken = replace(anchored, previous={**PREVIOUS, "root": "cc" * 32})
    assert told(FIRST, broken).unanchored == 90, "a broken link carries nothing"


def test_an_anchored_beginning_does_not_cover_what_follows() -> None:
    anchored = replace(FIRST, verdict="intact", anchored_size=100, unanchored=0)
    chain = told(anchored, SECOND)
    assert (chain.verdict, chain.unanchored) == ("intact_unanchored", 40)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"size": 101}, "truncated"),
        ({"size": 99}, "inserted"),
        ({"root": "cc" * 32}, "forked"),
        ({"hash": "cc" * 32}, "forked"),
        ({"origin": "lab/9"}, "forked"),
        ({"size": None}, "inserted"),
    ],
)
def test_a_successor_that_names_another_end_is_found(change: dict[str, Any], kind: str) -> None:
    chain = told(FIRST, replace(SECOND, previous={**PREVIOUS, **change}))
    assert chain.verdict == "tampered"
    assert [one.kind for one in chain.links] == [kind]


def test_two_ledgers_that_have_nothing_to_do_with_each_other_are_no_chain() -> None:
    chain = told(FIRST, replace(SECOND, previous=None))
    assert [one.kind for one in chain.links] == ["forked"]


def test_a_ledger_that_was_continued_ends_with_close() -> None:
    chain = told(replace(FIRST, last_action="ledger.stop"), SECOND)
    assert [one.kind for one in chain.links] == ["missing"]


def test_a_chain_that_begins_in_the_middle_says_so() -> None:
    chain = told(SECOND)
    assert "continues a ledger that was not given: 100 entries of lab/1" in chain.remarks[0]


@pytest.mark.parametrize("verdict", ["tampered", "undecided"])
def test_the_worst_of_them_is_the_verdict(verdict: Any) -> None:
    assert told(replace(FIRST, verdict=verdict), SECOND).verdict == verdict
