"""Producers' own sequences (OTEP 0267, `audit.sequence.*`): is what comes the continuation?

A stream is a service with a stream id. Each record of it has a number, from 1, and may name the
integrity hash of the one before. Judged is the order of commits: what had not come when a record
was stored may still come. The state lies in memory and begins anew with the service; what the
ledger holds can be judged again by SQL at any time (docs/audit-signal.md).
"""

from collections import OrderedDict
from typing import NamedTuple

from audit_receiver.record.integrity import EMPTY
from audit_receiver.record.model import Draft, Sequenced

GAP, FORK, RESTART, AFTER_END = (
    "sequence_gap",
    "sequence_fork",
    "sequence_restart",
    "sequence_after_end",
)
# Senders choose streams and numbers, so what is remembered is bounded: 10 MB, full.
MOST_STREAMS = 2_000  # the one that was quiet for longest is forgotten
REMEMBERED = 32  # hashes of a stream's newest records, to tell forks from late arrivals

Key = tuple[str, str]  # service, stream id


class Stream(NamedTuple):
    """What is known of a stream."""

    last: int  # the highest number so far
    hashes: dict[int, str]  # of the newest numbers
    ended: bool  # its producer said that nothing follows


class Streams:
    """The streams of the ledger's end; a group works on a `branch` of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, Stream] = OrderedDict()

    def branch(self) -> "Branch":
        """Changes that nobody sees before they are merged."""
        return Branch(self._known)

    def merge(self, branch: "Branch") -> None:
        """Take over a branch whose group is durable."""
        for key, stream in branch.changed.items():
            self._known[key] = stream
            self._known.move_to_end(key)
        while len(self._known) > MOST_STREAMS:
            self._known.popitem(last=False)


class Branch:
    """The streams as a group in the making leaves them."""

    def __init__(self, known: OrderedDict[Key, Stream]) -> None:
        self._known = known
        self.changed: dict[Key, Stream] = {}
        self.breaks: list[str] = []  # flags that were raised, for the metric

    def flags(self, draft: Draft) -> tuple[str, ...]:
        """What is to be said of a record that gets its place now; its stream goes on from it."""
        came = draft.sequence
        assert came is not None
        key = (draft.service, came.stream)
        stream = self.changed.get(key) or self._known.get(key)
        raised = () if stream is None else _raised(stream, came)
        self.changed[key] = _after(stream, came, raised)
        self.breaks += raised
        return raised


def _raised(stream: Stream, came: Sequenced) -> tuple[str, ...]:
    found = [AFTER_END] if stream.ended else []
    number, before = came.number, stream.hashes.get(came.number - 1)
    if number in stream.hashes:
        if stream.hashes[number] != came.digest:
            begins = number == 1 and came.previous in ("", EMPTY)
            found.append(RESTART if begins and stream.last > 1 else FORK)
    elif number <= stream.last:
        # Older than what is remembered, or late; only a stream that begins anew can be told.
        if number == 1:
            found.append(RESTART)
    elif number > stream.last + 1:
        found.append(GAP)
    elif came.previous and before is not None and came.previous != before:
        found.append(FORK)
    return tuple(found)


def _after(stream: Stream | None, came: Sequenced, raised: tuple[str, ...]) -> Stream:
    if stream is None or RESTART in raised:
        return Stream(came.number, {came.number: came.digest}, came.end)
    hashes = {**stream.hashes}
    hashes.setdefault(came.number, came.digest)
    for number in sorted(hashes)[:-REMEMBERED]:
        del hashes[number]
    return Stream(max(stream.last, came.number), hashes, stream.ended or came.end)
