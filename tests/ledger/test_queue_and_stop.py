"""A bounded queue in front of the writer, and a stop that answers everything in it."""

import threading
import time

import pytest

from audit_receiver.errors import LedgerBusy, ShuttingDown
from audit_receiver.ledger.appender import Appended
from audit_receiver.ledger.model import Job
from audit_receiver.ledger.waiting import Waiting
from tests.kit.lab import LedgerLab, draft


def test_a_full_queue_is_busy_and_heals(lab: LedgerLab) -> None:
    lab.open(queue=3)
    gate, entered = threading.Event(), threading.Event()
    lab.appender.submit([], lambda _: (entered.set(), gate.wait(20)))
    assert entered.wait(20)
    answers: list[object] = []
    for number in range(3):
        lab.appender.submit([draft(f"r{number}")], answers.append)
    with pytest.raises(LedgerBusy, match="3 requests"):
        lab.appender.submit([draft("r4")], answers.append)
    assert lab.appender.waiting == 3
    gate.set()
    while len(answers) < 3:
        time.sleep(0.001)
    lab.append(draft("r5"))
    assert lab.appender.waiting == 0
    lab.check(7)


def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits(lab: LedgerLab) -> None:
    lab.open(queue=2)
    assert lab.append(*(draft(f"r{number}") for number in range(100))).stored == 100
    gate, entered = threading.Event(), threading.Event()
    lab.appender.submit([], lambda _: (entered.set(), gate.wait(20)))
    assert entered.wait(20)
    lab.appender.submit([draft("small")], lambda _: None)
    with pytest.raises(LedgerBusy):
        lab.appender.submit([draft(f"s{number}") for number in range(100)], lambda _: None)
    gate.set()
    lab.settle()
    lab.check()


def test_a_queue_that_is_shut_takes_nothing_more() -> None:
    waiting = Waiting(2)
    job = Job([draft("a")], (), lambda _: None)
    waiting.put(job)
    waiting.shut(ShuttingDown("bye"))
    with pytest.raises(ShuttingDown, match="bye"):
        waiting.put(job)
    assert not waiting.put_own(Job((), (("read", {}),), None))
    assert waiting.take(0) == [job]
    assert waiting.take(0) == []


def test_own_records_that_nobody_waits_for_are_bounded() -> None:
    waiting = Waiting(2)
    job = Job((), (("read", {}),), None)
    assert all(waiting.put_own(job) for _ in range(1000))
    assert not waiting.put_own(job)
    assert len(waiting.take(0)) == 1000
    assert waiting.put_own(job)


def test_closing_answers_what_waits_and_refuses_what_comes(lab: LedgerLab) -> None:
    lab.open()
    gate, entered = threading.Event(), threading.Event()
    lab.appender.submit([], lambda _: (entered.set(), gate.wait(20)))
    assert entered.wait(20)
    answers: list[Appended | Exception] = []
    for number in range(10):
        lab.appender.submit([draft(f"r{number}")], answers.append)
    closer = threading.Thread(target=lab.appender.close)
    closer.start()
    while lab.appender.status().reason != "shutting down":
        pass
    with pytest.raises(ShuttingDown):
        lab.appender.submit([draft("late")], answers.append)
    gate.set()
    closer.join()
    assert len(answers) == 10
    assert all(isinstance(answer, Appended) for answer in answers), "drained, not dropped"
    assert [event["is"] for event in lab.events()][-2:] == ["heartbeat", "stop"]
    lab.check()


def test_what_cannot_be_drained_in_time_is_told_to_come_back(lab: LedgerLab) -> None:
    lab.open()
    gate, entered = threading.Event(), threading.Event()
    lab.appender.submit([], lambda _: (entered.set(), gate.wait(20)))
    assert entered.wait(20)
    answers: list[Appended | Exception] = []
    lab.appender.submit([draft("a")], answers.append)
    closer = threading.Thread(target=lab.appender.close, kwargs={"drain_seconds": -1})
    closer.start()
    while lab.appender.status().reason != "shutting down":
        pass
    gate.set()
    closer.join()
    assert [type(answer) for answer in answers] == [ShuttingDown]
    lab.check()


def test_a_clean_stop_leaves_one_file_in_delete_mode(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    assert lab.close() == ""
    with pytest.raises(ShuttingDown):  # also for who looked before the stop and puts after it
        lab.appender._waiting.put(Job([draft("b")], (), lambda _: None))
    assert sorted(path.name for path in lab.path.parent.iterdir()) == [
        "ledger.db",
        "ledger.dedup",
        "ledger.key",
        "ledger.lock",
        "ledger.logkey",
        "ledger.vkey",
    ]
    assert lab.rows("PRAGMA journal_mode") == [("delete",)]
    lab.check(6)


def test_the_next_start_says_whether_the_last_stop_was_clean(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    lab.close()
    lab.open()
    lab.append(draft("b"))
    lab.crash()
    lab.check()
    lab.open()
    assert [event["clean"] for event in lab.events("start")] == [True, True, False]
    assert lab.incidents() == ["unclean_stop"]
    assert lab.witness.incidents == ["unclean_stop"], "metrics hear of it"
    assert lab.append(draft("b")).duplicates == 1, "what was acknowledged before the crash is there"
    lab.close()
    lab.open()
    assert lab.events("start")[-1]["clean"] is True
    lab.check()
