"""Anchor `stdout`: a JSON line for each checkpoint, which the platform's log pipeline carries away.

It costs nothing and needs no account: whoever owns the host can stop the line from being written,
but cannot take back those that have left it.
"""

import os
import select
import sys
from collections.abc import Sequence

import orjson

from audit_receiver.anchor.model import AnchorError, Published, Token
from audit_receiver.record import timestamp


class StdoutAnchor:
    """Writes `{"audit_receiver":"checkpoint", ...}` lines to the process's standard output."""

    def __init__(self, name: str, descriptor: int | None = None) -> None:
        self.name = name
        self._given = descriptor

    async def publish(self, published: Published) -> Sequence[Token]:
        """One line, whole; a pipe that nobody reads is a failure and not a wait for ever."""
        # A pipe that polls as writable takes PIPE_BUF (4,096) bytes at once (pipe(7)); a line is
        # shorter, so this never waits for the reader and never tears a line.
        try:
            descriptor = sys.stdout.fileno() if self._given is None else self._given
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            if not ready.poll(0):
                raise AnchorError("standard output: its reader does not read; the pipe is full")
            os.write(descriptor, line(published))
        except OSError as exc:
            raise AnchorError(f"standard output cannot be written: {exc.strerror}") from exc
        return ()

    async def newest(self) -> Sequence[str]:
        """Nobody can ask a log pipeline."""
        return ()

    async def close(self) -> None:
        """Standard output is not ours to close."""


def line(published: Published) -> bytes:
    """The checkpoint as one JSON line; `note` alone proves it, the rest is for finding it."""
    return (
        orjson.dumps(
            {
                "audit_receiver": "checkpoint",
                "note": published.note,
                "origin": published.origin,
                "root": published.root.hex(),
                "size": published.size,
                "time": timestamp.render(published.unix_nano),
            }
        )
        + b"\n"
    )
