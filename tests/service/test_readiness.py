"""/readyz is 200 only while records can be stored and read, else 503 with the reason."""

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from audit_receiver.ledger import writer
from tests.service.running import Running, running


async def until(run: Running, status: int) -> str:
    """Ask until this is the answer; the reason that it names."""
    async with asyncio.timeout(10):
        while (answer := await run.get("/readyz")).status != status:
            await asyncio.sleep(0.02)
    return str(answer.body.get("reason", ""))


async def test_a_new_ledger_is_ready_and_says_how_many_entries_it_has(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        await run.settled()
        answer = await run.get("/readyz")
        with sqlite3.connect(f"file:{run.ledger}?mode=ro", uri=True) as connection:
            [(entries,)] = connection.execute("SELECT count(*) FROM entry").fetchall()
        connection.close()
        told = {"status": answer.body["status"], "entries": answer.body["entries"]}
        assert (answer.status, told) == (200, {"status": "ready", "entries": entries})


async def test_readiness_tells_how_each_anchor_stands(tmp_path: Path) -> None:
    async with running(tmp_path) as run, asyncio.timeout(10):
        while True:
            [anchor] = (await run.get("/readyz")).body["anchors"]
            if anchor["state"] == "on":
                break
            await asyncio.sleep(0.02)
        note = (tmp_path / "anchor" / "checkpoints.txt").read_text().split("\n=\n")[0] + "\n"
        assert anchor["size"] == int(note.split("\n")[1]) > 0
        assert (anchor["anchor"], anchor["reason"]) == ("file", "")
        checkpoint = await run.get("/checkpoint")
        assert (checkpoint.status, checkpoint.body) == (200, note)


async def test_a_ledger_that_cannot_be_opened_is_503_with_the_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        await run.settled()
        away = run.ledger.rename(run.ledger.with_name("away"))
        gone = await run.get("/readyz")
        assert (gone.status, "there is no ledger" in gone.body["reason"]) == (503, True)
        os.mknod(run.ledger, stat.S_IFSOCK | 0o600)  # no kind of file that SQLite would open
        strange = await run.get("/readyz")
        assert strange.status == 503
        assert "cannot be opened for reading" in strange.body["reason"]
        run.ledger.unlink()
        away.rename(run.ledger)
        assert (await run.get("/readyz")).status == 200


async def test_a_ledger_that_cannot_be_written_is_503_until_it_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PROBE_SECONDS", 0.02)
    full: list[int] = []
    monkeypatch.setattr("audit_receiver.ledger.guard.FileGuard.free_bytes", lambda _: min(full))
    full.append(1 << 40)
    over = {"ledger": {"disk_reserve": "1MiB", "heartbeat": "1s"}}
    async with running(tmp_path, over) as run:
        assert (await run.get("/readyz")).status == 200
        full.append(1000)
        reason = await until(run, 503)  # found out with the next heartbeat at the latest
        assert reason.startswith("disk: 1000 bytes are free")
        assert (await run.get("/healthz")).status == 200, "a restart would not help"
        full.remove(1000)
        assert await until(run, 200) == ""
