"""When a checkpoint is published: soon after records came, now and then otherwise, at the end."""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from audit_receiver.anchor.keeper import Keeper
from audit_receiver.anchor.model import Published
from audit_receiver.errors import AuditReceiverError
from audit_receiver.ledger.appender import Appender, Tip
from audit_receiver.ledger.awaiting import answer_to

LOOK_SECONDS = 0.2
LEAST_SECONDS = 1.0  # between two checkpoints, however many records come

_log = logging.getLogger(__name__)


class Pace(NamedTuple):
    """How often checkpoints are published."""

    interval_seconds: float  # while records arrive
    records: int  # and at once after so many
    idle_seconds: float  # when only own records were written

    def is_due(self, elapsed_seconds: float, records: int) -> bool:
        """Whether a new checkpoint is wanted, so long and so many records after the last one."""
        if records >= self.records:
            return elapsed_seconds >= LEAST_SECONDS
        return elapsed_seconds >= (self.interval_seconds if records else self.idle_seconds)


class Publisher:
    """Publishes the appender's newest head through the keeper, at its pace."""

    def __init__(
        self, appender: Appender, keeper: Keeper, pace: Pace, wall: Callable[[], int]
    ) -> None:
        self._appender = appender
        self._keeper = keeper
        self._pace = pace
        self._wall = wall
        self._size = 0  # of the last one
        self._records = 0  # that it covers
        self._at = float("-inf")
        self._hurried = False
        self._task: asyncio.Task[None] | None = None

    def hurry(self) -> None:
        """Publish at the next look, whatever the pace; asked from any thread."""
        self._hurried = True

    def start(self) -> None:
        """Publish the start at once, and go on."""
        self._keeper.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Publish nothing more; call before the appender is closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def finish(self) -> list[str]:
        """Hand the anchors the checkpoint over `stop`, once the appender is closed."""
        published = self._appender.published
        last = None if published is None else self._published(*published)
        return await self._keeper.finish(last)

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
                self._keeper.look()
            except Exception:  # ours; publishing goes on
                _log.exception("a checkpoint could not be published")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        records = self._appender.records
        due = self._hurried or self._pace.is_due(now - self._at, records - self._records)
        if not due or self._appender.tip.size == self._size:
            return
        self._hurried = False
        try:
            kept = await answer_to(self._appender.publish)
        except AuditReceiverError as error:  # the ledger tells of its trouble itself
            _log.debug("no checkpoint is published: %s", error)
            return
        self._size, self._records, self._at = kept.tip.size, records, now
        self._keeper.offer(self._published(kept.tip, kept.note), records)

    def _published(self, tip: Tip, note: str) -> Published:
        return Published(tip.origin, tip.size, tip.root, note, self._wall())
