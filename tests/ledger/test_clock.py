"""The ledger's time: strictly rising, held when the wall clock falls back, refused far ahead."""

import time

import pytest

from audit_receiver.errors import LedgerUnavailable
from tests.kit.lab import SECOND, START, LedgerLab, draft

DAY = 86_400


def received(lab: LedgerLab) -> list[str]:
    return [header["received"] for header in lab.headers()]


def test_received_is_the_wall_clock_or_one_nanosecond_more(lab: LedgerLab) -> None:
    lab.open()
    lab.appender.append([draft("a"), draft("b")])  # the clock stands still
    assert [text[-10:] for text in received(lab)] == [f"00000000{n}Z" for n in range(5)]
    lab.clock.wall = START + 5 * SECOND + 7
    lab.clock.monotonic += 5 * SECOND
    lab.appender.append([draft("c")])
    assert received(lab)[-1] == "2026-09-21T14:13:25.000000007Z"  # date -u -d @1790000005
    lab.check(6)


def test_a_small_step_back_is_smoothed_without_a_word(lab: LedgerLab) -> None:
    lab.open()
    lab.clock.wall -= SECOND - 2  # the last entry is 2 ns after the start
    lab.appender.append([draft("a")])
    assert lab.headers()[-1]["flags"] == []
    assert lab.incidents() == []
    lab.check(4)


def test_a_fall_back_is_one_incident_an_episode_and_a_flag_on_each_entry(lab: LedgerLab) -> None:
    lab.open()
    lab.clock.pass_seconds(10)
    lab.appender.append([draft("a")])
    lab.clock.wall -= 5 * SECOND
    lab.appender.append([draft("b")])
    lab.clock.wall += 4 * SECOND + SECOND // 2  # half a second behind: the episode goes on
    lab.appender.append([draft("c")])
    assert [header["flags"] for header in lab.headers()[-3:]] == [["clock_held"]] * 3
    lab.clock.wall += SECOND
    lab.appender.append([draft("d")])
    assert lab.headers()[-1]["flags"] == []
    assert lab.incidents() == ["clock_back"]
    (incident,) = lab.events("incident")
    assert incident["wall"] == "2026-09-21T14:13:25.000000000Z"
    assert incident["last"] == "2026-09-21T14:13:30.000000000Z"
    lab.clock.wall -= 5 * SECOND
    lab.appender.append([draft("e")])
    assert lab.incidents() == ["clock_back", "clock_back"], "another episode"
    lab.check()


def test_a_clock_that_runs_ahead_of_the_monotonic_one_is_refused(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    lab.clock.wall += 301 * SECOND
    with pytest.raises(LedgerUnavailable, match="--accept-clock"):
        lab.append(draft("b"))
    assert lab.wait_for_trouble().startswith("clock")
    with pytest.raises(LedgerUnavailable, match="--accept-clock"):
        lab.appender.submit([draft("b")], lambda _: None)
    lab.clock.wall -= 301 * SECOND
    lab.wait_for_trouble(False)
    assert lab.append(draft("b")).stored == 1
    assert lab.incidents() == ["unavailable"]
    lab.check()


def test_while_the_clock_is_refused_the_operator_is_told_once(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    for _ in range(2):
        told = len(lab.witness.troubles)
        lab.clock.wall += 301 * SECOND
        with pytest.raises(LedgerUnavailable):
            lab.append(draft("b"))
        first = lab.wait_for_trouble()
        for _ in range(5):  # the writer tries again, and reads other times each time
            before = lab.appender.status().reason
            lab.clock.wall += SECOND
            deadline = time.monotonic() + 10
            while lab.appender.status().reason == before:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        assert lab.witness.troubles[told:] == [first]
        lab.clock.wall -= 306 * SECOND
        lab.wait_for_trouble(False)
        assert lab.witness.troubles[told:] == [first, ""], "the end of it is told too"
    lab.check()


def test_five_minutes_ahead_are_believed(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    lab.clock.wall += 300 * SECOND
    assert lab.append(draft("b")).stored == 1
    lab.check()


def test_a_long_idle_time_is_no_jump(lab: LedgerLab) -> None:
    lab.open(heartbeat_seconds=100 * DAY)
    lab.append(draft("a"))
    lab.clock.pass_seconds(91 * DAY)  # a machine that slept; ninety days are a matter of starts
    assert lab.append(draft("b")).stored == 1
    lab.check()


def test_a_start_long_after_the_last_entry_waits_for_an_operator(lab: LedgerLab) -> None:
    lab.open()
    lab.close()
    size = len(lab.headers())
    lab.clock.pass_seconds(90 * DAY + 1)
    lab.open()
    assert not lab.appender.status().ok
    with pytest.raises(LedgerUnavailable, match="--accept-clock"):
        lab.append(draft("a"))
    assert "could not be recorded" in lab.close()
    lab.check(size)
    lab.open(accept_clock=True)
    assert lab.append(draft("a")).stored == 1
    assert lab.incidents() == ["clock_accepted"]
    lab.check()


def test_ninety_days_after_the_last_entry_are_believed(lab: LedgerLab) -> None:
    lab.open()
    lab.close()
    lab.clock.pass_seconds(90 * DAY - 1)
    lab.open()
    assert lab.append(draft("a")).stored == 1
    lab.check()


def test_a_start_long_before_the_last_entry_waits_for_the_clock_or_an_operator(
    lab: LedgerLab,
) -> None:
    lab.open()
    lab.close()
    size, last = len(lab.headers()), lab.clock.wall
    lab.clock.wall -= 301 * SECOND  # a machine whose clock was not set yet
    lab.open()
    with pytest.raises(LedgerUnavailable, match="5 minutes before the last entry"):
        lab.append(draft("a"))
    lab.check(size)
    lab.clock.wall = last
    lab.wait_for_trouble(False)
    assert lab.append(draft("a")).stored == 1
    assert "clock_held" not in lab.headers()[-1]["flags"]
    lab.close()
    lab.clock.wall -= DAY * SECOND
    lab.open(accept_clock=True)
    assert lab.append(draft("b")).stored == 1
    assert "clock_held" in lab.headers()[-1]["flags"]
    assert "clock_accepted" in lab.incidents()
    lab.check()


def test_a_start_before_the_last_entry_holds_the_clock(lab: LedgerLab) -> None:
    lab.open()
    lab.close()
    lab.clock.wall -= 299 * SECOND
    lab.open()
    assert lab.incidents() == ["clock_back"]
    assert lab.events("start")[-1]["clean"] is True
    assert lab.append(draft("a")).stored == 1
    assert "clock_held" in lab.headers()[-1]["flags"]
    lab.close()
    lab.open()
    assert lab.events("start")[-1]["clean"] is True, "the newest stop is found all the same"
    lab.check()
