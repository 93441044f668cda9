"""The ledger's place: directory, disk, durability, keys, and the tip of a ledger that is there."""

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from audit_receiver.cli.doctor.checks import Check, fail, ok, warn
from audit_receiver.errors import AuditReceiverError, ConfigError, IntegrityError, LedgerError

if TYPE_CHECKING:
    from audit_receiver.config.model import Config
    from audit_receiver.ledger.keys import LedgerFiles
    from audit_receiver.ledger.keysource.model import KeySource

MIB = 1 << 20
ROOM = 1024 * MIB  # less than this above the reserve is worth a word
SYNCS = 24
SLOW_SECONDS = 0.020
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre")
_FLEETING = ("tmpfs", "ramfs", "overlay")


def checks(config: "Config") -> Iterator[Check]:
    """Everything about the files of `ledger.path`."""
    from audit_receiver.config.keys import file_of, source_of
    from audit_receiver.ledger import keys
    from audit_receiver.ledger.keys import LedgerFiles

    path = config.ledger.path
    place = _nearest(path.absolute().parent)
    yield directory(path, place)
    yield disk(place, config.ledger.disk_reserve)
    yield file_system(place)
    if os.access(place, os.W_OK):
        yield from durability(place)
    try:
        files = LedgerFiles.beside(path, file_of(config.ledger.key))
        source = keys.source_of(files, source_of(config.ledger.key))
    except (LedgerError, ConfigError) as exc:
        yield fail("ledger", str(exc), "correct ledger.path or ledger.key")
        return
    yield from ledger(files, config.ledger.create, source)


def directory(path: Path, place: Path) -> Check:
    """Whether the service's directory is there, writable for us and closed to the world."""
    parent = path.absolute().parent
    name = "directory"
    if not os.access(place, os.W_OK | os.X_OK):
        return fail(
            name,
            f"{place} cannot be written by this user (uid {os.geteuid()})",
            "run doctor as the service's user, or give the directory to it",
        )
    if place != parent:
        return ok(name, f"{parent} will be created")
    mode = stat.S_IMODE(parent.stat().st_mode)
    if mode & 0o002 and not mode & stat.S_ISVTX:
        return fail(
            name,
            f"{parent} has mode {mode:04o}: anybody can replace the ledger",
            f"chmod 2750 {parent}",
        )
    if mode & 0o007:
        return warn(
            name, f"{parent} has mode {mode:04o}: others can look in", f"chmod 2750 {parent}"
        )
    return ok(name, f"{parent} has mode {mode:04o}")


def disk(place: Path, reserve_bytes: int) -> Check:
    """Free space against `ledger.disk_reserve`, below which senders are answered 503."""
    free = shutil.disk_usage(place).free
    said = f"{free / MIB:,.0f} MiB free, the reserve is {reserve_bytes / MIB:,.0f} MiB"
    if free < reserve_bytes:
        return fail("disk", said, "free some space, or lower ledger.disk_reserve")
    if free < reserve_bytes + ROOM:
        return warn("disk", said, "a record takes one to three kB; give the volume more room")
    return ok("disk", said)


def file_system(place: Path) -> Check:
    """A ledger needs a local file system that outlives the machine's next start."""
    kind = _kind(place)
    if kind.startswith(_REMOTE):
        return fail(
            "file system",
            f"{place} is on {kind}, whose locks and shared memory SQLite cannot trust",
            "put the ledger on a local disk or block volume",
        )
    if kind in _FLEETING:
        return warn(
            "file system",
            f"{place} is on {kind}, which is gone after a restart of the machine or container",
            "mount a volume for the ledger's directory",
        )
    return ok("file system", f"{place} is on {kind or 'an unknown file system'}")


def durability(place: Path) -> Iterator[Check]:
    """How long a write takes to be safe, and whether a WAL ledger works on this file system."""
    from audit_receiver.ledger import database

    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as scratch:
            yield _fsync(Path(scratch))
            path = Path(scratch) / "scratch.db"
            database.create(path).close()
            database.open_writer(path).close()
        yield ok("WAL", "a ledger in WAL mode works here")
    except AuditReceiverError as exc:
        yield fail("WAL", str(exc), "put the ledger on a local disk or block volume")
    except OSError as exc:
        yield fail("fsync", f"{place}: cannot be written: {exc.strerror}", "make it writable")


def ledger(files: "LedgerFiles", create: str, source: "KeySource") -> Iterator[Check]:
    """An existing ledger: its keys, its schema, its signed tip."""
    from audit_receiver.cli import heads, ledgers
    from audit_receiver.ledger import keys

    if not files.ledger.exists():
        yield _missing(files, create)
        return
    try:
        with ledgers.open_trusted(files.ledger) as reader:
            tip = heads.signed_tip(reader)
            size = reader.size()
            if size < tip.size or reader.subtree(tip.size)(0, tip.size) != tip.root:
                raise IntegrityError(f"{files.ledger}: its entries do not give the signed root")
            if size != tip.size and not reader.is_live():
                raise IntegrityError(
                    f"{files.ledger}: has {size} entries, the signed head covers {tip.size}"
                )
            live = ", a service is writing to it" if reader.is_live() else ""
        yield ok("ledger", f"{files.ledger}: {tip.size:,} entries, tip signed by its key{live}")
    except AuditReceiverError as exc:
        yield fail("ledger", str(exc), "`audit-receiver verify` says more; keep the file as it is")
        return
    loose = keys.loose_permissions(files)
    for sentence in loose:
        message, _, mend = sentence.rpartition("; ")
        yield warn("keys", message, mend)
    try:
        keys.load(files, source, tip.reigns[0].key, tip.reigns[-1].key)
    except LedgerError as exc:
        yield fail("keys", str(exc), "run doctor as the service's user if it is only unreadable")
        return
    waiting = [path.name for path in (files.next_key, files.old_key) if path.exists()]
    if waiting:
        yield warn(
            "keys",
            f"{' and '.join(waiting)}: a change of the key was interrupted",
            "the next start finishes it, or a running service within a minute",
        )
    if not loose and not waiting:
        yield ok(
            "keys",
            f"{source.name}, {files.dedup.name}: the ledger's own, closed to others",
        )


def _missing(files: "LedgerFiles", create: str) -> Check:
    if create == "never":
        return fail(
            "ledger",
            f"{files.ledger}: there is none, and ledger.create is `never`",
            f"mount its volume or restore it; a new one: audit-receiver init {files.ledger}",
        )
    return ok("ledger", f"{files.ledger}: there is none yet; the first start creates it")


def _fsync(scratch: Path) -> Check:
    times = []
    with open(scratch / "sync", "wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(os.urandom(8192))
            before = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - before)
    said = f"a write is durable after {median(times) * 1e3:.2f} ms (slowest {max(times) * 1e3:.2f})"
    if median(times) > SLOW_SECONDS:
        return warn("fsync", said, "every acknowledgement waits for this; use a faster disk")
    return ok("fsync", said)


def _kind(place: Path) -> str:
    """The type of the file system at `place`, "" if /proc does not tell."""
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    except OSError:
        return ""
    where = str(place.resolve())
    for line in lines:
        _, mount, name, *_ = line.split(" ")
        mount = mount.encode().decode("unicode_escape")
        inside = where == mount or where.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, name
    return kind


def _nearest(directory: Path) -> Path:
    """The directory itself, or the nearest one above it that exists."""
    while not directory.is_dir() and directory != directory.parent:
        directory = directory.parent
    return directory
