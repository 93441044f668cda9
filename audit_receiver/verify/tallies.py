"""Heartbeats against the entries that they count (DESIGN 3.6)."""

from collections import defaultdict
from typing import Any

import orjson

from audit_receiver.verify.findings import Findings
from audit_receiver.verify.memory import Memory


class Tallies:
    """Counts (action, outcome) from heartbeat to heartbeat, each heartbeat with what follows it."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._first = 0
        self._complete = True

    def resume(self, memory: Memory) -> None:
        """Go on counting where an earlier run ended."""
        self._first, self._complete = memory.tallied_from, memory.tallies_complete
        self.counts.update({(action, outcome): n for action, outcome, n in memory.tallies})

    @property
    def state(self) -> tuple[int, bool]:
        """The first entry that no heartbeat has counted, and whether all behind it are counted."""
        return self._first, self._complete

    def incomplete(self) -> None:
        """Something of this span could not be read or is reported: its tallies prove nothing."""
        self._complete = False

    def heartbeat(self, seq: int, event: dict[str, Any]) -> None:
        """Compare with what a heartbeat says; called before the heartbeat itself is counted."""
        counted = [[*key, self.counts[key]] for key in sorted(self.counts)]
        stated = event.get("tallies")
        span = [event.get("from"), event.get("to")]
        if self._complete and not _same(stated, counted):
            message = "the heartbeat behind this range counts other entries than there are"
            self._findings.add("missing", self._first, seq - 1, message, stated, counted)
        elif self._complete and not _same(span, [self._first, seq - 1]):
            message = "the heartbeat behind this range closes another one"
            self._findings.add("altered", self._first, seq, message, span, [self._first, seq - 1])
        self.counts.clear()
        self._first = seq
        self._complete = True


def _same(stated: Any, counted: list[Any]) -> bool:
    """Whether both are spelt alike: in Python True equals 1."""
    return bool(orjson.dumps(stated) == orjson.dumps(counted))
