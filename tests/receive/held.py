"""A writer that a test holds back, so that requests wait between COMMIT and their answer."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.receive.rig import Rig


class Held:
    """The writer stands still until `release`."""

    def __init__(self, doors: Rig) -> None:
        self._doors = doors
        self._gate = threading.Event()

    async def until_waiting(self, number: int) -> None:
        """Return once so many records wait for the writer."""
        appender = self._doors.lab.appender
        await self._doors.wait_for(lambda: appender.waiting + self._taken >= number)

    def release(self) -> None:
        """Let the writer go on."""
        self._gate.set()

    _taken = 0

    def turn(self, whole: Any, jobs: Any, **options: Any) -> Any:
        """A turn of the writer that first waits."""
        self._taken += sum(len(job.drafts) for job in jobs)
        assert self._gate.wait(20)
        return whole(jobs, **options)


@asynccontextmanager
async def held(doors: Rig) -> AsyncIterator[Held]:
    """From now on nothing is committed; what waits goes on in the end at the latest."""
    holder, writer = Held(doors), doors.lab.appender._writer
    whole = writer.turn
    writer.turn = lambda jobs, **options: holder.turn(whole, jobs, **options)  # type: ignore[method-assign]
    await asyncio.to_thread(_passed_by, doors, holder)
    try:
        yield holder
    finally:
        holder.release()
        writer.turn = whole  # type: ignore[method-assign]


def _passed_by(doors: Rig, holder: Held) -> None:
    """The turn that was under way when the writer was changed was the old one."""
    doors.lab.appender.append([])
