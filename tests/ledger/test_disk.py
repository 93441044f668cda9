"""Full, low, read-only: what is acknowledged is there, and the ledger heals by itself."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit_receiver.errors import LedgerError, LedgerUnavailable
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_faults import refused

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


def fill(lab: LedgerLab) -> int:
    """Send requests until one is refused for want of space; returns how many were acknowledged."""
    for number in range(10_000):
        try:
            lab.append(*(draft(f"r{number}-{place}") for place in range(20)))
        except LedgerUnavailable:
            assert lab.wait_for_trouble().startswith("disk: no space is left")
            return number
    raise AssertionError("the disk is never full")


def test_a_file_that_may_not_grow_is_a_full_disk(lab: LedgerLab) -> None:
    lab.open()
    connection = lab.appender._writer.pen.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 2}")
    requests = fill(lab)
    connection.execute("PRAGMA max_page_count=1000000")
    lab.wait_for_trouble(False)
    again = lab.append(*(draft(f"r{number}-0") for number in range(requests + 1)))
    assert (again.duplicates, again.stored) == (requests, 1)
    lab.check()


def test_below_the_reserve_records_are_refused_and_the_ledger_says_so(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.open(disk_reserve_bytes=1000)
    free = [5000]
    guard = lab.appender._writer.pen.guard
    monkeypatch.setattr(guard, "free_bytes", lambda: free[0])
    lab.append(draft("a"))
    free[0] = 999
    assert "999 bytes are free, ledger.disk_reserve is 1000" in refused(lab, "b")
    lab.wait_for_trouble()
    while not lab.incidents():
        pass
    assert lab.incidents() == ["unavailable"], "an own record may use the reserve"
    free[0] = 1000
    lab.wait_for_trouble(False)
    assert lab.append(draft("b")).stored == 1
    lab.check()


def mount(*arguments: str | Path) -> None:
    run = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if run.returncode:  # root in a container without CAP_SYS_ADMIN
        pytest.skip(f"mounting is not allowed here: {run.stderr.strip()}")


@contextmanager
def tmpfs(directory: Path, size: str) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@pytest.mark.root
@needs_root
def test_a_real_full_disk_heals_by_itself(lab: LedgerLab) -> None:
    with tmpfs(lab.path.parent, "1m"):
        lab.open()
        filler = lab.path.parent / "filler"
        filler.write_bytes(b"x" * 300_000)
        requests = fill(lab)
        assert requests > 0
        assert not lab.appender.status().ok
        filler.unlink()
        lab.wait_for_trouble(False)
        again = lab.append(*(draft(f"r{number}-0") for number in range(requests + 1)))
        assert (again.duplicates, again.stored) == (requests, 1)
        lab.check()
        lab.close()


@pytest.mark.root
@needs_root
def test_a_start_on_a_full_disk_comes_up_and_heals(lab: LedgerLab) -> None:
    with tmpfs(lab.path.parent, "1m"):
        lab.open()
        lab.append(draft("a"))
        lab.crash()  # leaves a WAL
        filler = lab.path.parent / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * 2_000_000)
        try:
            lab.open()
        except LedgerError as exc:
            assert "full" in str(exc)  # noqa: PT017 (either is right, by what SQLite has to write)
            filler.unlink()
            lab.open()
        else:
            refused(lab, "b")
            filler.unlink()
            lab.wait_for_trouble(False)
        assert lab.append(draft("a"), draft("b")).stored == 1
        lab.check()
        lab.close()


@pytest.mark.root
@needs_root
def test_a_read_only_file_system_is_said_at_the_start(lab: LedgerLab) -> None:
    lab.open()
    lab.close()
    directory = str(lab.path.parent)
    mount("--bind", directory, directory)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
        with pytest.raises(LedgerError, match="Read-only file system"):
            lab.open()
    finally:
        subprocess.run(["umount", "-l", directory], check=True)
    lab.open()
    lab.check()


def test_a_ledger_that_became_read_only_heals_by_itself(lab: LedgerLab) -> None:
    lab.open()
    connection = lab.appender._writer.pen.connection
    connection.execute("PRAGMA query_only=ON")  # gives SQLITE_READONLY, as a file system would
    assert refused(lab, "a").startswith("read-only")
    connection.execute("PRAGMA query_only=OFF")
    lab.wait_for_trouble(False)
    assert lab.append(draft("a")).stored == 1
    lab.check()
