"""Killed at every step of an erasure: the next start finishes what an entry authorised."""

from collections.abc import Callable
from typing import Any

import pytest

from audit_receiver.retention import engine as engine_module
from audit_receiver.retention.ranges import of_seqs
from tests.kit.lab import LedgerLab, draft
from tests.retention.scene import WHO, engine, fill, holds, left, person

MOST_STEPS = 40


class Killed(BaseException):
    """The process is gone."""


def killing(lab: LedgerLab, at: int, after: bool) -> Callable[[], int]:
    """Let the n-th thing that is asked of the writer be the last, before or after it is done."""
    asked = 0
    appender: Any = lab.appender

    def wrap(name: str) -> None:
        real = getattr(appender, name)

        def call(*arguments: Any) -> None:
            nonlocal asked
            asked += 1
            if asked == at and not after:
                raise Killed
            if asked == at:
                *given, done = arguments

                def dead(result: Any) -> None:
                    done(Killed())

                real(*given, dead)
                return
            real(*arguments)

        setattr(appender, name, call)

    for name in ("submit_record", "publish", "work"):
        wrap(name)
    return lambda: asked


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_step_it_is_finished_at_the_next_start(
    lab: LedgerLab, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "STEP_BODIES", 40)
    real_wait = engine_module.Engine._wait

    def wait(self: Any, submit: Any) -> Any:
        result: Any = real_wait(self, submit)
        if isinstance(result, Killed):
            raise result
        return result

    monkeypatch.setattr(engine_module.Engine, "_wait", wait)
    lab.open()
    fill(lab, 60 * 14)
    seqs = [seq for (seq,) in lab.rows("SELECT seq FROM entry WHERE kind <> 'ledger'")]
    wanted = iter(seqs)
    gone: set[str] = set()
    killed = 0
    for at in range(1, MOST_STEPS):
        chosen = [seq for seq, _ in zip(wanted, range(60), strict=False)]
        if len(chosen) < 60:
            break
        named = {person(lab, seq) for seq in chosen}
        asked = killing(lab, at, after)
        try:
            engine(lab).erase(of_seqs(chosen), WHO)
        except Killed:
            killed += 1
        else:
            assert asked() < at, "every step was the last one once"
            break
        lab.crash()
        authorised = any([chosen[0], chosen[-1]] in one["ranges"] for one in lab.events("erase"))
        lab.open()
        engine(lab).resume()
        present = {seq for (seq,) in lab.rows("SELECT seq FROM entry WHERE body IS NOT NULL")}
        assert authorised is (not present & set(chosen)), f"step {at}"
        assert not authorised or not left(lab, named), f"step {at}"
        gone |= named if authorised else set()
        assert engine(lab).resume() == 0
    assert killed >= 9, "entry, checkpoint, two steps, four indexes, samples, WAL, `deleted`"
    lab.append(draft("after"))
    lab.close()
    assert left(lab, gone) == set()
    holds(lab.path)
