"""The ledger's time: never backwards, and never far ahead without an operator's word (DESIGN 2)."""

from typing import NamedTuple

from audit_receiver.ledger.model import Clock
from audit_receiver.record import timestamp

SECOND = 1_000_000_000
HELD_AFTER = SECOND  # fallen behind by more: flag and incident
AHEAD_OF_MONOTONIC = 300 * SECOND
AHEAD_AT_START = 90 * 86_400 * SECOND
BEHIND_AT_START = 300 * SECOND  # of a clock that was not set yet; while it runs, entries are held

_MEND = "Check the clock; if it is right, restart with `serve --accept-clock`"


class Reading(NamedTuple):
    """Both clocks, read once for a group."""

    wall: int
    monotonic: int


class ClockWatch:
    """Judges the wall clock against the last entry and against the monotonic clock."""

    def __init__(self, clock: Clock, last_received: int, accept: bool = False) -> None:
        self._clock = clock
        self._start_limit: int | None = None if accept else last_received + AHEAD_AT_START
        self._start_least: int | None = None if accept else last_received - BEHIND_AT_START
        self._last_received = last_received
        self._reference: Reading | None = None  # the readings of the last commit
        self._held = False

    def read(self) -> Reading:
        """Read both clocks."""
        return Reading(self._clock.wall(), self._clock.monotonic())

    def refusal(self, now: Reading) -> str:
        """Why nothing may be stored at this reading; empty if it may."""
        if self._start_limit is not None and now.wall > self._start_limit:
            days = (now.wall - self._last_received) // (86_400 * SECOND)
            return (
                f"clock: the wall clock says {timestamp.render(now.wall)}, {days} days after the"
                f" last entry ({timestamp.render(self._last_received)}). {_MEND}"
            )
        if self._start_least is not None and now.wall < self._start_least:
            minutes = (self._last_received - now.wall) // (60 * SECOND)
            return (
                f"clock: the wall clock says {timestamp.render(max(now.wall, 0))}, {minutes}"
                f" minutes before the last entry ({timestamp.render(self._last_received)}). {_MEND}"
            )
        if self._reference is not None:
            ahead = (now.wall - self._reference.wall) - (now.monotonic - self._reference.monotonic)
            if ahead > AHEAD_OF_MONOTONIC:
                return (
                    f"clock: the wall clock ({timestamp.render(now.wall)}) ran {ahead // SECOND} s"
                    f" ahead of the monotonic clock since the last commit. {_MEND}"
                )
        return ""

    def refusal_now(self) -> str:
        """Why nothing may be stored at this moment; empty if it may."""
        return self.refusal(self.read())

    def is_behind(self, now: Reading) -> bool:
        """Whether entries of this group carry `clock_held`."""
        if now.wall >= self._last_received:
            return False
        return self._held or self._last_received - now.wall > HELD_AFTER

    def begins_episode(self, now: Reading) -> bool:
        """Whether this group is the first one of a fall behind: it records the incident."""
        return self.is_behind(now) and not self._held

    def committed(self, now: Reading, last_received: int) -> None:
        """A group read at `now` is durable: it becomes what the next one is judged against."""
        self._held = self.is_behind(now)
        self._last_received = last_received
        self._reference = now
        self._start_limit = self._start_least = None
