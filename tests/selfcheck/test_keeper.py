"""The ledger checked by a process of its own: what is recorded, what is told, what goes on."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.record import events
from audit_receiver.selfcheck import keeper
from audit_receiver.selfcheck.keeper import SelfCheck
from tests.kit.attacker import Attacker
from tests.kit.lab import LedgerLab, draft

Recorded = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture
def lab(tmp_path: Path) -> LedgerLab:
    made = LedgerLab(tmp_path)
    made.open()
    made.append(*(draft(f"r{number}") for number in range(300)))
    return made


def checker(
    ledger: Path, full_seconds: float = 3600, interval: float = 3600
) -> tuple[SelfCheck, Recorded]:
    recorded: Recorded = []
    made = SelfCheck(
        ledger, interval, full_seconds, lambda *said: recorded.append(said), lambda: 5.0
    )
    return made, recorded


async def test_a_live_ledger_is_checked_and_gone_on_from(lab: LedgerLab) -> None:
    check, recorded = checker(lab.path)
    first = await check.check()
    assert (first.result, first.first, first.to) == ("holds", 0, lab.appender.tip.size - 1)
    await asyncio.to_thread(lab.append, draft("later"))
    second = await check.check()
    assert (second.result, second.first) == ("holds", first.to + 1)
    assert second.to == lab.appender.tip.size - 1
    assert [(event, fields["result"]) for event, fields in recorded] == [("check", "holds")] * 2
    assert set(recorded[0][1]) == set(events.EVENTS["check"])
    assert check.state() == {"result": "holds", "to": second.to}
    lab.close()


async def test_what_it_records_can_be_kept_by_the_ledger_it_checks(lab: LedgerLab) -> None:
    check = SelfCheck(lab.path, 3600, 3600, lab.appender.record, lambda: 5.0)
    await check.check()
    await asyncio.to_thread(lab.settle)
    [event] = lab.events("check")
    assert (event["result"], event["findings"]) == ("holds", [])
    assert (await check.check()).result == "holds", "its own record included"
    lab.close()
    lab.check()


async def test_what_does_not_hold_is_told_loudly_until_it_holds_again(
    lab: LedgerLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.close()
    kept = lab.path.with_suffix(".kept")
    shutil.copy(lab.path, kept)
    check, recorded = checker(lab.path)
    assert (await check.check()).result == "holds"
    with Attacker(lab.path) as attacker:
        attacker.set(7, body=None)
    assert (await check.check()).result == "holds", "it lies before what is checked every time"
    check._full_at -= 7200
    found = await check.check()
    assert (found.result, found.findings) == ("does not hold", [["body_missing", 7, 7]])
    assert recorded[-1][1]["findings"] == [["body_missing", 7, 7]]
    assert "Records are still taken" in check.state()["alarm"]
    assert "the body is gone" in caplog.text
    check._full_at = asyncio.get_running_loop().time()
    assert (await check.check()).result == "does not hold", "and it is looked for in all of it"
    shutil.copy(kept, lab.path)
    assert (await check.check()).result == "holds"
    assert "alarm" not in check.state()


async def test_a_ledger_that_cannot_be_read_is_a_check_that_failed(tmp_path: Path) -> None:
    check, recorded = checker(tmp_path / "none.db")
    outcome = await check.check()
    assert (outcome.result, outcome.to) == ("failed", -1)
    assert "there is no ledger here" in check.state()["alarm"]
    assert recorded[0][1]["result"] == "failed"


async def test_a_process_that_dies_is_a_check_that_failed(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "CHILD", "audit_receiver.no_such_module")
    check, _ = checker(lab.path)
    outcome = await check.check()
    assert outcome.result == "failed"
    assert "No module named" in outcome.words[0]
    lab.close()


async def test_a_stop_ends_the_check_under_way(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "CHILD", "tests.selfcheck.sleeper")
    check, recorded = checker(lab.path, interval=0.01)
    check.start()
    for _ in range(500):
        if lab.path.with_suffix(".asleep").exists():
            break
        await asyncio.sleep(0.02)
    pid = int(lab.path.with_suffix(".asleep").read_text())
    await check.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert recorded == []
    lab.close()


async def test_an_interval_of_zero_checks_nothing(lab: LedgerLab) -> None:
    check, _ = checker(lab.path, interval=0)
    check.start()
    assert check._task is None
    await check.stop()
    lab.close()
