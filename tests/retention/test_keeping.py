"""What a running service does about retention by itself."""

import asyncio
import sqlite3
from typing import Any

import pytest

from audit_receiver import keeping, telemetry
from audit_receiver.config.load import parse
from audit_receiver.keeping import Keeping
from tests.kit.lab import SECOND, LedgerLab
from tests.retention.scene import WHO, engine, fill, holds

DAY = 86_400 * SECOND


def opened(lab: LedgerLab, **retention: Any) -> Keeping:
    text = f"{{ledger: {{path: '{lab.path}'}}, anchors: {{}}, retention: {retention}}}"
    config = parse(text, "test", {})
    return Keeping(config, lab.appender, None, lambda: lab.clock.wall + 3 * DAY)  # type: ignore[arg-type]


def gone(lab: LedgerLab) -> int:
    return int(lab.rows("SELECT count(*) FROM entry WHERE body IS NULL")[0][0])


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_what_the_policy_lets_go_goes_once_a_day(lab: LedgerLab) -> None:
    await asyncio.to_thread(lab.open, retention={"keep": "2d"})
    await asyncio.to_thread(fill, lab, 20)
    service = opened(lab, apply="daily", keep="2d")
    assert service.warning() == ""
    service.start()
    await until(lambda: lab.events("deleted"))
    await service.stop()
    assert gone(lab) == 20
    [prune] = lab.events("prune")
    assert (prune["authoriser"], prune["policy"]) == ("configuration", {"keep": "2d"})
    await asyncio.to_thread(lab.close)
    holds(lab.path)


async def test_nothing_goes_by_itself_unless_it_is_asked_for(lab: LedgerLab) -> None:
    await asyncio.to_thread(lab.open, retention={"keep": "2d"})
    await asyncio.to_thread(fill, lab, 5)
    service = opened(lab, keep="9d")
    assert "is not the ledger's" in service.warning()
    await service._look()
    assert gone(lab) == 0


async def test_what_was_left_unfinished_is_tried_again_and_counted(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LOOK_SECONDS", 0.05)
    await asyncio.to_thread(lab.open)
    await asyncio.to_thread(fill, lab, 10)
    service = opened(lab)
    reader = sqlite3.connect(f"file:{lab.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entry").fetchone()
    with pytest.raises(Exception, match="unfinished"):
        await asyncio.to_thread(engine(lab).erase, [(5, 6)], WHO)
    service.start()
    await until(lambda: telemetry.UNFINISHED._value.get() == 1)
    reader.close()
    await until(lambda: telemetry.UNFINISHED._value.get() == 0)
    await service.stop()
    assert len(lab.events("deleted")) == 1
