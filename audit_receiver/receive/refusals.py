"""Every request that is not answered with success: counted, and told in the log.

A sender that is refused for good destroys its data, so operators must see who, where and why. But a
flood must not fill the log: of one peer and one kind of reason the first is told at once, then at
most one a second, with how many others there were.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from audit_receiver.errors import (
    Forbidden,
    MalformedRequest,
    RetryLater,
    SenderError,
    Unauthenticated,
)
from audit_receiver.telemetry import REQUESTS

INTERVAL_SECONDS = 1.0
MOST_TOLD_APART = 100  # peers and reasons at one time; those beyond share the lines of a reason
_MOST_PATH = 100
_MOST_REASON = 500

_log = logging.getLogger(__name__)


class Refusal(NamedTuple):
    """What was answered to whom, and why."""

    transport: str  # "http" or "grpc"
    code: str  # HTTP status or gRPC code
    peer: str  # address without port, "unix", or "" if it is not known any more
    path: str
    reason: str
    error: BaseException | None = None  # the cause, where the answer came from one


class Refusals:
    """Counts and tells refusals. Lives in the event loop's thread.

    `count` is given the name of the heartbeat's total: `undecodable`, `unauthenticated` or
    `refused`.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._told: dict[tuple[str, str], _HeldBack] = {}

    def tell(self, refusal: Refusal) -> None:
        """Count a refusal; log it, or hold it back for the second's summary."""
        _requests(refusal.transport, refusal.code).inc()
        error = refusal.error
        self._count(_total(error))
        kind = f"{refusal.transport} {refusal.code} {type(error).__name__}"
        key = (refusal.peer, kind)
        told = self._told.get(key)
        if told is None and len(self._told) >= MOST_TOLD_APART:
            key = ("", kind)
            told = self._told.get(key)
        if told is not None:
            told.number += 1
            told.last = refusal
            return
        _write(refusal, 0)
        self._told[key] = _HeldBack()
        self._loop.call_later(INTERVAL_SECONDS, self._summarise, key)

    def _summarise(self, key: tuple[str, str]) -> None:
        """A second after a line: tell what was held back since, or forget the peer."""
        told = self._told[key]
        if told.last is None:
            del self._told[key]
            return
        _write(told.last, told.number - 1)
        told.number, told.last = 0, None
        self._loop.call_later(INTERVAL_SECONDS, self._summarise, key)


class _HeldBack:
    """Refusals since the last line of one peer and reason."""

    __slots__ = ("last", "number")

    def __init__(self) -> None:
        self.number = 0
        self.last: Refusal | None = None


def _total(error: BaseException | None) -> str:
    """Which total of the heartbeat a refusal counts in."""
    if isinstance(error, Unauthenticated | Forbidden):
        return "unauthenticated"
    return "undecodable" if isinstance(error, MalformedRequest) else "refused"


def _is_unforeseen(error: BaseException | None) -> bool:
    """Whether this is a fault of ours that nobody thought of."""
    return error is not None and not isinstance(error, SenderError | RetryLater)


def _write(refusal: Refusal, others: int) -> None:
    ours = _is_unforeseen(refusal.error)
    _log.log(
        logging.ERROR if ours else logging.INFO,
        "refused %s %r from %s with %s: %s%s",
        refusal.transport,
        refusal.path[:_MOST_PATH],
        refusal.peer or "an unknown peer",
        refusal.code,
        _one_line(refusal.reason[:_MOST_REASON]),
        f" (and {others} more like it within a second)" if others else "",
        exc_info=refusal.error if ours else None,
    )


def _one_line(text: str) -> str:
    """Text of a sender's making as it may stand in a log: nothing that moves a cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@lru_cache(64)
def _requests(transport: str, code: str) -> Any:
    return REQUESTS.labels(transport, code)
