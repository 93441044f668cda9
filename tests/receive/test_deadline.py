"""Waiting for the writer ends in time, whoever else waits (receive/deadline.py)."""

import asyncio
import gc
import weakref

import pytest

from audit_receiver.receive.deadline import Deadline


def _futures(number: int) -> list["asyncio.Future[object]"]:
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(number)]


async def test_each_of_many_fails_at_its_own_time() -> None:
    loop = asyncio.get_running_loop()
    deadline = Deadline(loop, 0.1)
    early, late = _futures(2)
    began = loop.time()
    deadline.watch(early)
    await asyncio.sleep(0.06)
    deadline.watch(late)
    with pytest.raises(TimeoutError):
        await early
    assert 0.09 <= loop.time() - began < 0.15
    assert not late.done()
    with pytest.raises(TimeoutError):
        await late
    assert 0.15 <= loop.time() - began < 0.3


async def test_one_that_is_done_keeps_its_result() -> None:
    deadline = Deadline(asyncio.get_running_loop(), 0.05)
    answered, cancelled = _futures(2)
    for future in (answered, cancelled):
        deadline.watch(future)
    answered.set_result(7)
    cancelled.cancel()
    await asyncio.sleep(0.1)
    assert answered.result() == 7
    assert cancelled.cancelled()


async def test_after_an_idle_time_the_next_is_watched_again() -> None:
    deadline = Deadline(asyncio.get_running_loop(), 0.03)
    for _ in range(2):
        (future,) = _futures(1)
        deadline.watch(future)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 1)


async def test_what_is_done_is_not_kept_until_its_time() -> None:
    deadline = Deadline(asyncio.get_running_loop(), 60)
    for future in _futures(1000):
        deadline.watch(future)
        future.set_result(None)
    seen = weakref.ref(future)
    del future
    deadline.watch(*_futures(1))
    gc.collect()
    assert seen() is None
