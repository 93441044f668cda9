"""Bodies that are gone, against the signed entries that allow it (DESIGN 3.5)."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

from audit_receiver.verify.findings import Findings
from audit_receiver.verify.report import Gone

ERASING = ("ledger.erase", "ledger.prune")
# Own records whose bodies may be pruned; of the others the ledger's meaning depends.
ERASABLE = frozenset(f"ledger.{n}" for n in ("start", "stop", "heartbeat", "read", "incident"))
MOST_RANGES = 1_000_000
NEVER = 1 << 80
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
        self._holds: dict[str, list[tuple[int, int]]] = {}  # in force, by name
        self._against: list[Allowed] = []  # what an entry named although it was on hold then
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
        held = sorted(range_ for ranges in self._holds.values() for range_ in ranges)
        for first, last in _ranges(event, seq):
            if len(self._allowed) + len(self._against) >= MOST_RANGES:
                return
            for begin, end, on_hold in _split(first, last, held):
                (self._against if on_hold else self._allowed).append(Allowed(begin, end, seq))

    def hold(self, seq: int, event: dict[str, Any]) -> None:
        """A hold: while it is in force, no erase or prune entry allows anything in its ranges."""
        name = str(event.get("hold"))[:200]
        if event.get("state") == "release":
            self._holds.pop(name, None)
        elif event.get("state") == "add":
            self._holds[name] = list(_ranges(event, seq))

    def forget(self, signed: Any) -> None:
        """A recovery begins: what no signed head had covered before it allows nothing."""
        if type(signed) is int:
            self._allowed = [one for one in self._allowed if one.by < signed]

    def finish(self, proven: int) -> None:
        """Judge; an entry allows something once a head that holds covers it (size `proven`)."""
        allowed = list(_apart(one for one in sorted(self._allowed) if one.by < proven))
        starts = [one.first for one in allowed]
        self._against = list(_apart(iter(sorted(self._against))))
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
        """Nothing allows it; a hold that an entry passed over is named."""
        pieces = [(one.first, one.last) for one in self._against]
        for begin, end, on_hold in _split(first, last, pieces):
            if on_hold:
                self._findings.add(
                    "body_missing",
                    begin,
                    end,
                    "the body is gone by an erase or prune entry, although a hold kept it then",
                    "a body, or a hold that was released before",
                    "a hold in force",
                )
            else:
                self._say_unnamed(begin, end)

    def _say_unnamed(self, first: int, last: int) -> None:
        self._findings.add(
            "body_missing",
            first,
            last,
            "the body is gone, and no later erase or prune entry under a signed head names it",
            "a body, or an entry that allows it to be gone",
            "neither",
        )


def _ranges(event: dict[str, Any], seq: int) -> Iterator[tuple[int, int]]:
    """The ranges that an entry names, as far as they lie before it."""
    ranges = event.get("ranges")
    for item in ranges if type(ranges) is list else ():
        if (
            type(item) is list
            and len(item) == 2
            and type(item[0]) is type(item[1]) is int
            and item[0] <= min(item[1], seq - 1)
        ):
            yield item[0], min(item[1], seq - 1)


def _split(
    first: int, last: int, inner: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, bool]]:
    """A range in pieces: those that lie in one of `inner` (sorted by their first), and the rest."""
    at = first
    for begin, end in inner[: bisect_right(inner, (last, NEVER))]:
        if end < at:
            continue
        if at < begin:
            yield at, begin - 1, False
        yield max(at, begin), min(end, last), True
        at = min(end, last) + 1
        if at > last:
            return
    yield at, last, False


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
