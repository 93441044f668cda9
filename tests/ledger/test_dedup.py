"""DESIGN 3.7: what is known already is acknowledged, flagged or recorded as a conflict."""

import pytest

from audit_receiver.ledger.appender import Appended
from audit_receiver.ledger.dedup import Known, Verdict, find, judge
from tests.kit.lab import SECOND, START, LedgerLab, draft


def flags(lab: LedgerLab, seq: int) -> list[str]:
    return lab.headers()[seq]["flags"]


@pytest.mark.parametrize("identity", [{"record_id": "r1"}, {"span": "ab"}], ids=["record", "span"])
def test_a_record_with_identity_is_stored_once(lab: LedgerLab, identity: dict[str, str]) -> None:
    lab.open()
    first = lab.append(draft(**identity))
    again = lab.append(draft(**identity))
    assert (first.stored, first.duplicates) == (1, 0)
    assert (again.first_seq, again.last_seq, again.stored, again.duplicates) == (None, None, 0, 1)
    assert again.tip.size == first.tip.size
    lab.check(first.tip.size)


def test_a_record_is_known_again_after_a_restart(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("r1"))
    lab.close()
    lab.open()
    assert lab.append(draft("r1")).duplicates == 1
    lab.check()


def test_the_same_request_twice_in_one_group_is_stored_once(lab: LedgerLab) -> None:
    lab.open()
    one, two = lab.together([draft("r1"), draft("r2")], [draft("r1"), draft("r2")])
    assert isinstance(one, Appended)
    assert isinstance(two, Appended)
    assert (one.stored, two.stored, two.duplicates) == (2, 0, 2)
    assert one.tip == two.tip, "one commit for both"
    lab.check()


def test_the_same_identity_twice_in_one_request_is_stored_once(lab: LedgerLab) -> None:
    lab.open()
    result = lab.append(draft("r1"), draft("r1"))
    assert (result.stored, result.duplicates) == (1, 1)
    lab.check()


def test_other_content_under_a_known_identity_is_a_conflict(lab: LedgerLab) -> None:
    lab.open()
    first = lab.append(draft("r1", outcome="success"))
    other = lab.append(draft("r1", outcome="failure"))
    assert (other.stored, other.conflicts, other.duplicates) == (1, 1, 0)
    assert "conflict" in flags(lab, other.first_seq)
    assert other.tip.size == first.tip.size + 2, "the incident stands in the same transaction"
    (incident,) = lab.events("incident")
    assert incident["incident"] == "conflict"
    assert incident["entries"] == [[other.first_seq, first.first_seq]]
    assert lab.witness.incidents == ["conflict"]
    lab.check()


def test_a_conflicting_record_sent_again_is_recognised(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("r1", outcome="success"))
    lab.append(draft("r1", outcome="failure"))
    again = lab.append(draft("r1", outcome="failure"), draft("r1", outcome="success"))
    assert (again.stored, again.duplicates, again.conflicts) == (0, 2, 0)
    assert lab.incidents() == ["conflict"]
    lab.check()


def test_a_conflict_inside_one_request_and_one_group(lab: LedgerLab) -> None:
    lab.open()
    result = lab.append(draft("r1", outcome="success"), draft("r1", outcome="failure"))
    assert (result.stored, result.conflicts) == (2, 1)
    one, two = lab.together([draft("r2")], [draft("r2", outcome="failure")])
    assert isinstance(one, Appended)
    assert isinstance(two, Appended)
    assert (one.conflicts, two.conflicts) == (0, 1)
    lab.check()


def test_a_record_without_identity_sent_again_is_stored_flagged_and_counted_once(
    lab: LedgerLab,
) -> None:
    lab.open()
    first = lab.append(draft())
    again = lab.append(draft())
    third = lab.append(draft())
    assert (again.stored, again.duplicates, again.conflicts) == (1, 0, 0)
    assert "duplicate" in flags(lab, again.first_seq)
    headers = lab.headers()
    assert headers[again.first_seq]["duplicate_of"] == first.first_seq
    assert headers[third.first_seq]["duplicate_of"] == first.first_seq, "the first, not a repeat"
    two = lab.append(draft(), draft())
    repeated = [header["duplicate_of"] for header in lab.headers()[two.first_seq :]]
    assert repeated == [first.first_seq] * 2, "never a repeat of a repeat"
    assert lab.rows("SELECT count(*) FROM audit_records") == [(1,)]
    assert lab.rows("SELECT count(*) FROM audit_records_all") == [(5,)]
    lab.check()


def test_equal_records_without_identity_in_one_request_are_separate(lab: LedgerLab) -> None:
    lab.open()
    first = lab.append(draft(), draft())
    assert first.stored == 2
    assert flags(lab, first.first_seq) == flags(lab, first.last_seq)
    again = lab.append(draft(), draft(), draft())
    repeated = [header["duplicate_of"] for header in lab.headers()[again.first_seq :]]
    assert repeated == [first.first_seq, first.last_seq, first.last_seq]
    assert lab.rows("SELECT count(*) FROM audit_records") == [(2,)]
    lab.check()


def test_records_without_identity_meet_inside_a_group(lab: LedgerLab) -> None:
    lab.open()
    one, two = lab.together([draft(), draft()], [draft()])
    assert isinstance(one, Appended)
    assert isinstance(two, Appended)
    assert lab.headers()[two.first_seq]["duplicate_of"] == one.first_seq
    lab.check()


def test_a_record_without_time_is_found_again(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("r1", time_unix_nano=0))
    assert lab.append(draft("r1", time_unix_nano=0)).duplicates == 1
    lab.append(draft(time_unix_nano=0))
    repeat = lab.append(draft(time_unix_nano=0))
    assert "duplicate" in flags(lab, repeat.first_seq)
    lab.check()


def test_the_same_record_id_at_another_time_is_another_record(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("r1"))
    other = lab.append(draft("r1", time_unix_nano=START + SECOND))
    assert (other.stored, other.conflicts, other.duplicates) == (1, 0, 0)
    lab.check()


def test_the_same_record_id_of_another_service_is_another_record(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("r1"))
    assert lab.append(draft("r1", service="other")).conflicts == 0
    lab.check()


def test_an_erased_record_sent_again_is_acknowledged_and_not_stored(lab: LedgerLab) -> None:
    lab.open()
    known = lab.append(draft("r1"), draft())
    lab.appender.record("erase", {"ranges": [[known.first_seq, known.last_seq]]})
    lab.settle()
    lab.close()
    erase(lab)
    lab.open()
    again = lab.append(draft("r1"), draft("r1", outcome="failure"), draft())
    assert (again.stored, again.duplicates, again.conflicts) == (0, 3, 0)
    lab.check()


def erase(lab: LedgerLab) -> None:
    """What the erase command of a later issue does: the trigger lets exactly this through."""
    import sqlite3

    connection = sqlite3.connect(lab.path, isolation_level=None)
    connection.execute("UPDATE entry SET body = NULL WHERE kind = 'log'")
    connection.close()


def test_many_keys_are_looked_up_in_few_statements(lab: LedgerLab) -> None:
    lab.open()
    lab.append(*(draft(f"r{number}") for number in range(200)))
    again = lab.append(*(draft(f"r{number}") for number in range(100, 300)))
    assert (again.stored, again.duplicates) == (100, 100)
    lab.check()


def test_the_look_up_searches_the_index(lab: LedgerLab) -> None:
    from audit_receiver.ledger.dedup import _statement

    lab.open()
    plan = lab.rows("EXPLAIN QUERY PLAN " + _statement(2), ["x"] * 4)
    assert any("SEARCH e USING INDEX entry_time (time=? AND id=?)" in row[3] for row in plan), plan
    assert find(lab.appender._writer.pen.connection, []) == {}
    lab.check()


def test_an_identity_with_an_erased_and_another_body_is_known_not_in_conflict() -> None:
    record = draft("r1")
    known = [Known(3, None, False), Known(5, draft("r1", outcome="failure").body, False)]
    assert judge(record, known, 0) == (Verdict.KNOWN, 3)
    assert judge(record, known[1:], 0) == (Verdict.CONFLICT, 5)
    assert judge(record, [], 0)[0] is Verdict.NEW
