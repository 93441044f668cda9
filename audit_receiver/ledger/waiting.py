"""Requests that wait for the writer: bounded, thread-safe, never blocking who puts one in."""

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from audit_receiver.errors import LedgerBusy, RetryLater
from audit_receiver.ledger.model import Job

GROUP_RECORDS = 4096  # a group takes what waits, up to about so many records
RECORDS_PER_PLACE = 16  # a queue of n requests holds at most 16 n records besides
OWN_RECORDS = 1000  # own records that may wait while the ledger cannot be written
# Where requests came in while a group was written, many send at once, and the first of them would
# be committed alone while the others wait for it. So a small group is then given so long to fill;
# after an idle moment nobody waits (docs/decisions/0004).
PAUSE_SECONDS = 0.002
ENOUGH = 32  # requests that make a group worth its commit
_WAKE = Job((), (), None)


class Waiting:
    """The queue between the doors and the writer thread."""

    def __init__(self, places: int) -> None:
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._places = places
        self._requests = 0
        self._records = 0
        self._own = 0
        self._shut: RetryLater | None = None

    @property
    def records(self) -> int:
        """Records that wait, for the metrics."""
        return self._records

    def put(self, job: Job) -> None:
        """Queue a request, or raise LedgerBusy. One that is larger than the queue waits alone."""
        number = len(job.drafts)
        with self._lock:
            if self._shut is not None:
                raise type(self._shut)(str(self._shut))
            if self._requests and (
                self._requests >= self._places
                or self._records + number > self._places * RECORDS_PER_PLACE
            ):
                raise LedgerBusy(
                    f"{self._requests} requests with {self._records} records wait for the ledger."
                    " Send again later"
                )
            self._requests += 1
            self._records += number
            self._queue.put(job)

    def wake(self) -> None:
        """Let the writer look around without a request."""
        self._queue.put(_WAKE)

    def shut(self, error: RetryLater) -> None:
        """Take nothing more; what waits can still be taken out."""
        with self._lock:
            self._shut = error

    def take(self, patience_seconds: float) -> list[Job]:
        """Everything that waits, up to a group; waits for the first one at most that long."""
        crowded = not self._queue.empty()  # some came while the group before was written
        try:
            first = self._queue.get(timeout=patience_seconds) if patience_seconds > 0 else _WAKE
        except Empty:
            return []
        jobs = [first] if first is not _WAKE else []
        records = self._drain(jobs, len(first.drafts))
        if crowded and patience_seconds > 0 and len(jobs) < ENOUGH:
            time.sleep(PAUSE_SECONDS)
            records = self._drain(jobs, records)
        requests = sum(job.done is not None for job in jobs)
        if jobs:
            with self._lock:
                self._requests -= requests
                self._own -= len(jobs) - requests
                self._records -= records
        return jobs

    def _drain(self, jobs: list[Job], records: int) -> int:
        """Add what waits to `jobs`, up to a group; returns the records in it."""
        with suppress(Empty):
            while records < GROUP_RECORDS:
                job = self._queue.get_nowait()
                if job is not _WAKE:
                    jobs.append(job)
                    records += len(job.drafts)
        return records

    def put_own(self, job: Job) -> bool:
        """Queue an own record that nobody waits for; False if too many wait already."""
        with self._lock:
            if self._shut is not None or self._own >= OWN_RECORDS:
                return False
            self._own += 1
            self._queue.put(job)
        return True
