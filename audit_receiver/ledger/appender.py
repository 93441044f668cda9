"""The pen: one writer thread that turns requests into durable, chained, signed entries."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from audit_receiver.ledger.model import (
    Appended,
    Clock,
    Commit,
    Delivery,
    Done,
    LedgerSettings,
    Observer,
    Status,
    Tip,
)
from audit_receiver.record.model import Draft

__all__ = [
    "Appended",
    "Appender",
    "Clock",
    "Commit",
    "Delivery",
    "Done",
    "LedgerSettings",
    "Observer",
    "Status",
    "Tip",
]


class Appender:
    """One writer thread; group commit; a result only after COMMIT returned.

    (Signatures first, so that the rooms upstairs can be written; the body lands next.)
    """

    tip: Tip
    created: bool  # this start made the ledger
    vkey: str  # the verifier key, one C2SP line
    entries: int  # at the moment of opening

    @classmethod
    def open(
        cls,
        settings: LedgerSettings,
        clock: Clock,
        observer: Observer | None = None,
        deliver: Callable[[Delivery], None] | None = None,
    ) -> "Appender":
        """Check the ledger (create it if told so), start the writer thread.

        `deliver` gets the results of one commit in one call, in the writer thread; without it each
        `done` is called there. Raises LedgerError (exit 2), IntegrityError (exit 1).
        """
        raise NotImplementedError

    def submit(self, drafts: Sequence[Draft], done: Done) -> None:
        """Queue one request; thread-safe, never blocks. `done` is called once, after COMMIT.

        Raises LedgerBusy (queue full), LedgerUnavailable (failed closed), ShuttingDown.
        """

    def append(self, drafts: Sequence[Draft], timeout_seconds: float = 30.0) -> Appended:
        """Submit and wait."""
        raise NotImplementedError

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """Write an own record with the next group; incidents at most one a second by kind."""

    def submit_record(self, event: str, fields: Mapping[str, Any], done: Done) -> None:
        """As `record`, for a caller that waits until it is durable (reads)."""

    def note(self, service: str, received: int = 0, skipped: int = 0) -> None:
        """Count for the next heartbeat."""

    def count(self, name: str, number: int = 1) -> None:
        """Count `undecodable`, `refused` or `unauthenticated` for the next heartbeat."""

    def status(self) -> Status:
        """Whether records can be stored now."""
        raise NotImplementedError

    def close(self, drain_seconds: float | None = None) -> str:
        """Drain, write the last heartbeat and `stop`, leave WAL mode; returns a remark or ""."""
        raise NotImplementedError
