"""`serve` checks its own ledger: recorded, counted, shown in readiness; intake goes on."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.service.running import Running, running

PACE = "50ms"


def results(ledger: Path) -> list[str]:
    """Of the `check` entries in the ledger."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT body FROM entry WHERE action = 'ledger.check'")
        return [json.loads(body)["event"]["result"] for (body,) in rows]


def sign_first_head(ledger: Path, signature: bytes) -> bytes:
    """Put another signature into the first head, past the guard; returns the one before."""
    with closing(sqlite3.connect(ledger, isolation_level=None, timeout=20)) as hands:
        hands.execute("BEGIN IMMEDIATE")
        [(guard,)] = hands.execute("SELECT sql FROM sqlite_master WHERE name = 'head_update'")
        [(before,)] = hands.execute("SELECT signature FROM head WHERE size = 1")
        hands.execute("DROP TRIGGER head_update")
        hands.execute("UPDATE head SET signature = ? WHERE size = 1", (signature,))
        hands.execute(guard)
        hands.execute("COMMIT")
        return bytes(before)


async def told(service: Running, alarm: bool) -> dict[str, Any]:
    """Wait until readiness has the alarm, or has a check without one."""
    async with asyncio.timeout(40):
        while True:
            ready = await service.get("/readyz")
            found = ready.body.get("self_check", {})
            if found and ("alarm" in found) is alarm:
                assert (ready.status, ready.body["status"]) == (200, "ready")
                return dict(found)
            await asyncio.sleep(0.1)


async def test_the_ledger_is_checked_at_its_pace_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, {"self_check": {"interval": PACE}}) as service:
        async with asyncio.timeout(40):
            while len(results(service.ledger)) < 2:
                await asyncio.sleep(0.1)
        assert (await told(service, alarm=False))["result"] == "holds"
        metrics = (await service.get("/metrics")).body
        assert 'audit_receiver_self_checks_total{result="holds"}' in metrics
        assert "audit_receiver_self_check_holds 1.0" in metrics
    assert set(results(service.ledger)) == {"holds"}


async def test_a_ledger_that_does_not_hold_is_an_alarm_and_no_refusal(tmp_path: Path) -> None:
    pace = {"self_check": {"interval": PACE, "full": "0s"}}
    async with running(tmp_path, pace) as service:
        await told(service, alarm=False)
        good = sign_first_head(service.ledger, bytes(64))
        found = await told(service, alarm=True)
        assert found["result"] == "does not hold"
        assert "not signed by the ledger's key" in found["alarm"]
        assert "audit_receiver_self_check_holds 0.0" in (await service.get("/metrics")).body
        sign_first_head(service.ledger, good)
        await told(service, alarm=False)
    assert {"holds", "does not hold"} <= set(results(service.ledger))
