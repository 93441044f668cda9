"""Producers' streams, without a ledger: what is told apart, and how much is remembered."""

from typing import Any

import pytest

from audit_receiver.ledger import streams
from audit_receiver.ledger.streams import Streams
from audit_receiver.record.integrity import EMPTY
from audit_receiver.record.model import Draft, Sequenced


def draft(number: int, digest: str = "", previous: str = "", **more: Any) -> Draft:
    """A record at its place; its digest is its number unless given."""
    end, stream = more.pop("end", False), more.pop("stream", "")
    came = Sequenced(stream, number, previous, end, digest or f"d{number}")
    return Draft("", "log", "svc", None, 0, b"", True, "", "", frozenset(), (), came)


def told(known: Streams, *drafts: Draft) -> list[tuple[str, ...]]:
    """The flags of records that are committed together."""
    branch = known.branch()
    found = [branch.flags(one) for one in drafts]
    known.merge(branch)
    return found


@pytest.mark.parametrize(
    ("drafts", "last"),
    [
        ([draft(1), draft(2)], ()),
        ([draft(7), draft(8)], ()),  # a stream that is seen from its middle on
        ([draft(1), draft(2, previous="d1")], ()),
        ([draft(1), draft(2, previous="other")], ("sequence_fork",)),
        ([draft(1), draft(3)], ("sequence_gap",)),
        ([draft(1), draft(3), draft(2)], ()),
        ([draft(1), draft(2), draft(2)], ()),
        ([draft(1), draft(2), draft(2, "x")], ("sequence_fork",)),
        ([draft(1), draft(1, "x")], ("sequence_fork",)),
        ([draft(1), draft(2), draft(1, "x")], ("sequence_restart",)),
        ([draft(1), draft(2), draft(1, "x", EMPTY)], ("sequence_restart",)),
        ([draft(1), draft(2), draft(1, "x", "d9")], ("sequence_fork",)),
        ([draft(5), draft(1)], ("sequence_restart",)),
        ([draft(1, end=True), draft(2)], ("sequence_after_end",)),
        ([draft(1, end=True), draft(5)], ("sequence_after_end", "sequence_gap")),
        ([draft(1, stream="a"), draft(9, stream="b")], ()),
    ],
)
def test_what_the_last_of_them_is_told(drafts: list[Draft], last: tuple[str, ...]) -> None:
    assert told(Streams(), *drafts)[-1] == last
    one_by_one = Streams()
    assert [told(one_by_one, one) for one in drafts][-1] == [last]


def test_a_restart_is_a_new_stream() -> None:
    known = Streams()
    told(known, draft(1), draft(2, end=True), draft(1, "x"))
    assert told(known, draft(2, "y"), draft(3)) == [(), ()]


def test_a_group_that_is_not_committed_changes_nothing() -> None:
    known = Streams()
    told(known, draft(1))
    known.branch().flags(draft(5))
    assert told(known, draft(2)) == [()]


def test_only_so_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_STREAMS", 3)
    monkeypatch.setattr(streams, "REMEMBERED", 2)
    known = Streams()
    for name in "abcd":
        told(known, draft(1, stream=name))
    assert told(known, draft(9, stream="a")) == [()]  # forgotten, so it begins where it is seen
    assert told(known, draft(9, stream="d")) == [("sequence_gap",)]
    told(known, *(draft(number, stream="e") for number in (1, 2, 3)))
    assert told(known, draft(2, "x", stream="e")) == [("sequence_fork",)]
    assert told(known, draft(1, stream="e")) == [("sequence_restart",)]
