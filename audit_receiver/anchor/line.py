"""One anchor at its own pace: the newest checkpoint, tried until it is kept."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from audit_receiver.anchor.model import Anchor, AnchorError, NotDue, Published, Token

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
TELL_SECONDS = 60.0  # one anchor's changes are recorded at most so often; a conflict always

_log = logging.getLogger(__name__)


class State(NamedTuple):
    """How an anchor stands."""

    anchor: str
    state: str  # waiting (nothing tried yet), on, failing, conflict
    size: int  # of the newest checkpoint that it keeps, 0 if none since the start
    reason: str  # why not, "" if on


class Kept(NamedTuple):
    """A checkpoint that an anchor keeps."""

    published: Published
    tokens: Sequence[Token]


class Line:
    """Hands one anchor the newest checkpoint; what is not kept is tried again, never forgotten.

    A newer checkpoint takes the place of one that still waits, because it covers as much and more.
    `kept` is called after each that is kept, `changed` when there is a state to record.
    """

    def __init__(
        self,
        anchor: Anchor,
        timeout_seconds: float,
        kept: Callable[[str, Kept], None],
        changed: Callable[[State], None],
        tried: Callable[[str, str], None],
    ) -> None:
        self.name = anchor.name
        self.state = State(anchor.name, "waiting", 0, "")
        self._anchor = anchor
        self._timeout = timeout_seconds
        self._kept, self._changed, self._tried = kept, changed, tried
        self._next: Published | None = None
        self._offered = asyncio.Event()
        self._hurried = asyncio.Event()  # the service is stopping: no pauses any more
        self._idle = asyncio.Event()
        self._idle.set()
        self._told = "waiting"
        self._told_at = -TELL_SECONDS

    def offer(self, published: Published) -> None:
        """Take the newest checkpoint."""
        self._next = published
        self._idle.clear()
        self._offered.set()

    async def run(self) -> None:
        """Work until cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._offered.wait()
            self._offered.clear()
            while (published := self._next) is not None:
                if await self._attempt(published):
                    pause = FIRST_PAUSE_SECONDS
                    if self._next is published:
                        self._next = None
                else:
                    self._idle.set()  # nobody waits for one that fails
                    await self._rest(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._idle.set()

    async def settle(self, seconds: float) -> bool:
        """At the end: one more attempt without a pause; whether all that was offered is kept."""
        self._hurried.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        return self._next is None

    async def close(self) -> None:
        """Let the anchor go."""
        try:
            await self._anchor.close()
        except Exception:
            _log.exception("anchor %s did not close as it should", self.name)

    async def _attempt(self, published: Published) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                tokens = await self._anchor.publish(published)
        except NotDue as error:  # nothing is wrong; what it covers stays what it was
            self._is(State(self.name, "on", error.size, ""))
            return True
        except AnchorError as error:
            self._failed("conflict" if error.conflict else "failing", str(error))
        except TimeoutError:
            self._failed("failing", f"no answer within {self._timeout:g} s")
        except Exception as error:  # ours; ingestion goes on, and the state tells
            _log.exception("anchor %s failed in a way that nobody foresaw", self.name)
            self._failed("failing", f"{type(error).__name__}: {error}")
        else:
            self._tried(self.name, "kept")
            self._is(State(self.name, "on", published.size, ""))
            self._kept(self.name, Kept(published, tokens))
            return True
        return False

    def _failed(self, state: str, reason: str) -> None:
        self._tried(self.name, "conflict" if state == "conflict" else "failed")
        if self.state.state != state or self.state.reason != reason:
            _log.error("anchor %s: %s", self.name, reason)
        self._is(State(self.name, state, self.state.size, reason))

    def _is(self, state: State) -> None:
        if self.state.state in ("failing", "conflict") and state.state == "on":
            _log.warning("anchor %s keeps checkpoints again", self.name)
        self.state = state
        now = asyncio.get_running_loop().time()
        if state.state == self._told:
            return
        if state.state == "conflict" or now - self._told_at >= TELL_SECONDS:
            self._told, self._told_at = state.state, now
            self._changed(state)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        if self._hurried.is_set():
            self._hurried.clear()
