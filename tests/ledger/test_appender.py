"""Group commit: whole requests, one transaction, an answer only once it is durable."""

import sqlite3
import threading
from pathlib import Path

import pytest

from audit_receiver.errors import LedgerUnavailable
from audit_receiver.ledger.appender import Appended, Appender, Delivery, LedgerSettings
from tests.kit.lab import START, LedgerLab, draft


def test_a_first_start_has_genesis_start_and_config(lab: LedgerLab) -> None:
    appender = lab.open()
    assert appender.created
    assert [event["is"] for event in lab.events()] == ["genesis", "start", "config"]
    assert lab.rows("SELECT size FROM head ORDER BY size") == [(1,), (3,)]
    assert appender.tip.size == 3
    assert appender.tip.last_seq == 2
    assert appender.vkey == lab.path.with_suffix(".vkey").read_text().strip()
    lab.check(3)


def test_an_answer_names_what_was_stored_and_the_head_that_covers_it(lab: LedgerLab) -> None:
    lab.open()
    result = lab.append(draft("a"), draft("b"), draft("c"))
    assert (result.first_seq, result.last_seq, result.stored) == (3, 5, 3)
    assert result.tip == lab.appender.tip
    assert lab.rows("SELECT size, root, signature FROM head ORDER BY size DESC LIMIT 1") == [
        (6, result.tip.root, result.tip.signature)
    ]
    assert result.tip.origin == lab.events("genesis")[0]["origin"]
    lab.check(6)


def test_the_answer_comes_after_the_commit(lab: LedgerLab) -> None:
    lab.open()
    seen = []
    ready = threading.Event()

    def done(result: Appended | Exception) -> None:
        seen.append(lab.rows("SELECT max(seq) FROM entry"))  # another connection: committed only
        ready.set()

    lab.appender.submit([draft("a")], done)
    assert ready.wait(20)
    assert seen == [[(3,)]]
    lab.check(4)


def test_requests_that_wait_together_share_one_commit(lab: LedgerLab) -> None:
    lab.open()
    before = len(lab.witness.commits)
    results = lab.together(*([draft(f"r{number}")] for number in range(50)))
    assert len(lab.witness.commits) == before + 2, "the holding one and the group"
    assert [result.first_seq for result in results] == list(range(3, 53))
    assert len({result.tip for result in results}) == 1
    assert lab.rows("SELECT count(*) FROM head") == [(3,)]
    lab.check(53)


def test_the_results_of_one_commit_are_delivered_in_one_call(lab: LedgerLab) -> None:
    calls: list[Delivery] = []
    lab.open()
    lab.appender._writer._deliver = lambda results: (
        calls.append(results),
        [done(result) for done, result in results],
    )
    lab.together([draft("a")], [draft("b")], [draft("c")])
    assert [len(call) for call in calls] == [1, 3]
    lab.check()


def test_a_delivery_that_fails_does_not_stop_the_writer(
    lab: LedgerLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.open()

    def broken(_: object) -> None:
        raise RuntimeError("the event loop is closed")

    lab.appender.submit([draft("a")], broken)
    assert lab.append(draft("b")).stored == 1
    assert "could not be delivered" in caplog.text
    lab.check(5)


def test_an_empty_request_is_answered_without_an_entry(lab: LedgerLab) -> None:
    lab.open()
    result = lab.append()
    assert (result.first_seq, result.stored, result.tip.size) == (None, 0, 3)
    lab.check(3)


def test_large_requests_are_one_transaction(lab: LedgerLab) -> None:
    lab.open()
    result = lab.append(*(draft(f"r{number}") for number in range(5000)))
    assert result.stored == 5000
    assert lab.rows("SELECT count(*) FROM head") == [(3,)]
    lab.check(5003)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 252, 253, 254, 509, 510])
def test_every_number_of_rows_fits_the_statements_and_the_tree(lab: LedgerLab, count: int) -> None:
    lab.open()  # 3 entries are there, so 253 complete the first node of 256
    lab.append(*(draft(f"r{number}") for number in range(count)))
    lab.append(draft("last"))
    lab.check(count + 4)


def test_many_threads_get_every_seq_once(lab: LedgerLab) -> None:
    lab.open(queue=100)
    taken: list[int] = []

    def send(name: int) -> None:
        for number in range(20):
            result = lab.appender.append([draft(f"{name}-{number}"), draft(f"{name}+{number}")])
            taken.extend(range(result.first_seq, result.last_seq + 1))

    threads = [threading.Thread(target=send, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(3, 323))
    lab.check(323)


def test_one_poisonous_request_does_not_fail_its_neighbours(
    lab: LedgerLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.open()
    poison = draft("bad")._replace(body="no JSON")  # the table's generated columns refuse it
    lone_surrogate = draft("worse")._replace(body='"\ud800"')  # cannot even be bound
    results = lab.together([draft("a")], [draft("x"), poison], [draft("b")], [lone_surrogate])
    assert isinstance(results[0], Appended)
    assert isinstance(results[1], LedgerUnavailable)
    assert isinstance(results[2], Appended)
    assert isinstance(results[3], LedgerUnavailable)
    lab.settle()
    assert lab.incidents() == ["append_failed", "append_failed"]
    assert lab.rows("SELECT count(*) FROM audit_records") == [(2,)], "nothing of the bad request"
    assert lab.appender.status().ok
    lab.check()


def test_a_poisonous_request_alone_is_told_to_come_back(lab: LedgerLab) -> None:
    lab.open()
    with pytest.raises(LedgerUnavailable, match="append_failed"):
        lab.append(draft("bad")._replace(body="no JSON"))
    assert lab.append(draft("good")).stored == 1
    lab.settle()
    (incident,) = lab.events("incident")
    assert incident["incident"] == "append_failed"
    assert incident["error"] == "OperationalError"
    assert incident["records"] == 1
    assert len(incident["digest"]) == 64
    lab.check()


def test_an_own_record_that_cannot_be_made_is_given_up(
    lab: LedgerLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.open()
    lab.appender.record("read", {"who": object()})
    lab.append(draft("a"))
    lab.settle()
    assert lab.incidents() == ["append_failed"]
    assert lab.appender.status().ok
    lab.check()


def test_a_changed_configuration_is_recorded_with_its_keys(lab: LedgerLab) -> None:
    lab.open(config={"ledger": {"heartbeat": 60.0, "name": "a"}}, config_digest="d1")
    lab.close()
    lab.open()
    lab.close()
    lab.open(config={"ledger": {"heartbeat": 30.5, "name": "a"}, "new": [1]}, config_digest="d2")
    lab.close()
    first, second = lab.events("config")
    assert first["changed"] == ["ledger.heartbeat", "ledger.name"]
    assert first["config"] == {"ledger.heartbeat": "60", "ledger.name": "a"}
    assert second["changed"] == ["ledger.heartbeat", "new"]
    assert second["digest"] == "d2"
    lab.check()


def test_own_records_of_callers_that_wait_are_durable_when_told(lab: LedgerLab) -> None:
    lab.open()
    answers: list[Appended | Exception] = []
    ready = threading.Event()
    lab.appender.submit_record(
        "read",
        {"who": "uid 1000", "what": "query"},
        lambda result: (answers.append(result), ready.set()),
    )
    assert ready.wait(20)
    (answer,) = answers
    assert isinstance(answer, Appended)
    assert answer.first_seq == 3
    assert lab.events("read")[0]["who"] == "uid 1000"
    lab.check(4)


def test_incidents_of_one_kind_are_recorded_once_a_second(lab: LedgerLab) -> None:
    lab.open()
    for _ in range(5):
        lab.appender.record("incident", {"incident": "undecodable", "digest": "00"})
    lab.appender.record("incident", {"incident": "other"})
    lab.settle()
    lab.clock.pass_seconds(1)
    lab.appender.record("incident", {"incident": "undecodable", "digest": "01"})
    lab.settle()
    assert lab.incidents() == ["undecodable", "other", "undecodable"]
    assert lab.events("incident")[-1]["held_back"] == 4
    assert lab.witness.incidents.count("undecodable") == 6, "metrics count each"
    lab.check()


def test_time_flags_are_judged_against_the_ledgers_clock(lab: LedgerLab) -> None:
    lab.open()
    day, minute = 86_400 * 10**9, 60 * 10**9
    lab.clock.wall = START
    now = START + 1_000_000
    result = lab.append(
        draft("exactly a day", time_unix_nano=now - day),
        draft("late", time_unix_nano=now - day),
        draft("exactly a minute", time_unix_nano=now + minute + 2),
        draft("ahead", time_unix_nano=now + minute + 4),
    )
    found = [header["flags"] for header in lab.headers()[result.first_seq :]]
    assert ["late" in flags for flags in found] == [False, True, False, False]
    assert ["clock_skew" in flags for flags in found] == [False, False, False, True]
    lab.check()


def test_metrics_hear_of_each_commit(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"), draft("b"))
    commit = lab.witness.commits[-1]
    assert (commit.entries, commit.size) == (2, 5)
    assert commit.seconds > 0
    assert commit.wal_bytes > 0
    assert commit.ledger_bytes > 0
    lab.check()


def test_a_second_writer_is_refused_with_the_pid_of_the_first(lab: LedgerLab) -> None:
    import os

    from audit_receiver.errors import LedgerError

    lab.open()
    with pytest.raises(LedgerError, match=f"process {os.getpid()}"):
        Appender.open(LedgerSettings(path=lab.path), lab.clock.clock())
    lab.append(draft("a"))
    lab.check()
    lab.close()
    lab.open()
    lab.check()


def test_sqlite_reads_back_what_was_set(lab: LedgerLab) -> None:
    lab.open()
    connection: sqlite3.Connection = lab.appender._writer.pen.connection
    for pragma, value in {
        "synchronous": 2,
        "journal_mode": "wal",
        "secure_delete": 1,
        "wal_autocheckpoint": 4000,
        "page_size": 8192,
        "application_id": 1096107597,
        "user_version": 1,
        "encoding": "UTF-8",
    }.items():
        assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,), pragma
    lab.check()


def test_a_ledger_path_can_hold_any_character(tmp_path: Path) -> None:
    lab = LedgerLab(tmp_path / "a b?#%41é")
    lab.open()
    lab.append(draft("a"))
    lab.close()
    assert lab.path.exists()
