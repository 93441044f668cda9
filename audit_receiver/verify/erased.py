"""Bodies that are gone, against the signed entries that allow it (DESIGN 3.5)."""

from bisect import bisect_right
from typing import Any

from audit_receiver.verify.findings import Findings

ERASING = ("ledger.erase", "ledger.prune")
# Own records whose bodies may be pruned; of the others the ledger's meaning depends.
ERASABLE = frozenset(f"ledger.{n}" for n in ("start", "stop", "heartbeat", "read", "incident"))
MOST_RANGES = 1_000_000


class Erasures:
    """Collects entries without body and the ranges that erase and prune entries name."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._gone: list[list[int]] = []  # runs [first, last]
        self._allowed: list[tuple[int, int, int]] = []  # first, last, seq of the entry that says so

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

    def allow(self, seq: int, event: dict[str, Any]) -> None:
        """An erase or prune entry; it can name what lies before it, and nothing else."""
        ranges = event.get("ranges")
        for item in ranges if type(ranges) is list else ():
            if (
                type(item) is list
                and len(item) == 2
                and type(item[0]) is type(item[1]) is int
                and item[0] <= min(item[1], seq - 1)
                and len(self._allowed) < MOST_RANGES
            ):
                self._allowed.append((item[0], min(item[1], seq - 1), seq))

    def finish(self, proven: int) -> None:
        """Judge; an entry allows something once a head that holds covers it (size `proven`)."""
        allowed: list[list[int]] = []
        for first, last, seq in sorted(self._allowed):
            if seq >= proven:
                continue
            if allowed and first <= allowed[-1][1] + 1:
                allowed[-1][1] = max(allowed[-1][1], last)
            else:
                allowed.append([first, last])
        starts = [first for first, _ in allowed]
        for first, last in self._gone:
            self._judge(first, last, allowed, starts)

    def _judge(self, first: int, last: int, allowed: list[list[int]], starts: list[int]) -> None:
        at = first
        place = max(bisect_right(starts, first) - 1, 0)
        while at <= last:
            while place < len(allowed) and allowed[place][1] < at:
                place += 1
            if place == len(allowed) or allowed[place][0] > last:
                self._say(at, last)
                return
            if at < allowed[place][0]:
                self._say(at, allowed[place][0] - 1)
            at = allowed[place][1] + 1

    def _say(self, first: int, last: int) -> None:
        self._findings.add(
            "body_missing",
            first,
            last,
            "the body is gone, and no later erase or prune entry under a signed head names it",
            "a body, or an entry that allows it to be gone",
            "neither",
        )
