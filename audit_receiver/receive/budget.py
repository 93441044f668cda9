"""How many bytes of requests are in memory at once: full means 503 before any work is done."""

import threading

from audit_receiver.errors import LedgerBusy
from audit_receiver.telemetry import IN_FLIGHT_BYTES


class Budget:
    """The in-flight budget, shared by all doors and by the threads that read large requests."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self.used_bytes = 0
        IN_FLIGHT_BYTES.set_function(lambda: self.used_bytes)

    def share(self) -> "Share":
        """A request's own part, empty at first; leave it with `with`."""
        return Share(self)

    def foresee(self, number: int) -> None:
        """Raise LedgerBusy if there is no room for so many bytes now; takes nothing."""
        if self.used_bytes + number > self._limit:
            raise LedgerBusy(
                f"{self.used_bytes} bytes of requests are in flight, {number} more are over"
                f" the limit of {self._limit} (receivers.otlp.limits.in_flight_bytes); send"
                " again"
            )

    def take(self, number: int) -> None:
        """Take bytes or raise LedgerBusy."""
        with self._lock:
            self.foresee(number)
            self.used_bytes += number

    def give_back(self, number: int) -> None:
        """Return bytes."""
        with self._lock:
            self.used_bytes -= number


class Share:
    """What one request has taken; given back when it is left.

    A large request is read in a thread, which goes on when the sender hangs up and the share is
    left: it gets no more then, because nobody would give it back.
    """

    __slots__ = ("_budget", "_left", "_lock", "_taken")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._left = False
        self._taken = 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._left = True
            self._budget.give_back(self._taken)
            self._taken = 0

    def foresee(self, number: int) -> None:
        """Raise LedgerBusy if so many bytes, which have not arrived, would find no room now."""
        self._budget.foresee(number)

    def grow(self, number: int) -> None:
        """Take more bytes or raise LedgerBusy."""
        with self._lock:
            if self._left:
                raise LedgerBusy("the sender has gone away")
            self._budget.take(number)
            self._taken += number
