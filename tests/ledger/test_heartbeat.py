"""Heartbeats: signed silence, and counts that equal the entries in between."""

import time

import pytest

from audit_receiver.ledger import writer
from audit_receiver.ledger.counters import Counted, Counters
from tests.kit.lab import LedgerLab, draft


def beats(lab: LedgerLab) -> int:
    return len(lab.events("heartbeat"))


def test_silence_is_recorded_too(lab: LedgerLab) -> None:
    lab.open(heartbeat_seconds=60)
    lab.clock.pass_seconds(60)
    lab.appender._waiting.wake()
    deadline = time.monotonic() + 20
    while beats(lab) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    (beat,) = lab.events("heartbeat")
    assert (beat["from"], beat["to"]) == (0, 2)
    assert beat["services"] == {}
    assert beat["tallies"] == [
        ["ledger.config", "", 1],
        ["ledger.genesis", "", 1],
        ["ledger.start", "", 1],
    ]
    lab.check(4)


def test_the_writer_wakes_by_itself_when_it_is_idle(lab: LedgerLab) -> None:
    lab.open(heartbeat_seconds=0.05)
    deadline = time.monotonic() + 20
    while beats(lab) < 3:
        assert time.monotonic() < deadline
        lab.clock.pass_seconds(0.05)
        time.sleep(0.01)
    lab.check()


def test_a_heartbeat_counts_by_service_and_tallies_by_action_and_outcome(lab: LedgerLab) -> None:
    lab.open(heartbeat_seconds=60)
    lab.append(draft("a"), draft("b", outcome="failure"), draft("c", service="web", action="x"))
    lab.append(draft("a"), draft("b", outcome="success"))
    lab.appender.note("svc", received=10, skipped=6)
    lab.appender.note("quiet", received=3, skipped=3)
    lab.appender.count("refused", 2)
    lab.appender.count("undecodable")
    lab.clock.pass_seconds(60)
    lab.append(draft("d"))
    (beat,) = lab.events("heartbeat")
    zero = {"received": 0, "stored": 0, "skipped": 0, "duplicate": 0, "conflict": 0}
    assert beat["services"] == {
        "svc": {**zero, "received": 10, "stored": 4, "skipped": 6, "duplicate": 1, "conflict": 1},
        "web": {**zero, "stored": 1},
        "quiet": {**zero, "received": 3, "skipped": 3},
    }
    assert (beat["undecodable"], beat["refused"], beat["unauthenticated"]) == (1, 2, 0)
    assert ["user.login", "success", 3] in beat["tallies"], "the record of the same group too"
    lab.clock.pass_seconds(60)
    lab.settle()
    second = lab.events("heartbeat")[1]
    assert (second["services"], second["tallies"]) == ({}, [["ledger.heartbeat", "", 1]])
    assert (second["from"], second["to"]) == (beat["to"] + 1, beat["to"] + 1), "the one before"
    lab.check()


def test_after_a_crash_the_tallies_are_recounted_from_the_ledger(lab: LedgerLab) -> None:
    lab.open(heartbeat_seconds=60)
    lab.clock.pass_seconds(60)
    lab.append(draft("a"))
    lab.append(draft("b"), draft("c", service="web"))
    lab.append(draft("b", outcome="failure"))
    lab.crash()
    lab.open()
    lab.append(draft("d"))
    lab.close()
    second = lab.events("heartbeat")[1]
    zero = {"skipped": 0, "duplicate": 0}
    assert second["services"] == {
        "svc": {**zero, "received": 2, "stored": 3, "conflict": 1},
        "web": {**zero, "received": 1, "stored": 1, "conflict": 0},
    }
    lab.check()


def test_what_a_failed_heartbeat_took_is_not_lost(lab: LedgerLab) -> None:
    lab.open(heartbeat_seconds=60)
    lab.appender.note("svc", received=5)
    connection = lab.appender._writer.pen.connection
    connection.execute("PRAGMA query_only=ON")
    lab.clock.pass_seconds(60)
    lab.appender._waiting.wake()
    lab.wait_for_trouble()
    connection.execute("PRAGMA query_only=OFF")
    lab.wait_for_trouble(False)
    lab.settle()
    beat = lab.events("heartbeat")[0]
    assert beat["services"]["svc"]["received"] == 5
    lab.check()


def test_a_heartbeat_comes_early_before_its_tallies_or_a_recount_grow_without_bound(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_TALLIES", 20)
    lab.open()
    lab.append(*(draft(f"r{number}", action=f"a{number}") for number in range(30)))
    lab.append(draft("next"))
    assert beats(lab) == 1
    monkeypatch.setattr(writer, "MOST_UNTALLIED", 50)
    lab.append(*(draft(f"s{number}") for number in range(60)))
    lab.append(draft("after"))
    assert beats(lab) == 2
    lab.check()


def test_beyond_a_thousand_services_the_rest_is_counted_together() -> None:
    counted = Counted()
    for number in range(1001):
        counted.stored(f"s{number}", conflict=False)
    counted.stored("s0", conflict=True)
    services = counted.fields()["services"]
    assert len(services) == 1001
    assert services["other"]["stored"] == 1
    assert (services["s0"]["stored"], services["s0"]["conflict"]) == (2, 1)


@pytest.mark.parametrize(
    ("name", "counted_as"),
    [
        ("a" * 120, "a" * 120),
        ("a" * 121, "a" * 117 + "…"),
        ("é" * 60, "é" * 60),
        ("é" * 61, "é" * 58 + "…"),  # 116 bytes: a character is not cut in two
        ("\N{GRINNING FACE}" * 31, "\N{GRINNING FACE}" * 29 + "…"),
        ("b" * 10_000_000, "b" * 117 + "…"),
    ],
    ids=["120 bytes", "121", "two bytes each", "two bytes, too many", "four bytes", "10 MB"],
)
def test_a_service_with_a_long_name_is_counted_under_a_cut_one(name: str, counted_as: str) -> None:
    counters = Counters()
    counters.note(name, 3, 1)
    more = Counted()
    more.stored(name, conflict=False)
    counters.add(more)
    services = counters.take().fields()["services"]
    assert list(services) == [counted_as]
    assert (services[counted_as]["received"], services[counted_as]["stored"]) == (3, 1)


def test_a_long_name_stands_cut_in_the_ledger_too(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("r1", service="s" * 5000))
    lab.close()
    [beat] = [event for event in lab.events("heartbeat") if event["services"]]
    assert list(beat["services"]) == ["s" * 117 + "…"]
    lab.check()


def test_only_known_totals_are_counted() -> None:
    counters = Counters()
    counters.count("refused", 3)
    with pytest.raises(ValueError, match="rejected"):
        counters.count("rejected", 1)
    assert counters.take().fields()["refused"] == 3
    assert counters.take().fields()["refused"] == 0
