"""What the writer thread does at each turn: look at the world, write one group, answer.

No thread and no lock in here: whoever calls `turn` owns the ledger.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

from audit_receiver.errors import Conflict, LedgerFatal, LedgerUnavailable, RetryLater
from audit_receiver.ledger.clockwatch import SECOND, ClockWatch, Reading
from audit_receiver.ledger.group import Placed
from audit_receiver.ledger.guard import Replaced
from audit_receiver.ledger.model import (
    Appended,
    Commit,
    Delivery,
    Job,
    LedgerSettings,
    Observer,
    Tip,
)
from audit_receiver.ledger.pen import ForeignWrite, Pen, Written
from audit_receiver.ledger.rotation import Rotation
from audit_receiver.record import timestamp

PROBE_SECONDS = 1.0  # how often a ledger out of service is tried again
MOST_TALLIES = 10_000  # a heartbeat comes early before its tallies grow without bound,
MOST_UNTALLIED = 100_000  # or before a restart would have to recount more entries than this
# Incidents that this room finds as it writes; the others were told when they were queued.
_FOUND_HERE = frozenset(
    {"conflict", "foreign_write", "clock_back", "clock_accepted", "unclean_stop"}
)

_log = logging.getLogger(__name__)


class Writer:
    """Turns requests into committed groups and keeps the ledger in or out of service."""

    def __init__(
        self,
        settings: LedgerSettings,
        pen: Pen,
        rotation: Rotation,
        watch: ClockWatch,
        observer: Observer,
        deliver: Callable[[Delivery], None],
    ) -> None:
        self.pen = pen
        self.trouble = ""  # why the ledger is out of service, "" if it is not
        self._told: set[str] = set()  # kinds of reasons of this episode that the observer knows
        self.records = 0  # records of senders that this run has stored
        self.published: tuple[Tip, str] | None = None  # the newest checkpoint that it has kept
        self._own: list[Job] = []  # own records that are not durable yet
        self._watch = watch
        self._observer = observer
        self._deliver = deliver
        self._reserve = settings.disk_reserve_bytes
        self._beat_interval = int(settings.heartbeat_seconds * SECOND)
        self._next_beat = watch.read().monotonic + self._beat_interval
        self._rotation = rotation

    def patience_seconds(self) -> float:
        """How long to wait for requests: until the next heartbeat, key or attempt."""
        if self.trouble:
            return PROBE_SECONDS
        now = self._watch.read()
        beat = (self._next_beat - now.monotonic) / SECOND
        return max(min(beat, self._rotation.wait_seconds(now)), 0.001)

    def turn(self, jobs: list[Job], beat: bool = False) -> None:
        """Write one group, if there is something to write. Raises LedgerFatal only."""
        self._own += [job for job in jobs if job.done is None]
        works = [job for job in jobs if job.work is not None]
        requests = [job for job in jobs if job.done is not None and job.work is None]
        now = self._watch.read()
        obstacle = self._obstacle(now)
        if obstacle is not None:
            self._out_of_service(obstacle, requests + works)
            return
        low = self._low_on_disk()
        if low is not None:  # own records may use the reserve, so that the ledger tells of it
            self._out_of_service(low, requests)
            requests = []
        beat = beat or self._beat_is_due(now)
        if requests or self._own or beat:
            self._write(requests, now, beat, recovered=low is None)
        elif low is None:
            self._in_service()
        for job in works:
            self._work(job)
        if not self.trouble:
            self._rotate(now)

    def abandon(self, jobs: list[Job], error: Exception) -> None:
        """Answer requests that will not be written any more."""
        self._hand_over([(job.done, error) for job in jobs if job.done is not None])

    def _rotate(self, now: Reading) -> None:
        try:
            turned = self._rotation.turn(now, self._watch.is_behind(now))
        except RetryLater as exc:
            self._out_of_service(exc, [])
            return
        if turned.written is not None:
            self._after_commit([], turned.written, now)
        if turned.incident:
            self._tell(turned.incident, {"incident": turned.incident, "reason": turned.reason})

    def _work(self, job: Job) -> None:
        """A step besides; its failure is told to whoever asked for it, and harms nobody else."""
        assert job.work is not None
        try:
            if self.trouble:
                raise LedgerUnavailable(self.trouble)
            self.pen.work(job.work)
        except LedgerFatal as exc:
            self.abandon([job], LedgerUnavailable(str(exc)))
            raise
        except Exception as exc:
            self.abandon([job], exc)
        else:
            done = Appended(None, None, 0, 0, 0, self.pen.tip)
            self._hand_over([(job.done, done)] if job.done is not None else [])

    def _obstacle(self, now: Reading) -> LedgerUnavailable | None:
        """What must be over before anything is written, own records included."""
        if reason := self._watch.refusal(now):
            return LedgerUnavailable(reason)
        if self.trouble:
            try:
                self.pen.guard.check()
            except Replaced as exc:
                return exc
        return None

    def _write(self, requests: list[Job], now: Reading, beat: bool, recovered: bool) -> None:
        held = self._watch.is_behind(now)
        first = [self._clock_back(now)] if self._watch.begins_episode(now) else []
        jobs = first + self._own + requests
        try:
            written = self.pen.write(jobs, now, held, beat)
        except LedgerFatal:
            self.abandon(requests, LedgerUnavailable("the ledger failed in COMMIT; send again"))
            raise
        except Replaced as exc:
            self._own = []  # they stand in the file that we hold, wherever that is now
            self._out_of_service(exc, requests)
        except RetryLater as exc:
            self._out_of_service(exc, requests)
        except Exception as exc:
            if len(jobs) > 1 or beat:
                _log.warning("a group of %d failed (%r); each is tried alone", len(jobs), exc)
                self._write_each(jobs, now, held)
            else:
                self._poison(jobs[0], exc)
        else:
            self._own = []
            if beat:
                self._next_beat = now.monotonic + self._beat_interval
            if recovered:
                self._in_service()
            self._after_commit(jobs, written, now)

    def _write_each(self, jobs: list[Job], now: Reading, held: bool) -> None:
        """The data of one request failed the group: commit the others without it."""
        self._own = []
        for place, job in enumerate(jobs):
            try:
                written = self.pen.write([job], now, held)
            except LedgerFatal:
                self.abandon(jobs[place:], LedgerUnavailable("the ledger failed; send again"))
                raise
            except RetryLater as exc:
                rest = jobs[place:]
                self._own += [job for job in rest if job.done is None]
                self._out_of_service(exc, [job for job in rest if job.done is not None])
                return
            except Exception as exc:
                self._poison(job, exc)
            else:
                self._after_commit([job], written, now)

    def _poison(self, job: Job, error: Exception) -> None:
        """A request that cannot be stored, though the ledger is well: our bug, so it may retry."""
        _log.error("a request could not be stored", exc_info=error)
        self._own = [own for own in self._own if own is not job]
        fields: dict[str, Any] = {
            "incident": "append_failed",
            "error": type(error).__name__,
            "records": len(job.drafts),
        }
        if job.drafts:
            bodies = "\n".join(draft.body for draft in job.drafts)
            raw = bodies.encode("utf-8", "surrogatepass")
            fields["digest"] = hashlib.sha3_256(raw).hexdigest()
        else:
            fields["events"] = [event for event, _ in job.events]
        if not any(event == "incident" for event, _ in job.events):  # no incident about incidents
            self._tell("append_failed", fields)
        failure = LedgerUnavailable(
            f"the request could not be stored ({type(error).__name__}); this is a fault of the"
            " receiver, recorded as incident append_failed. Keep the data, report it"
        )
        self.abandon([job], failure)

    def _after_commit(self, jobs: list[Job], written: Written, now: Reading) -> None:
        self._watch.committed(now, self.pen.end.last_received)
        tip = self.pen.tip
        if written.note:
            self.published = tip, written.note
        results: Delivery = []
        for job, placed in zip(jobs, written.placed, strict=True):
            if job.drafts and isinstance(placed, Placed):
                self.records += placed.stored
            if job.done is not None:
                results.append((job.done, _answer(job, placed, tip, written.note)))
        self._hand_over(results)
        commit = Commit(written.seconds, written.entries, tip.size, now.wall, *written.sizes)
        self._observer.committed(commit)
        for flag in written.breaks:
            self._observer.broken_sequence(flag)
        for kind in written.incidents:
            if kind in _FOUND_HERE:
                self._observer.incident(kind)

    def _hand_over(self, results: Delivery) -> None:
        if not results:
            return
        try:
            self._deliver(results)
        except Exception:  # theirs, for example a closed event loop; the records are durable
            _log.exception("%d results could not be delivered", len(results))

    def _out_of_service(self, error: RetryLater, requests: list[Job]) -> None:
        """Fail closed: answer what waits, remember why, and record it once that is possible."""
        reason = str(error)
        if not self.trouble:
            kind = "foreign_write" if isinstance(error, ForeignWrite) else "unavailable"
            since = timestamp.render(max(self._watch.read().wall, 0))
            self._tell(kind, {"incident": kind, "reason": reason, "since": since})
        self.trouble = reason
        word = reason.partition(":")[0]  # what follows holds times and sizes, new at each attempt
        if word not in self._told:
            self._told.add(word)
            self._observer.trouble(reason)
        self.abandon(requests, LedgerUnavailable(reason))

    def _in_service(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._told.clear()
            self._observer.trouble("")

    def _tell(self, kind: str, fields: Mapping[str, Any]) -> None:
        self._observer.incident(kind)
        self._own.append(Job((), (("incident", fields),), None))

    def _low_on_disk(self) -> LedgerUnavailable | None:
        try:
            free = self.pen.guard.free_bytes()
        except OSError as exc:
            return LedgerUnavailable(f"disk: {exc}")
        if free >= self._reserve:
            return None
        return LedgerUnavailable(
            f"disk: {free} bytes are free, ledger.disk_reserve is {self._reserve}. Free some space;"
            " it heals by itself"
        )

    def _beat_is_due(self, now: Reading) -> bool:
        pen = self.pen
        return (
            now.monotonic >= self._next_beat
            or len(pen.tallies) >= MOST_TALLIES
            or pen.end.size - pen.end.untallied >= MOST_UNTALLIED
        )

    def _clock_back(self, now: Reading) -> Job:
        last = timestamp.render(self.pen.end.last_received)
        fields = {
            "incident": "clock_back",
            "wall": timestamp.render(max(now.wall, 0)),
            "last": last,
        }
        return Job((), (("incident", fields),), None)


def _answer(job: Job, placed: Placed | Conflict, tip: Tip, note: str) -> Appended | Exception:
    if isinstance(placed, Conflict):
        return placed
    return Appended(*placed[:5], tip, placed.kept, note if job.publish else "")
