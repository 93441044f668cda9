"""The stock sqlite3 shell on erased ledgers: what it can check, and what it is not let do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from audit_receiver.ledger import database
from tests.kit.lab import LedgerLab
from tests.retention.scene import WHO, engine, fill, holds

SHELL = shutil.which("sqlite3")
pytestmark = pytest.mark.skipif(SHELL is None, reason="no sqlite3 shell on this machine")


def shell(path: Path, sql: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(SHELL), "-batch", str(path)], input=sql, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def erased(lab: LedgerLab) -> Path:
    """Entries 5 to 9 erased, 12 to 13 erased after that, 15 held; at rest."""
    lab.open()
    fill(lab, 30)
    keeper = engine(lab)
    keeper.hold("h", [(15, 15)], WHO)
    keeper.erase([(5, 9)], WHO)
    keeper.erase([(12, 13)], WHO)
    lab.close()
    return lab.path


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE entry SET body = NULL WHERE seq = 20",
        "UPDATE entry SET body = NULL WHERE seq = 15",
        "UPDATE entry SET body = NULL WHERE seq = 0",
        "UPDATE entry SET body = '{}' WHERE seq = 12",
        "UPDATE entry SET body = NULL, hash = randomblob(32) WHERE seq = 20",
        "UPDATE entry SET header = header WHERE seq = 6",
        "UPDATE OR REPLACE entry SET body = NULL WHERE action = 'ledger.hold'",
        "UPDATE entry SET body = NULL WHERE action = 'ledger.erase'",
        "UPDATE entry SET body = NULL WHERE action = 'ledger.deleted'",
        "DELETE FROM entry WHERE seq = 6",
        "INSERT OR REPLACE INTO entry(seq, header, hash, body) SELECT seq, header, hash, NULL"
        " FROM entry WHERE seq = 20",
    ],
)
def test_what_no_entry_names_stays(erased: Path, attempt: str) -> None:
    code, said = shell(erased, f"{attempt};")
    assert code != 0
    assert "append only" in said
    holds(erased)


def test_only_the_newest_entry_lets_bodies_go(lab: LedgerLab) -> None:
    """An older one is used up: a body that came back could not be taken away by it."""
    lab.open()
    fill(lab, 30)
    connection = lab.appender._writer.pen.connection
    lab.appender.record("erase", {"ranges": [[5, 9]]})
    lab.settle()
    lab.appender.record("erase", {"ranges": [[12, 13]]})
    lab.settle()
    lab.close()
    assert "append only" in shell(lab.path, "UPDATE entry SET body = NULL WHERE seq = 6;")[1]
    assert shell(lab.path, "UPDATE entry SET body = NULL WHERE seq = 12;") == (0, "")
    assert connection is not None


def test_the_shells_own_check_holds_where_bodies_are_gone(erased: Path) -> None:
    code, said = shell(erased, database.check_text())
    assert code == 0, said
    entries, _, *bad, without_body = map(int, said.strip().split("|"))
    assert (set(bad), without_body) == ({0}, 7)
    assert entries > 30
    code, said = shell(erased, "SELECT sum(actor IS NULL), count(*) FROM audit_records;")
    assert (code, said.strip()) == (0, "7|30")
