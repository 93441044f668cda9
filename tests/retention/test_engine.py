"""Erasing, pruning and holding, on a real ledger: what goes, what stays, what is left of it."""

import sqlite3
from itertools import pairwise
from typing import Any

import pytest

from audit_receiver.errors import LedgerUnavailable
from audit_receiver.examine import Question, examine
from audit_receiver.ledger import deleting, residue
from audit_receiver.ledger.reader import Reader
from audit_receiver.retention import state
from audit_receiver.retention.engine import RetentionError, Unfinished
from audit_receiver.retention.policy import Policy
from audit_receiver.retention.ranges import count, of_seqs
from tests.kit.lab import LedgerLab, draft
from tests.retention.scene import WHO, engine, fill, holds, left, person

DAY = 86_400


def bodies_gone(lab: LedgerLab) -> set[int]:
    return {seq for (seq,) in lab.rows("SELECT seq FROM entry WHERE body IS NULL")}


def test_what_is_erased_is_gone_from_every_byte_of_the_files(lab: LedgerLab) -> None:
    lab.open()
    people = fill(lab, 1500)
    seqs = {seq for (seq,) in lab.rows("SELECT seq FROM entry WHERE kind <> 'ledger'")}
    wanted = {seq for seq in seqs if seq % 7 == 0 or 300 <= seq < 500}
    named = {person(lab, seq) for seq in wanted}
    assert left(lab, people) == set(people)
    done = engine(lab).erase(of_seqs(sorted(wanted)), WHO)
    assert done["bodies"] == len(wanted) == count(of_seqs(sorted(bodies_gone(lab))))
    assert bodies_gone(lab) == wanted
    assert left(lab, named) == set(), "while the service goes on"
    assert left(lab, people) == set(people) - named
    [erase] = lab.events("erase")
    assert erase["ranges"] == done["ranges"]
    told = {key: erase[key] for key in ("authoriser", "reason", "code", "count")}
    assert told == {
        "authoriser": WHO.authoriser,
        "reason": WHO.reason,
        "code": "art-17",
        "count": len(wanted),
    }
    [deleted] = lab.events("deleted")
    assert (deleted["entries"], deleted["count"]) == (done["entries"], len(wanted))
    lab.append(draft("after"))
    lab.close()
    assert left(lab, named) == set()
    holds(lab.path)


def test_without_the_last_step_something_would_be_left(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The indexes' stale cells are why they are built anew."""
    lab.open()
    fill(lab, 6000, every=500)
    monkeypatch.setattr(deleting, "INDEXES", ())
    seqs = [seq for (seq,) in lab.rows("SELECT seq FROM entry WHERE kind <> 'ledger'")][::3]
    named = {person(lab, seq) for seq in seqs}
    engine(lab).erase(of_seqs(seqs), WHO)
    assert left(lab, named), "or the REINDEX is not needed with this SQLite"
    monkeypatch.undo()
    lab.appender._writer.pen.connection.execute("REINDEX")
    deleting.cut_wal(lab.appender._writer.pen.connection)
    assert left(lab, named) == set()


def test_many_scattered_bodies_need_several_entries(lab: LedgerLab) -> None:
    lab.open()
    fill(lab, 600, every=500)
    seqs = [seq for (seq,) in lab.rows("SELECT seq FROM entry WHERE kind <> 'ledger'")][::2]
    done = engine(lab).erase(of_seqs(seqs), WHO)
    assert len(done["entries"]) == 2
    assert [event["count"] for event in lab.events("erase")] == [250, len(seqs) - 250]
    assert [event["entries"] for event in lab.events("deleted")] == [done["entries"]]
    assert bodies_gone(lab) == set(seqs)
    lab.close()
    holds(lab.path)


def test_the_receivers_own_records_stay_but_for_those_that_may_go(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    engine(lab).erase([(0, 3)], WHO)
    gone = bodies_gone(lab)
    actions = dict(lab.rows("SELECT seq, action FROM entry"))
    assert {actions[seq] for seq in gone} == {"ledger.start", "user.login"}
    lab.close()
    holds(lab.path)


def test_a_hold_wins_over_erasure_and_says_so(lab: LedgerLab) -> None:
    lab.open()
    fill(lab, 20)
    keeper = engine(lab)
    assert keeper.hold("case-7", [(5, 8), (10, 10)], WHO)["entries"] == 5
    with pytest.raises(RetentionError, match=r"entries 7-8, 10 are kept by case-7"):
        keeper.erase([(7, 12)], WHO)
    assert lab.events("erase") == []
    with pytest.raises(RetentionError, match="there is a hold case-7 already"):
        keeper.hold("case-7", [(1, 1)], WHO)
    keeper.erase([(9, 9), (11, 12)], WHO)
    keeper.release("case-7", WHO)
    with pytest.raises(RetentionError, match="there is no hold case-7; there are none"):
        keeper.release("case-7", WHO)
    keeper.erase([(7, 12)], WHO)
    assert bodies_gone(lab) == set(range(7, 13))
    lab.close()
    holds(lab.path)


def test_the_policy_prunes_by_age_and_rule_and_leaves_what_is_held(lab: LedgerLab) -> None:
    policy: dict[str, Any] = {
        "keep": "10d",
        "rules": [
            {"actions": ["user.role*"], "keep": "forever"},
            {"kinds": ["ledger"], "keep": "5d"},
        ],
    }
    lab.open(retention=policy)
    lab.append(draft("old-1"), draft("old-2"), draft("role", action="user.role_update"))
    lab.clock.pass_seconds(8 * DAY)
    lab.append(draft("young"))
    keeper = engine(lab)
    keeper.hold("h", [(3, 3)], WHO)
    lab.clock.pass_seconds(3 * DAY)
    done = keeper.prune(WHO, lab.clock.wall)
    actions = dict(lab.rows("SELECT seq, action FROM entry"))
    gone = bodies_gone(lab)
    assert done["held"] == 1
    assert 3 not in gone
    ids = {seq: actions[seq] for seq in gone}
    assert sorted(ids.values()) == ["ledger.start", "user.login"]
    [prune] = lab.events("prune")
    assert prune["policy"] == policy
    assert keeper.prune(WHO, lab.clock.wall)["bodies"] == 0
    assert len(lab.events("prune")) == 1, "nothing to say where nothing goes"
    lab.close()
    report = examine(Question(lab.path))
    assert report.findings == ()
    told = [(gone.first, gone.last, gone.by) for gone in report.pruned]
    assert {seq for first, last, _ in told for seq in range(first, last + 1)} == gone
    holds(lab.path)


def test_without_a_policy_nothing_is_ever_pruned(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    lab.clock.pass_seconds(4000 * DAY)
    keeper = engine(lab)
    assert keeper.prune(WHO, lab.clock.wall)["bodies"] == 0
    keeper.set_policy(Policy.parse({"keep": "30d"}), WHO)
    with Reader(lab.path) as reader:
        now = state.read(reader)
    assert now.policy.keep == "30d"
    assert lab.headers()[now.policy_seq]["action"] == "ledger.retention"
    assert keeper.prune(WHO, lab.clock.wall)["bodies"] == 1


def test_a_person_is_found_as_actor_as_target_and_in_the_reads(lab: LedgerLab) -> None:
    lab.open()
    lab.append(
        draft("a", audit_actor_id="ann"), draft("b", audit_actor_id="eve", audit_target_id="ann")
    )
    lab.append(draft("c", audit_actor_id="annabel", note="ann"))
    lab.appender.record("read", {"command": "search", "arguments": {"actors": ["ann"]}})
    lab.settle()
    with Reader(lab.path) as reader:
        size = reader.size()
        assert state.of_person(reader, "ann", also_target=False) == [(3, 3), (size - 1, size - 1)]
        assert state.of_person(reader, "ann", also_target=True) == [(3, 4), (size - 1, size - 1)]
        assert state.mentions(reader, "ann") == 4
        found = state.of_person(reader, "ann", also_target=True)
        salts = set(state.salts(reader, found))
    assert len(salts) == 5
    engine(lab).erase(found, WHO)
    with Reader(lab.path) as reader:
        assert state.mentions(reader, "ann") == 1, "in a body of somebody else"
    lab.close()
    assert residue.search(lab.path, salts, ["ann"]).salts == 0
    assert residue.search(lab.path, salts, ["ann"]).texts == ("ann",)
    assert "ann" not in str(lab.events("erase"))


def test_the_search_finds_what_is_there(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    with Reader(lab.path) as reader:
        salts = set(state.salts(reader, [(0, 3)]))
    lab.crash()
    found = residue.search(lab.path, salts, ["bob", "nobody"])
    assert (found.salts, found.texts) == (len(salts), ("bob",)), "in the file or in its WAL"


def test_a_reader_that_holds_the_file_leaves_it_unfinished_until_it_goes(lab: LedgerLab) -> None:
    lab.open()
    fill(lab, 50)
    reader = sqlite3.connect(f"file:{lab.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entry").fetchone()
    keeper = engine(lab)
    with pytest.raises(Unfinished, match="a reader holds the ledger open"):
        keeper.erase([(5, 9)], WHO)
    assert "a reader holds" in keeper.trouble
    assert bodies_gone(lab) == set(range(5, 10))
    assert lab.events("deleted") == []
    with pytest.raises(Unfinished):
        keeper.hold("h", [(20, 21)], WHO)
    lab.append(draft("meanwhile"))
    reader.close()
    assert keeper.resume() == 1
    assert keeper.trouble == ""
    assert len(lab.events("deleted")) == 1
    assert keeper.resume() == 0
    lab.close()
    holds(lab.path)


def test_nothing_goes_before_something_outside_keeps_the_entry(lab: LedgerLab) -> None:
    lab.open()
    fill(lab, 20)
    kept = 0
    keeper = engine(lab, anchored=lambda size: size <= kept)
    with pytest.raises(Unfinished, match="no anchor keeps a checkpoint over entry"):
        keeper.erase([(5, 9)], WHO)
    assert bodies_gone(lab) == set()
    [(newest,)] = lab.rows("SELECT max(size) FROM checkpoint")
    [(entry,)] = lab.rows("SELECT seq FROM entry WHERE action = 'ledger.erase'")
    assert newest == entry + 1, "a checkpoint was published over it"
    kept = entry + 1
    assert keeper.resume() == 1
    assert bodies_gone(lab) == set(range(5, 10))


def test_a_resent_record_whose_body_is_erased_is_acknowledged_and_not_stored(
    lab: LedgerLab,
) -> None:
    lab.open()
    first = lab.append(draft("a"), draft("", note="no identity"))
    assert first.first_seq is not None
    engine(lab).erase([(first.first_seq, first.first_seq + 1)], WHO)
    again = lab.append(draft("a"), draft("", note="no identity"))
    assert (again.stored, again.duplicates) == (0, 2)
    lab.close()
    holds(lab.path)


def test_records_come_in_while_bodies_go(lab: LedgerLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two steps the writer takes what came in meanwhile."""
    lab.open()
    fill(lab, 1200, every=400)
    sizes: list[int] = []
    number = 0
    real = deleting.null_out

    def step(connection: Any, ranges: Any) -> int:
        nonlocal number
        number += 1
        sizes.append(lab.appender.tip.size)
        lab.appender.submit([draft(f"meanwhile-{number}")], lambda _: None)
        return real(connection, ranges)

    monkeypatch.setattr(deleting, "null_out", step)
    engine(lab).erase([(3, 1100)], WHO)
    assert len(sizes) >= 4
    assert all(later > earlier for earlier, later in pairwise(sizes)), "one record at least"
    lab.settle()
    assert lab.rows("SELECT count(*) FROM audit_records WHERE record_id LIKE 'meanwhile%'") == [
        (number,)
    ]


def test_a_step_that_fails_harms_nobody_else(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.open()
    fill(lab, 20)

    def broken(connection: Any, ranges: Any) -> int:
        connection.execute("UPDATE main.entry SET body = NULL WHERE seq = 0")
        return 0

    monkeypatch.setattr(deleting, "null_out", broken)
    with pytest.raises(LedgerUnavailable, match="append only"):
        engine(lab).erase([(5, 9)], WHO)
    monkeypatch.undo()
    assert lab.append(draft("after")).stored == 1
    assert engine(lab).resume() == 1
    assert bodies_gone(lab) == set(range(5, 10))
    lab.close()
    holds(lab.path)


def test_the_seeded_statistics_are_as_they_were(lab: LedgerLab) -> None:
    lab.open()
    before = lab.rows("SELECT * FROM sqlite_stat1")
    fill(lab, 50)
    engine(lab).erase([(5, 20)], WHO)
    assert lab.rows("SELECT * FROM sqlite_stat1") == before


def test_looking_for_what_is_unfinished_does_not_walk_through_the_ledger(lab: LedgerLab) -> None:
    """A service looks every minute."""
    lab.open()
    plans = [
        row[3]
        for sql in (state._EVENTS, state._ACTOR, state._TARGET, state._READS)
        for row in lab.rows(f"EXPLAIN QUERY PLAN {sql}", ("x",))
    ]
    assert len(plans) == 4
    assert all("USING INDEX entry_" in plan for plan in plans), plans
