"""Who may read what: another user of the group, beside a service and without (threats 5.3)."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.lab import LedgerLab, draft

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which only root can"),
]

READER, GROUP = 65_533, 65_534

# Imports come first: the interpreter itself may lie where that user cannot read.
BECOME = """
import os, pathlib, sqlite3, subprocess, sys
from pathlib import Path
from audit_receiver.errors import LedgerError
from audit_receiver.ledger.reader import Reader
from tests.kit.lab import LedgerLab

os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[3]))
"""
PROGRAM = """
try:
    with Reader(Path(sys.argv[1])) as reader:
        print(reader.size(), len(list(reader.entries())))
        print(list(reader.select("SELECT count(*) FROM audit_records")[1]))
except LedgerError as exc:
    print(type(exc).__name__, exc)
"""


def as_reader(path: Path, program: str = PROGRAM, group: int = GROUP) -> str:
    """Run a program as a user that owns nothing here and belongs to this group."""
    run = subprocess.run(
        [sys.executable, "-c", BECOME + program, str(path), str(group), str(READER)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that others may pass; pytest closes its own to them at each of its starts."""
    with tempfile.TemporaryDirectory(prefix="audit-receiver-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def shared(lab: LedgerLab) -> LedgerLab:
    """A ledger whose directory belongs to the readers' group, as an installation makes it."""
    lab.path.parent.mkdir()
    os.chown(lab.path.parent, 0, GROUP)
    lab.path.parent.chmod(0o2750)
    lab.open()
    lab.append(draft("a"), draft("b"))
    return lab


def test_the_files_belong_to_the_group_that_reads(shared: LedgerLab) -> None:
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        status = shared.path.with_name(name).stat()
        assert (status.st_gid, status.st_mode & 0o777) == (GROUP, 0o640), name
    shared.check()


def test_a_group_member_reads_while_the_service_runs(shared: LedgerLab) -> None:
    assert as_reader(shared.path) == "5 5\n[(2,)]"
    shared.append(draft("c"))
    assert as_reader(shared.path) == "6 6\n[(3,)]"
    assert shared.incidents() == []
    shared.check()


def test_a_group_member_reads_with_the_stock_shell(shared: LedgerLab) -> None:
    shell = (
        "subprocess.run(['sqlite3', '-readonly', sys.argv[1],"
        " 'SELECT count(*) FROM audit_records'], check=True)"
    )
    assert as_reader(shared.path, shell) == "2"
    shared.close()
    assert as_reader(shared.path, shell) == "2"
    shared.check()


def test_a_group_member_reads_after_a_clean_stop(shared: LedgerLab) -> None:
    shared.close()
    assert as_reader(shared.path) == "7 7\n[(2,)]"
    shared.check()


def test_a_group_member_reads_what_a_crash_left(shared: LedgerLab) -> None:
    shared.crash()
    assert shared.path.with_name("ledger.db-shm").exists()
    assert as_reader(shared.path) == "5 5\n[(2,)]"
    shared.check()


def test_a_group_member_is_told_what_to_do_where_sqlite_cannot_read(shared: LedgerLab) -> None:
    shared.crash()
    shared.path.with_name("ledger.db-shm").unlink()
    answer = as_reader(shared.path)
    assert answer.startswith("LedgerError")
    assert "may not write to" in answer
    assert "stop it cleanly once" in answer
    shared.check()


def test_an_outsider_is_told_about_the_group(shared: LedgerLab) -> None:
    shared.path.parent.chmod(0o755)
    answer = as_reader(shared.path, group=READER)
    assert "join the ledger's group" in answer
    shared.check()


def test_a_reader_cannot_write_not_even_with_a_writing_connection(shared: LedgerLab) -> None:
    attack = (
        "try: sqlite3.connect(sys.argv[1]).execute('DROP TRIGGER entry_delete')\n"
        "except sqlite3.OperationalError as exc: print(exc)"
    )
    assert as_reader(shared.path, attack) == "attempt to write a readonly database"
    shared.append(draft("c"))
    shared.check()


def test_a_reader_cannot_read_the_keys(shared: LedgerLab) -> None:
    spy = (
        "for name in ('ledger.key', 'ledger.logkey', 'ledger.dedup'):\n"
        "    try: pathlib.Path(sys.argv[1]).with_name(name).read_bytes()\n"
        "    except PermissionError: print(name)"
    )
    assert as_reader(shared.path, spy).split() == ["ledger.key", "ledger.logkey", "ledger.dedup"]
    shared.check()


def test_a_service_without_write_access_is_told_so(shared: LedgerLab) -> None:
    shared.close()
    start = (
        "try: LedgerLab(Path(sys.argv[1]).parent.parent).open()\n"
        "except LedgerError as exc: print(exc)"
    )
    answer = as_reader(shared.path, start)
    assert "must be able to write" in answer
    shared.path.with_suffix(".lock").chmod(0o666)
    answer = as_reader(shared.path, start)
    assert "readonly database" in answer or "cannot be" in answer
    shared.check()
