"""One timer for all who wait: everybody has the same patience, so who came first is due first.

A timer of its own for each request costs a tenth of a small request's time.
"""

import asyncio
from collections import deque


class Deadline:
    """Ends the waiting of futures that nobody resolved in time. Lives in the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.seconds = seconds
        self._loop = loop
        self._waiting: deque[tuple[float, asyncio.Future[object]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, future: "asyncio.Future[object]") -> None:
        """Let the future fail with TimeoutError unless it is done within `seconds`."""
        self._drop_done()
        due = self._loop.time() + self.seconds
        self._waiting.append((due, future))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        self._drop_done()
        while self._waiting and self._waiting[0][0] <= now:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        self._drop_done()
        due = self._waiting[0][0] if self._waiting else None
        self._timer = None if due is None else self._loop.call_at(due, self._look)

    def _drop_done(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
