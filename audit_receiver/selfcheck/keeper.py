"""Has the ledger checked at its pace, records what came of it, and says loudly if it does not hold.

Ingestion goes on whatever is found: refusing would destroy what senders hold, and what is appended
behind a place that does not hold is chained and signed like everything else.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver import telemetry

Record = Callable[[str, Mapping[str, Any]], None]
HOLDS, FAILED = "holds", "failed"
CHILD = "audit_receiver.selfcheck.child"
_VERBS = {"could not judge": "could not be judged"}
MOST_WORDS = 300  # characters of what a child said that failed

_log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What one check came to."""

    result: str  # holds, does not hold, could not judge, failed
    to: int  # last seq that was checked
    first: int  # first one; what lies before it was checked earlier
    findings: list[list[Any]]  # [kind, first seq, last seq], the first of them
    words: list[str]
    seconds: float


class SelfCheck:
    """Checks at an interval; one check at a time.

    Args:
        ledger: the file.
        interval_seconds: between the end of a check and the next one.
        full_seconds: after so long a check begins at the first entry again.
        record: writes an own record.
        now_seconds: the wall clock, for the metric.
    """

    def __init__(
        self,
        ledger: Path,
        interval_seconds: float,
        full_seconds: float,
        record: Record,
        now_seconds: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._interval, self._full = interval_seconds, full_seconds
        self._record, self._now = record, now_seconds
        self._memory = b""  # what the last check that held remembers
        self._full_at = 0.0  # by the loop's clock: when the last full one began
        self._last: Outcome | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first check is made after the first interval, and is a full one."""
        if self._interval > 0:
            self._task = asyncio.create_task(self._run(), name="self-check")

    async def stop(self) -> None:
        """End a check under way; nothing of it is kept."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def state(self) -> dict[str, Any]:
        """For readiness: {} before the first check."""
        if self._last is None:
            return {}
        told: dict[str, Any] = {"result": self._last.result, "to": self._last.to}
        if self._last.result != HOLDS:
            told["alarm"] = self._alarm(self._last)
        return told

    async def check(self) -> Outcome:
        """Make one check now and record what came of it."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        doubt = self._last is not None and self._last.result != HOLDS  # it may lie further back
        full = doubt or not self._memory or begin - self._full_at >= self._full
        answer = await self._ask("full" if full else "incremental")
        outcome = Outcome(
            str(answer.get("result", FAILED)),
            int(answer.get("to", -1)),
            int(answer.get("from", 0)),
            list(answer.get("findings", ())),
            list(answer.get("words", ())),
            loop.time() - begin,
        )
        if answer.get("state"):
            self._memory = str(answer["state"]).encode()
            if outcome.first == 0:
                self._full_at = begin
        self._tell(outcome)
        return outcome

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.check()
            except Exception:  # ours; the next one is tried all the same
                _log.exception("the self-check could not be made")
                telemetry.SELF_CHECKS.labels(FAILED).inc()

    async def _ask(self, mode: str) -> dict[str, Any]:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", CHILD, str(self._ledger), mode),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, error = await child.communicate(self._memory)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            raise
        try:
            answer = json.loads(said)
        except ValueError:
            words = error.decode("utf-8", "replace")[-MOST_WORDS:].strip()
            return {"words": [f"the checking process ended with {child.returncode}: {words}"]}
        return dict(answer) if isinstance(answer, dict) else {}

    def _tell(self, outcome: Outcome) -> None:
        self._last = outcome
        telemetry.SELF_CHECKS.labels(outcome.result).inc()
        telemetry.SELF_CHECK_HOLDS.set(outcome.result == HOLDS)
        if outcome.result == HOLDS:
            telemetry.SELF_CHECK_TIME.set(self._now())
        else:
            _log.error("%s", self._alarm(outcome))
        self._record(
            "check",
            {
                "to": outcome.to,
                "result": outcome.result,
                "findings": outcome.findings,
                "seconds": round(outcome.seconds),
            },
        )

    def _alarm(self, outcome: Outcome) -> str:
        said = "; ".join(outcome.words) or "no reason was given"
        if outcome.result == FAILED:
            return f"{self._ledger}: the self-check failed: {said}"
        verdict = _VERBS.get(outcome.result, outcome.result)
        return (
            f"{self._ledger}: the self-check says that the ledger {verdict}: {said}. Records"
            " are still taken. Run `audit-receiver verify` on it, and keep the file as it is"
        )
