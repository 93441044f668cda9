"""All anchors of a service: what is published goes to each, what they give back to the ledger."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from audit_receiver import telemetry
from audit_receiver.anchor.line import Kept, Line, State
from audit_receiver.anchor.model import Anchor, Published
from audit_receiver.ledger.notary import Anchored

FINISH_SECONDS = 5.0  # at the end, for the checkpoint over `stop`


class Ledger(Protocol):
    """What the keeper needs of the appender."""

    @property
    def records(self) -> int:
        """Records of senders that this run has stored so far."""

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """Write an own record."""

    def keep_anchored(self, answers: Sequence[Anchored]) -> None:
        """Keep what anchors gave back."""

    def hold_back(self, reason: str) -> None:
        """Take no more records until called with ""."""


class Terms(NamedTuple):
    """An anchor and what the configuration says of its pace."""

    anchor: Anchor
    timeout_seconds: float
    max_lag_seconds: float  # 0: it never holds ingestion back


class _Cover:
    """How many of the run's records an anchor covers, and since when some are not."""

    def __init__(self, now: float, records: int) -> None:
        self.records = records
        self.since = now  # the oldest record that is not covered came then or later

    def lag(self, now: float, records: int) -> float:
        if records <= self.records:
            self.since = now
        return now - self.since


class Keeper:
    """Owns the lines to the anchors. Everything here happens on the event loop."""

    def __init__(self, terms: Sequence[Terms], ledger: Ledger) -> None:
        self._ledger = ledger
        self._terms = {one.anchor.name: one for one in terms}
        self._lines = [
            Line(one.anchor, one.timeout_seconds, self._kept, self._changed, _tried)
            for one in terms
        ]
        self._covers: dict[str, _Cover] = {}
        self._counts: dict[int, tuple[int, float]] = {}  # size -> records, when it was published
        self._tasks: list[asyncio.Task[None]] = []
        self._finishing = False  # the ledger is closed: nothing more can be written to it

    def start(self) -> None:
        """Begin; everything that stands in the ledger counts as not covered until it is."""
        now = asyncio.get_running_loop().time()
        self._covers = {name: _Cover(now, -1) for name in self._terms}
        self._tasks = [asyncio.create_task(line.run()) for line in self._lines]

    def offer(self, published: Published, records: int) -> None:
        """A new checkpoint over `records` of this run's records, for every anchor."""
        now = asyncio.get_running_loop().time()
        self._counts[published.size] = records, now
        for old in [size for size in self._counts if size < published.size][:-64]:
            del self._counts[old]
        telemetry.CHECKPOINTS.inc()
        telemetry.CHECKPOINT_SIZE.set(published.size)
        for line in self._lines:
            line.offer(published)

    def states(self) -> list[dict[str, Any]]:
        """How each anchor stands, for readiness."""
        now = asyncio.get_running_loop().time()
        lags = self._lags(now)
        return [
            {**line.state._asdict(), "lag_seconds": round(lags[line.name], 1)}
            for line in self._lines
        ]

    def keeps(self, size: int) -> bool:
        """Whether some anchor keeps a checkpoint of at least this size; asked from any thread."""
        return any(line.state.size >= size for line in self._lines)

    def look(self) -> None:
        """Keep the metrics true, and hold ingestion back where a `max_lag` says so."""
        lags = self._lags(asyncio.get_running_loop().time())
        reasons = []
        for line in self._lines:
            lag, most = lags[line.name], self._terms[line.name].max_lag_seconds
            telemetry.ANCHOR_LAG.labels(line.name).set(lag)
            if 0 < most < lag:
                why = line.state.reason or "nothing kept yet"
                reasons.append(
                    f"anchor {line.name}: records wait for it for {lag:.0f} s, its max_lag is"
                    f" {most:.0f} s: {why}. Mend it, or raise its max_lag"
                )
        self._ledger.hold_back("; ".join(reasons))

    async def finish(self, last: Published | None) -> list[str]:
        """Hand over the last checkpoint, wait a little, let go; returns which do not keep it."""
        self._finishing = True
        left = []
        if last is not None and self._tasks:
            for line in self._lines:
                line.offer(last)
            done = await asyncio.gather(*(line.settle(FINISH_SECONDS) for line in self._lines))
            left = [line.name for line, kept in zip(self._lines, done, strict=True) if not kept]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(line.close() for line in self._lines))
        return left

    def _lags(self, now: float) -> dict[str, float]:
        records = self._ledger.records
        return {name: cover.lag(now, records) for name, cover in self._covers.items()}

    def _kept(self, name: str, kept: Kept) -> None:
        size = kept.published.size
        records, when = self._counts.get(size, (-1, 0.0))
        cover = self._covers[name]
        if records > cover.records or cover.records < 0:
            cover.records = max(records, 0)
            cover.since = max(when, cover.since)
        telemetry.ANCHOR_SIZE.labels(name).set(size)
        telemetry.ANCHOR_UP.labels(name).set(1)
        if kept.tokens and not self._finishing:
            self._ledger.keep_anchored(
                [Anchored(size, name, token.kind, token.content) for token in kept.tokens]
            )

    def _changed(self, state: State) -> None:
        telemetry.ANCHOR_UP.labels(state.anchor).set(state.state == "on")
        if self._finishing:
            return
        fields = {**state._asdict(), "kind": state.anchor.partition("/")[0]}
        self._ledger.record("anchor", fields)
        if state.state == "conflict":
            incident = {"incident": "anchor_conflict", "anchor": state.anchor}
            self._ledger.record("incident", {**incident, "reason": state.reason})


def _tried(name: str, result: str) -> None:
    telemetry.ANCHOR_ATTEMPTS.labels(name, result).inc()
    telemetry.ANCHOR_UP.labels(name).set(result == "kept")
