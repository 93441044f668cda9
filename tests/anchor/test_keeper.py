"""Anchors at their own pace: the newest first, tried again, told of, never in records' way."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from audit_receiver.anchor import line
from audit_receiver.anchor.keeper import Keeper, Terms
from audit_receiver.anchor.model import AnchorError, NotDue, Published, Token
from audit_receiver.ledger.notary import Anchored


def published(size: int) -> Published:
    return Published("lab/1", size, bytes(32), f"note {size}", size)


class Outside:
    """An anchor whose answers the test decides: an error to raise, seconds to wait, or tokens."""

    def __init__(self, name: str = "lab") -> None:
        self.name = name
        self.answers: list[Any] = []
        self.asked: list[int] = []
        self.closed = False

    async def publish(self, published: Published) -> Sequence[Token]:
        self.asked.append(published.size)
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return ()
        return tuple(answer)

    async def newest(self) -> Sequence[str]:
        return ()

    async def close(self) -> None:
        self.closed = True


class Ledger:
    """What the keeper told the ledger."""

    def __init__(self) -> None:
        self.records = 0
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: list[Anchored] = []
        self.held = ""

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        self.told.append((event, fields))

    def keep_anchored(self, answers: Sequence[Anchored]) -> None:
        self.answers += answers

    def hold_back(self, reason: str) -> None:
        self.held = reason

    def states(self) -> list[str]:
        return [str(fields["state"]) for event, fields in self.told if event == "anchor"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(line, "LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(line, "TELL_SECONDS", 0.0)


class Scene:
    """A keeper with one anchor."""

    def __init__(self, timeout: float = 5.0, max_lag: float = 0.0) -> None:
        self.outside, self.ledger = Outside(), Ledger()
        self.keeper = Keeper([Terms(self.outside, timeout, max_lag)], self.ledger)
        self.keeper.start()

    async def until_asked(self, *sizes: int) -> None:
        async with asyncio.timeout(5):
            while self.outside.asked != list(sizes):
                await asyncio.sleep(0.002)

    async def until(self, state: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while (found := self.keeper.states()[0])["state"] != state:
                await asyncio.sleep(0.002)
        return found


async def test_a_checkpoint_goes_out_and_what_comes_back_is_kept() -> None:
    scene = Scene()
    scene.outside.answers = [[Token("timestamp", b"der")]]
    scene.keeper.offer(published(3), records=1)
    assert (await scene.until("on"))["size"] == 3
    assert scene.ledger.answers == [Anchored(3, "lab", "timestamp", b"der")]
    fields = {"anchor": "lab", "kind": "lab", "state": "on", "size": 3, "reason": ""}
    assert scene.ledger.told == [("anchor", fields)]
    assert await scene.keeper.finish(None) == []
    assert scene.outside.closed


async def test_what_waits_is_overtaken_by_the_newest() -> None:
    scene = Scene()
    scene.outside.answers = [0.05]
    scene.keeper.offer(published(3), 1)
    await scene.until_asked(3)
    for size in (4, 5, 6):
        scene.keeper.offer(published(size), size)
    await scene.until_asked(3, 6)
    await scene.keeper.finish(None)


async def test_what_failed_is_tried_again_until_it_is_kept() -> None:
    scene = Scene()
    scene.outside.answers = [AnchorError("gone"), AnchorError("gone"), AnchorError("still gone")]
    scene.keeper.offer(published(3), 1)
    await scene.until_asked(3, 3, 3, 3)
    await scene.until("on")
    assert scene.ledger.states() == ["failing", "on"]
    assert [f["reason"] for _, f in scene.ledger.told] == ["gone", ""]
    await scene.keeper.finish(None)


async def test_pauses_grow_to_the_longest_and_begin_anew_after_a_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "FIRST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(line, "LONGEST_PAUSE_SECONDS", 60.0)
    rests: list[float] = []

    async def rest(_: line.Line, seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(line.Line, "_rest", rest)
    scene = Scene()
    scene.outside.answers = [AnchorError("gone")] * 8
    scene.keeper.offer(published(3), 1)
    await scene.until("on")
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]
    scene.outside.answers = [AnchorError("gone")]
    scene.keeper.offer(published(4), 1)
    await scene.until_asked(*[3] * 9, 4, 4)
    assert rests[-1] == 1
    await scene.keeper.finish(None)


async def test_an_answer_that_does_not_come_is_a_failure_after_the_timeout() -> None:
    scene = Scene(timeout=0.02)
    scene.outside.answers = [30.0]
    scene.keeper.offer(published(3), 1)
    assert (await scene.until("failing"))["reason"] == "no answer within 0.02 s"
    await scene.until("on")
    await scene.keeper.finish(None)


async def test_another_history_outside_is_an_incident_and_never_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "TELL_SECONDS", 3600.0)  # of other changes too many were told
    scene = Scene()
    scene.outside.answers = [[], AnchorError("another root at 3", conflict=True)]
    scene.keeper.offer(published(3), 1)
    await scene.until("on")
    scene.keeper.offer(published(4), 1)
    await scene.until_asked(3, 4, 4)
    assert scene.ledger.states() == ["on", "conflict"]
    incident = {"incident": "anchor_conflict", "anchor": "lab", "reason": "another root at 3"}
    assert ("incident", incident) in scene.ledger.told
    await scene.keeper.finish(None)


async def test_a_fault_of_ours_is_a_failure_that_is_tried_again() -> None:
    scene = Scene()
    scene.outside.answers = [ZeroDivisionError("ours")]
    scene.keeper.offer(published(3), 1)
    assert (await scene.until("failing"))["reason"] == "ZeroDivisionError: ours"
    await scene.until("on")
    await scene.keeper.finish(None)


async def test_an_anchor_that_comes_and_goes_does_not_fill_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "TELL_SECONDS", 3600.0)
    scene = Scene()
    for size in range(1, 6):
        scene.outside.answers = [AnchorError("gone")]
        scene.keeper.offer(published(size), 1)
        await scene.until_asked(*[n for n in range(1, size + 1) for _ in "12"])
        await scene.until("on")
    assert scene.ledger.states() == ["failing"]
    await scene.keeper.finish(None)


async def test_the_lag_is_since_records_wait_and_none_without_records() -> None:
    scene = Scene()
    scene.keeper.offer(published(3), records=0)
    await scene.until("on")
    assert scene.keeper.states()[0]["lag_seconds"] == 0
    await asyncio.sleep(0.15)
    assert scene.keeper.states()[0]["lag_seconds"] == 0
    scene.ledger.records = 5
    await asyncio.sleep(0.15)
    assert scene.keeper.states()[0]["lag_seconds"] >= 0.1
    scene.keeper.offer(published(8), records=5)
    await scene.until_asked(3, 8)
    await asyncio.sleep(0.01)
    assert scene.keeper.states()[0]["lag_seconds"] == 0
    await scene.keeper.finish(None)


async def test_max_lag_holds_records_back_until_the_anchor_keeps_up() -> None:
    scene = Scene(max_lag=0.1)
    scene.keeper.offer(published(3), 0)
    await scene.until("on")
    scene.ledger.records = 1
    scene.outside.answers = [AnchorError("its disk is full")] * 1000
    scene.keeper.offer(published(4), 1)
    scene.keeper.look()
    assert scene.ledger.held == ""
    await asyncio.sleep(0.15)
    scene.keeper.look()
    assert "anchor lab" in scene.ledger.held
    assert "its disk is full" in scene.ledger.held
    scene.outside.answers = []
    await scene.until("on")
    scene.keeper.look()
    assert scene.ledger.held == ""
    await scene.keeper.finish(None)


async def test_the_last_checkpoint_does_not_wait_for_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "FIRST_PAUSE_SECONDS", 60.0)
    scene = Scene()
    scene.outside.answers = [AnchorError("gone")]
    scene.keeper.offer(published(3), 1)
    await scene.until("failing")
    assert await asyncio.wait_for(scene.keeper.finish(published(9)), 5) == []
    assert scene.outside.asked == [3, 9]
    told = len(scene.ledger.told)
    assert told == 1, "the ledger is closed by now: nothing more is written to it"


async def test_an_anchor_that_does_not_keep_the_last_one_is_named() -> None:
    scene = Scene()
    scene.outside.answers = [AnchorError("gone")] * 1000
    assert await asyncio.wait_for(scene.keeper.finish(published(9)), 5) == ["lab"]


async def test_one_that_is_not_due_is_on_and_covers_no_more_than_before() -> None:
    """Between two time stamps nothing is wrong, and nothing new is beyond the operator's reach."""
    scene = Scene(max_lag=0.05)
    scene.outside.answers = [NotDue("the last one is young", 3)]
    scene.ledger.records = 2
    scene.keeper.offer(published(5), 2)
    state = await scene.until("on")
    assert (state["size"], state["reason"]) == (3, "")
    assert scene.ledger.answers == []
    await asyncio.sleep(0.1)
    scene.keeper.look()
    assert "max_lag" in scene.ledger.held, "it does not cover what it did not keep"
    scene.keeper.offer(published(6), 2)
    await scene.until_asked(5, 6)
    scene.keeper.look()
    assert scene.keeper.states()[0]["size"] == 6
    assert scene.ledger.held == ""
    await scene.keeper.finish(None)
