"""From settings to a ledger that is locked, checked and has something to say about its start."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import creation, keys, outside, startup
from audit_receiver.ledger.clockwatch import ClockWatch
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.keysource.model import KeySource
from audit_receiver.ledger.lock import WriterLock
from audit_receiver.ledger.model import Clock, LedgerSettings
from audit_receiver.record import timestamp

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
Event = tuple[str, Mapping[str, Any]]


class Opening(NamedTuple):
    """A locked, checked ledger and what its first group will record."""

    lock: WriterLock
    ledger: startup.Opened
    source: KeySource
    watch: ClockWatch
    events: tuple[Event, ...]
    created: bool
    warnings: list[str]

    def add_to_schema(self) -> None:
        """Bring a ledger of the first schema to the present one. Raises LedgerError."""
        now = self.watch.read()
        if reason := self.watch.refusal(now):
            raise LedgerError(f"the ledger's schema has to be added to, and cannot: {reason}")
        self.ledger.pen.add_to_schema(now)


def open_for_writing(settings: LedgerSettings, clock: Clock) -> Opening:
    """Lock the ledger, create it if it is missing and may be, check it."""
    files = LedgerFiles.beside(settings.path, settings.key_path)
    if settings.create == "never" and not files.ledger.exists():
        raise LedgerError(
            f"{files.ledger}: there is no ledger, and ledger.create is `never`. Restore it, or look"
            f" whether its volume is mounted; a new one is made by `audit-receiver init`"
        )
    creation.make_directory(files.ledger.absolute().parent)
    lock = WriterLock(files.lock)
    try:
        created = not files.ledger.exists()
        if created:
            outside.refuse_if_known(files.ledger, settings.known)
            creation.create_ledger(settings, files, clock.wall())
        source = keys.source_of(files, settings.key_source)
        opened = startup.open_ledger(files, source, settings.known)
        watch = ClockWatch(clock, opened.pen.end.last_received, settings.accept_clock)
        events = tuple(_start_events(settings, opened, clock))
        return Opening(lock, opened, source, watch, events, created, keys.loose_permissions(files))
    except BaseException:
        lock.release()
        raise


def create_only(
    settings: LedgerSettings, clock: Clock, beginning: creation.Beginning = creation.FROM_NOTHING
) -> str:
    """Create a ledger and nothing else (`init`); returns its verifier key."""
    files = LedgerFiles.beside(settings.path, settings.key_path)
    if files.ledger.exists():
        raise LedgerError(f"{files.ledger}: exists already; a ledger is never overwritten")
    creation.make_directory(files.ledger.absolute().parent)
    lock = WriterLock(files.lock)
    try:
        if files.ledger.exists():
            raise LedgerError(f"{files.ledger}: exists already; a ledger is never overwritten")
        creation.create_ledger(settings, files, clock.wall(), beginning)
    finally:
        lock.release()
    return str(keys.read_vkey(files))


def boot_id() -> str:
    """The kernel's name for this boot, "" where it has none."""
    with suppress(OSError):
        return _BOOT_ID.read_text("ascii").strip()
    return ""


def _start_events(settings: LedgerSettings, opened: startup.Opened, clock: Clock) -> list[Event]:
    """`start`, what went before it, and the configuration if it is another one."""
    start = {
        "boot_id": boot_id(),
        "clean": opened.stopped_cleanly,
        "config_digest": settings.config_digest,
        "version": settings.version,
    }
    events: list[Event] = [("start", start)]
    if not opened.stopped_cleanly:
        events.append(("incident", {"incident": "unclean_stop"}))
    last = opened.pen.end.last_received
    if settings.accept_clock and ClockWatch(clock, last).refusal_now():
        accepted = {"incident": "clock_accepted", "last": timestamp.render(last)}
        events.append(("incident", accepted))
    before = opened.config_before
    redact = settings.redact_digest  # the program's own rules may change with its version
    if settings.config_digest and (
        before.get("digest"),
        before.get("redact_digest", redact),
    ) != (settings.config_digest, redact):
        now = flatten(settings.config)
        known = before.get("config")
        then = known if isinstance(known, dict) else {}
        changed = sorted(key for key in {*now, *then} if now.get(key) != then.get(key))
        fields = {"changed": changed, "config": now, "digest": settings.config_digest}
        if redact:
            fields["redact_digest"] = redact
        events.append(("config", fields))
    return events


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested configuration as dotted keys, so that changes can be named; numbers as text."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        elif isinstance(value, float):
            flat[name] = f"{value:g}"
        elif isinstance(value, tuple | list):
            flat[name] = [str(item) for item in value]
        else:
            flat[name] = (
                value if isinstance(value, str | bool | int) or value is None else str(value)
            )
    return flat
