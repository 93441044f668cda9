"""The hand that holds the pen: one writer thread between the doors and the ledger."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from audit_receiver.errors import LedgerFatal, LedgerUnavailable, ShuttingDown
from audit_receiver.ledger import closing, opening
from audit_receiver.ledger.clockwatch import SECOND
from audit_receiver.ledger.exact import Kept as Kept
from audit_receiver.ledger.model import (
    Appended,
    Clock,
    Commit,
    Delivery,
    Done,
    Job,
    LedgerSettings,
    Observer,
    Status,
    Tip,
    Work,
)
from audit_receiver.ledger.notary import Anchored
from audit_receiver.ledger.rotation import Rotation
from audit_receiver.ledger.waiting import Waiting
from audit_receiver.ledger.writer import Writer
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
    "Work",
]

INCIDENT_INTERVAL = SECOND  # of incidents of one kind told to `record`, one a second is kept
_SLACK_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Appender:
    """One writer thread; group commit; a result only after COMMIT returned.

    Everything that waits becomes one transaction, each request whole or not at all. While the
    ledger cannot be written, requests are refused with LedgerUnavailable at once, own records wait,
    and the thread tries again every second. An error that leaves the file's state unknown ends the
    thread and calls `observer.fatal`: the process must then end with exit code 1.
    """

    def __init__(
        self,
        settings: LedgerSettings,
        opened: opening.Opening,
        clock: Clock,
        observer: Observer,
        deliver: Callable[[Delivery], None],
    ) -> None:
        pen = opened.ledger.pen
        self.created = opened.created  # this start made the ledger
        self.entries = pen.end.size  # found at the start
        self.vkey = str(opened.ledger.vkey)
        self.warnings = opened.warnings  # for the operator, about modes of key files
        self._clock = clock
        self._observer = observer
        self._lock = opened.lock
        self._counters = opened.ledger.counters
        self._waiting = Waiting(settings.queue)
        rotation = Rotation(pen, opened.source, settings.key_rotation_seconds, settings.new_key)
        self._writer = Writer(settings, pen, rotation, opened.watch, observer, deliver)
        self._fatal: LedgerFatal | None = None
        self._closing = False
        self._drain_seconds = settings.drain_seconds
        self._remark = ""
        self._held_back = ""  # why nothing is taken, though the ledger could be written
        self._told: dict[str, tuple[int, int]] = {}  # incident -> (when, how many held back since)
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)

    @classmethod
    def open(
        cls,
        settings: LedgerSettings,
        clock: Clock,
        observer: Observer | None = None,
        deliver: Callable[[Delivery], None] | None = None,
    ) -> "Appender":
        """Check the ledger (create it if told so), write `start`, start the writer thread.

        `deliver` gets the results of one commit in one call, in the writer thread; without it each
        `done` is called there. Raises LedgerError (exit 2) or IntegrityError (exit 1).
        """
        opened = opening.open_for_writing(settings, clock)
        appender = cls(settings, opened, clock, observer or Observer(), deliver or _call_each)
        try:
            if opened.ledger.first_schema:
                opened.add_to_schema()
            appender._writer.turn([Job((), opened.events, None)])
            if settings.exact:
                opened.ledger.pen.know_tags()
        except BaseException:
            opened.ledger.pen.connection.close()
            opened.lock.release()
            raise
        appender._thread.start()
        return appender

    @property
    def tip(self) -> Tip:
        """The newest durable head."""
        return self._writer.pen.tip

    @property
    def published(self) -> tuple[Tip, str] | None:
        """The newest checkpoint that this run has kept: the head, and the note of it."""
        return self._writer.published

    @property
    def records(self) -> int:
        """Records of senders that this run has stored so far."""
        return self._writer.records

    @property
    def waiting(self) -> int:
        """Records that wait for the writer, for the metrics."""
        return self._waiting.records

    def status(self) -> Status:
        """Whether records can be stored now, and if not, why."""
        reason = self._writer.trouble
        reason = reason or self._held_back
        if self._closing:
            reason = "shutting down"
        if self._fatal is not None:
            reason = str(self._fatal)
        return Status(not reason, reason)

    def submit(self, drafts: Sequence[Draft], done: Done, exact: bool = False) -> None:
        """Queue one request; thread-safe, never blocks. `done` is called once, after COMMIT.

        `exact` is for `/v1/audit`: `done` may then be given a Conflict, and nothing was stored.
        Raises LedgerBusy (queue full), LedgerUnavailable (out of service), ShuttingDown.
        """
        self._refuse_if_out_of_service()
        self._waiting.put(Job(drafts, (), done, exact))

    def submit_record(self, event: str, fields: Mapping[str, Any], done: Done) -> None:
        """Queue an own record for a caller that waits until it is durable (a read)."""
        self._refuse_if_out_of_service()
        self._waiting.put(Job((), ((event, fields),), done))

    def publish(self, done: Done) -> None:
        """Keep the newest head as a checkpoint; `done` is given it as `Appended.note`.

        Raises LedgerBusy, LedgerUnavailable, ShuttingDown.
        """
        if self._closing or self._writer.trouble:
            self._refuse_if_out_of_service()
        self._waiting.put(Job((), (), done, publish=True))

    def work(self, work: Work, done: Done) -> None:
        """Let the writer do a short step besides; `done` is called once it is durable.

        Raises LedgerBusy, LedgerUnavailable, ShuttingDown.
        """
        if self._closing or self._writer.trouble:
            self._refuse_if_out_of_service()
        self._waiting.put(Job((), (), done, work=work))

    def keep_anchored(self, answers: Sequence[Anchored]) -> None:
        """Keep what anchors gave back for a checkpoint, with the next group."""
        if not self._waiting.put_own(Job((), (), None, anchored=tuple(answers))):
            _log.error("answers of anchors are lost: too many own records wait for the ledger")

    def hold_back(self, reason: str) -> None:
        """Take no more requests, for this reason, until called with ""."""
        self._held_back = reason

    def append(self, drafts: Sequence[Draft], timeout_seconds: float = 30.0) -> Appended:
        """Submit and wait; returns once the records are durable."""
        results: list[Appended | Exception] = []
        ready = threading.Event()

        def done(result: Appended | Exception) -> None:
            results.append(result)
            ready.set()

        self.submit(drafts, done)
        if not ready.wait(timeout_seconds):
            raise LedgerUnavailable(f"no commit within {timeout_seconds:g} s; send again")
        result = results[0]
        if isinstance(result, Exception):
            raise result
        return result

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """Write an own record with the next group; of incidents one a second of each kind."""
        if event == "incident":
            kind = str(fields.get("incident", ""))
            self._observer.incident(kind)
            now = self._clock.monotonic()
            told, held_back = self._told.get(kind, (now - INCIDENT_INTERVAL, 0))
            if now - told < INCIDENT_INTERVAL:
                self._told[kind] = (told, held_back + 1)
                return
            self._told[kind] = (now, 0)
            if held_back:
                fields = {**fields, "held_back": held_back}
        if not self._waiting.put_own(Job((), ((event, fields),), None)):
            _log.error("own record %s is lost: too many wait for the ledger", event)

    def note(self, service: str, received: int = 0, skipped: int = 0) -> None:
        """Count for the next heartbeat what came by and what of it is not audit."""
        self._counters.note(service, received, skipped)

    def count(self, name: str, number: int = 1) -> None:
        """Count `undecodable`, `refused` or `unauthenticated` requests for the next heartbeat."""
        self._counters.count(name, number)

    def close(self, drain_seconds: float | None = None) -> str:
        """Drain, write the last heartbeat and `stop`, leave WAL mode, let go of the lock.

        Returns what an operator should know about how it was left, "" if all is well.
        """
        if drain_seconds is not None:
            self._drain_seconds = drain_seconds
        self._closing = True
        self._waiting.wake()
        self._thread.join(self._drain_seconds + closing.PATIENCE_SECONDS + _SLACK_SECONDS)
        if self._thread.is_alive():
            return "the writer did not end in time; the next start will find an unclean stop"
        return self._remark

    def _refuse_if_out_of_service(self) -> None:
        if self._closing and self._fatal is None:
            raise ShuttingDown("the service is stopping; send again")
        if reason := self._writer.trouble or self._held_back:
            raise LedgerUnavailable(reason)

    def _run(self) -> None:
        try:
            while not self._closing:
                self._writer.turn(self._waiting.take(self._writer.patience_seconds()))
            self._finish()
        except BaseException as exc:
            self._die(exc)

    def _finish(self) -> None:
        writer, connection = self._writer, self._writer.pen.connection
        self._waiting.shut(ShuttingDown("the service is stopping; send again"))
        deadline = time.monotonic() + self._drain_seconds
        while jobs := self._waiting.take(0):
            if time.monotonic() > deadline:
                writer.abandon(jobs, ShuttingDown("the service is stopping; send again"))
            else:
                writer.turn(jobs)
        writer.turn([], beat=True)
        writer.turn([Job((), (("stop", {}),), None)])
        writer.turn([Job((), (), None, publish=True)])
        if writer.trouble:
            self._remark = f"`stop` could not be recorded: {writer.trouble}"
        left = closing.leave_wal(connection, writer.pen.guard)
        self._remark = "; ".join(filter(None, (self._remark, left)))
        connection.close()
        self._lock.release()

    def _die(self, error: BaseException) -> None:
        """The state of the file is unknown, or we have a bug: nobody writes any more."""
        fatal = (
            error if isinstance(error, LedgerFatal) else LedgerFatal(f"the writer died: {error!r}")
        )
        _log.critical("%s", fatal, exc_info=error)
        self._fatal = fatal
        self._waiting.shut(LedgerUnavailable(str(fatal)))
        while jobs := self._waiting.take(0):
            self._writer.abandon(jobs, LedgerUnavailable(str(fatal)))
        self._observer.fatal(fatal)


def _call_each(results: Delivery) -> None:
    for done, result in results:
        try:
            done(result)
        except Exception:  # theirs; the records are durable, and the next one waits too
            _log.exception("a result could not be delivered")
