"""Bodies that are gone, against the signed entries that allow it (DESIGN 3.5)."""

from bisect import bisect_right
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

from audit_receiver.verify.findings import Findings
from audit_receiver.verify.report import Gone

ERASING = ("ledger.erase", "ledger.prune")
# Own records whose bodies may be pruned; of the others the ledger's meaning depends.
ERASABLE = frozenset(f"ledger.{n}" for n in ("start", "stop", "heartbeat", "read", "incident"))
MOST_RANGES = 1_000_000
MOST_NOTES = 10_000  # told apart in the report; what comes after widens the last one


class Allowed(NamedTuple):
    """A range that may be without bodies, by the oldest entry that says so."""

    first: int
    last: int
    by: int


class Erasures:
    """Collects entries without body and the ranges that erase and prune entries name."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._gone: list[list[int]] = []  # runs [first, last]
        self._allowed: list[Allowed] = []
        self._pruning: set[int] = set()  # entries that prune; the others erase
        self.pruned: list[Gone] = []
        self.erased: list[Gone] = []

    def gone(self, seq: int, kind: str, action: str) -> None:
        """This entry has no body."""
        if kind == "ledger" and action not in ERASABLE:
            self._findings.add(
                "body_missing",
                seq,
                seq,
                "the body of one of the receiver's own records, which nobody may erase, is gone",
                "a body",
                "none",
            )
        elif self._gone and self._gone[-1][1] == seq - 1:
            self._gone[-1][1] = seq
        elif len(self._gone) < MOST_RANGES:
            self._gone.append([seq, seq])
        else:
            self._gone[-1][1] = seq

    def allow(self, seq: int, action: str, event: dict[str, Any]) -> None:
        """An erase or prune entry; it can name what lies before it, and nothing else."""
        if action == "ledger.prune":
            self._pruning.add(seq)
        ranges = event.get("ranges")
        for item in ranges if type(ranges) is list else ():
            if (
                type(item) is list
                and len(item) == 2
                and type(item[0]) is type(item[1]) is int
                and item[0] <= min(item[1], seq - 1)
                and len(self._allowed) < MOST_RANGES
            ):
                self._allowed.append(Allowed(item[0], min(item[1], seq - 1), seq))

    def finish(self, proven: int) -> None:
        """Judge; an entry allows something once a head that holds covers it (size `proven`)."""
        allowed = list(_apart(one for one in sorted(self._allowed) if one.by < proven))
        starts = [one.first for one in allowed]
        for first, last in self._gone:
            self._judge(first, last, allowed, starts)

    def _judge(self, first: int, last: int, allowed: list[Allowed], starts: list[int]) -> None:
        at = first
        place = max(bisect_right(starts, first) - 1, 0)
        while at <= last:
            while place < len(allowed) and allowed[place].last < at:
                place += 1
            if place == len(allowed) or allowed[place].first > last:
                self._say(at, last)
                return
            if at < allowed[place].first:
                self._say(at, allowed[place].first - 1)
            first, end, by = allowed[place]
            self._note(max(at, first), min(last, end), by)
            at = end + 1

    def _note(self, first: int, last: int, by: int) -> None:
        notes = self.pruned if by in self._pruning else self.erased
        if notes and notes[-1].by == by and notes[-1].last == first - 1:
            notes[-1] = Gone(notes[-1].first, last, by)
        elif len(notes) < MOST_NOTES:
            notes.append(Gone(first, last, by))
        else:
            notes[-1] = Gone(notes[-1].first, last, notes[-1].by)

    def _say(self, first: int, last: int) -> None:
        self._findings.add(
            "body_missing",
            first,
            last,
            "the body is gone, and no later erase or prune entry under a signed head names it",
            "a body, or an entry that allows it to be gone",
            "neither",
        )


def _apart(ranges: Iterator[Allowed]) -> Iterator[Allowed]:
    """Ranges in order of their first as pieces that do not overlap; the oldest entry wins."""
    open_: list[tuple[int, int]] = []  # (by, last) of ranges that have begun
    at = 0
    for one in ranges:
        yield from _until(open_, at, one.first - 1)
        at = one.first
        heappush(open_, (one.by, one.last))
    yield from _until(open_, at, max((last for _, last in open_), default=-1))


def _until(open_: list[tuple[int, int]], first: int, last: int) -> Iterator[Allowed]:
    """The pieces from `first` to `last` of the ranges that have begun."""
    while first <= last and open_:
        by, end = open_[0]
        if end < first:
            heappop(open_)
            continue
        yield Allowed(first, min(end, last), by)
        first = min(end, last) + 1
