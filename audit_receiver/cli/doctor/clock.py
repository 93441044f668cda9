"""Whether the clock can be believed: drift, synchronisation, and what the ledger last said."""

import ctypes
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from audit_receiver.cli.doctor.checks import Check, ok, warn
from audit_receiver.errors import AuditReceiverError

if TYPE_CHECKING:
    from audit_receiver.config.model import Config

SECOND = 1_000_000_000
DRIFT_LIMIT = 0.005  # of the wall clock against the monotonic one; slewing stays below 0.0005
BACK_SECONDS = 1  # DESIGN 2: a clock further back is an incident
AHEAD_DAYS = 90  # DESIGN 2: a clock further ahead stops the start
_TIMEX_BYTES = 256  # struct timex has 208
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def checks(config: "Config | None", began: tuple[int, int]) -> Iterator[Check]:
    """`began` is (wall, monotonic) in nanoseconds at the doctor's start."""
    yield drift(time.time_ns() - began[0], time.monotonic_ns() - began[1])
    yield synchronised(_adjtimex())
    if config is not None and (last := _last_received(config)) is not None:
        yield against_ledger(time.time_ns(), last)


def drift(wall_nanos: int, monotonic_nanos: int) -> Check:
    """Whether both clocks went equally far meanwhile."""
    apart = abs(wall_nanos - monotonic_nanos)
    if apart > max(DRIFT_LIMIT * monotonic_nanos, 2_000_000):
        return warn(
            "clock drift",
            f"in {monotonic_nanos / SECOND:.2f} s the wall clock moved"
            f" {(wall_nanos - monotonic_nanos) / 1e6:+.1f} ms against the monotonic one",
            "find out who sets the clock by steps; let chrony or systemd-timesyncd slew it",
        )
    return ok("clock drift", f"none in {monotonic_nanos / SECOND:.2f} s ({apart / 1e6:.3f} ms)")


def synchronised(state: int | None) -> Check:
    """What the kernel knows of NTP: the answer of adjtimex, None where it cannot be asked."""
    if state is None:
        return warn("clock NTP", "this system does not say whether NTP holds the clock", _NTP)
    if state == _TIME_ERROR:
        return warn("clock NTP", "the kernel says that the clock is not synchronised", _NTP)
    return ok("clock NTP", "the kernel says that the clock is synchronised")


def against_ledger(now: int, last: int) -> Check:
    """Whether a start would believe the clock after the ledger's last entry."""
    behind = (last - now) / SECOND
    if behind > BACK_SECONDS:
        return warn(
            "clock ledger",
            f"the clock is {behind:,.0f} s behind the ledger's last entry",
            "set it right before the start; else times are held and an incident is recorded",
        )
    days = -behind / 86_400
    if days > AHEAD_DAYS:
        return warn(
            "clock ledger",
            f"the last entry is {days:,.0f} days old, or the clock is ahead",
            "check the clock; then start once with `serve --accept-clock`",
        )
    return ok("clock ledger", f"{-behind:,.0f} s after the ledger's last entry")


_NTP = "run chrony or systemd-timesyncd (in a container: on the host)"


def _adjtimex() -> int | None:
    """Ask the kernel without setting anything (modes = 0)."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None


def _last_received(config: "Config") -> int | None:
    """When the ledger's last entry was received; None if it cannot be read."""
    import orjson

    from audit_receiver.ledger.reader import Reader
    from audit_receiver.record import timestamp

    try:
        with Reader(config.ledger.path) as reader:
            size = reader.size()
            for row in reader.entries(size - 1, size):
                return timestamp.parse(orjson.loads(row[1])["received"])
    except (AuditReceiverError, ValueError, KeyError, TypeError):
        return None
    return None
