"""An auditor with docs/anchors.md, sqlite3 and openssl: no program of ours."""

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.anchor.test_faults import send, until
from tests.kit.server import ROOT, run_cli
from tests.kit.timestamping import TimestampAuthority, served
from tests.service.running import running


def commands() -> str:
    """The shell commands of the section `timestamp`."""
    section = (ROOT / "docs" / "anchors.md").read_text().split("## timestamp")[1]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


async def test_the_document_s_commands_judge_a_token_that_the_service_kept(tmp_path: Path) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("the stock sqlite3 shell is not installed (apt install sqlite3)")
    authority = TimestampAuthority(tmp_path / "authority")
    other = TimestampAuthority(tmp_path / "other")
    with served(authority, other) as outside:
        stamping = {"url": outside.url, "ca_file": str(authority.root)}
        async with running(tmp_path, {"anchors": {"timestamp/a": stamping}}) as run:
            await send(run)
            await until(run, "stamped", lambda now: now["timestamp/a"]["state"] == "on")
    there = tmp_path / "auditor"
    there.mkdir()
    ledger = there / "ledger.db"
    shutil.copy(run.ledger, ledger)
    shutil.copy(authority.root, there / "tsa-roots.pem")

    def judge() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-c", commands()], cwd=there, capture_output=True, text=True, check=False
        )

    good = judge()
    assert good.returncode == 0, good.stderr
    assert "Verification: OK" in good.stdout
    assert "Time stamp: " in good.stdout
    size = int((there / "note.txt").read_text().splitlines()[1])
    with sqlite3.connect(ledger) as connection:
        sizes = connection.execute("SELECT size FROM anchored").fetchall()
    assert sizes == [(size,)]

    verified = run_cli("verify", ledger, "--tsa-roots", there / "tsa-roots.pem", cwd=there)
    assert f"signer of {authority.folder.name}" in verified.stdout, verified.stdout

    shutil.copy(other.root, there / "tsa-roots.pem")
    assert judge().returncode != 0, "an authority that nobody trusts"
    shutil.copy(authority.root, there / "tsa-roots.pem")
    with sqlite3.connect(ledger) as connection:
        connection.execute("DROP TRIGGER checkpoint_update")
        connection.execute(
            "UPDATE checkpoint SET note = replace(note, char(10) || ?, ?)", (size, 9)
        )
    assert judge().returncode != 0, "another note"
