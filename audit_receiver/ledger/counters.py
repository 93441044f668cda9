"""What the next heartbeat will say: counters by service, and tallies of the entries."""

import threading
from collections import Counter
from typing import Any

MOST_SERVICES = 1000
OTHER = "other"  # the services beyond the thousandth, together
MOST_NAME_BYTES = 120  # of a service's name; senders choose them, and a heartbeat names them all
TOTALS = ("undecodable", "refused", "unauthenticated")
_NUMBERS = ("received", "stored", "skipped", "duplicate", "conflict")
_RECEIVED, _STORED, _SKIPPED, _DUPLICATE, _CONFLICT = range(5)

ServiceCounts = dict[str, list[int]]  # service -> numbers in the order of _NUMBERS
Tallies = Counter[tuple[str, str]]  # (action, outcome) -> entries


class Counted:
    """Counts between two heartbeats."""

    __slots__ = ("services", "totals")

    def __init__(self) -> None:
        self.services: ServiceCounts = {}
        self.totals: Counter[str] = Counter()

    def of(self, service: str) -> list[int]:
        """The numbers of a service, to be added to."""
        if len(service) > MOST_NAME_BYTES // 4:  # as many characters may be more bytes
            service = _cut(service)
        numbers = self.services.get(service)
        if numbers is None:
            if len(self.services) >= MOST_SERVICES and service != OTHER:
                return self.of(OTHER)
            numbers = self.services[service] = [0, 0, 0, 0, 0]
        return numbers

    def stored(self, service: str, conflict: bool) -> None:
        """One entry was written for this service."""
        numbers = self.of(service)
        numbers[_STORED] += 1
        numbers[_CONFLICT] += conflict

    def duplicate(self, service: str) -> None:
        """One record was acknowledged without an entry."""
        self.of(service)[_DUPLICATE] += 1

    def found(self, service: str, stored: int, conflicts: int) -> None:
        """Entries that a run without a last heartbeat left behind."""
        numbers = self.of(service)
        numbers[_RECEIVED] += stored  # what it had received besides is not known any more
        numbers[_STORED] += stored
        numbers[_CONFLICT] += conflicts

    def add(self, more: "Counted") -> None:
        """Put other counts on top."""
        for service, numbers in more.services.items():
            mine = self.of(service)
            for place, number in enumerate(numbers):
                mine[place] += number
        self.totals.update(more.totals)

    def fields(self) -> dict[str, Any]:
        """As they stand in the heartbeat."""
        services = {
            name: dict(zip(_NUMBERS, numbers, strict=True))
            for name, numbers in sorted(self.services.items())
        }
        return {"services": services, **{name: self.totals[name] for name in TOTALS}}


def _cut(name: str) -> str:
    """A name of at most MOST_NAME_BYTES bytes; one that was longer ends in an ellipsis."""
    raw = name[: MOST_NAME_BYTES + 1].encode("utf-8", "surrogatepass")
    if len(raw) <= MOST_NAME_BYTES:
        return name
    return raw[: MOST_NAME_BYTES - len("…".encode())].decode("utf-8", "ignore") + "…"


class Counters:
    """The running counts: doors add from their thread, the writer from its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = Counted()

    def note(self, service: str, received: int, skipped: int) -> None:
        """Count what came by and what of it is not audit."""
        with self._lock:
            numbers = self._counted.of(service)
            numbers[_RECEIVED] += received
            numbers[_SKIPPED] += skipped

    def count(self, name: str, number: int) -> None:
        """Count `undecodable`, `refused` or `unauthenticated` requests."""
        if name not in TOTALS:
            raise ValueError(f"{name}: counted are {', '.join(TOTALS)}")
        with self._lock:
            self._counted.totals[name] += number

    def add(self, more: Counted) -> None:
        """Count what a committed group stored, or give back what a failed heartbeat took."""
        with self._lock:
            self._counted.add(more)

    def take(self) -> Counted:
        """Everything counted so far; counting begins anew."""
        with self._lock:
            taken, self._counted = self._counted, Counted()
        return taken


def tally_fields(tallies: Tallies) -> list[list[Any]]:
    """Tallies as `[action, outcome, count]`, sorted."""
    return [[action, outcome, tallies[action, outcome]] for action, outcome in sorted(tallies)]
