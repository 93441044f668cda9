"""A run that goes on from what an earlier one remembers: as good behind it, and proven before."""

import json
from typing import Any

import pytest

from audit_receiver.verify.memory import Memory, StateError
from tests.verify.scene import Scene, other_actor
from tests.verify.test_epochs import NEXT, record, rotate, under
from tests.verify.test_heads import cut

SIZES = [1, 287, 587, 902, 1051]  # of heads: before and behind blocks of 256, the end


def earlier(scene: Scene, size: int) -> Memory:
    before = scene.copy()
    cut(before, size)
    return before.remember()


@pytest.mark.parametrize("size", SIZES)
def test_it_ends_where_a_run_from_the_beginning_ends(scene: Scene, size: int) -> None:
    found = scene.resume(earlier(scene, size))
    assert found is not None
    report, memory = found
    full = scene.verify(every_head=True)
    assert (report.findings, report.checked_from) == ((), size)
    assert (report.size, report.root, report.last_hash) == (full.size, full.root, full.last_hash)
    assert (report.entries_checked, report.last_received) == (1051 - size, full.last_received)
    assert memory.as_dict() == scene.remember().as_dict()
    assert report.anchored_size == size


def test_every_size_of_a_head_can_be_gone_on_from(scene: Scene) -> None:
    memory = earlier(scene, 1)
    for size in [row[0] for row in scene.heads][1:]:
        upto = scene.copy()
        cut(upto, size)
        found = upto.resume(memory)
        assert found is not None
        report, memory = found
        assert (report.findings, report.size) == ((), size)
    assert memory.as_dict() == scene.remember().as_dict()


@pytest.mark.parametrize("seq", [903, 960, 1045])
def test_what_was_changed_behind_it_is_found_as_from_the_beginning(scene: Scene, seq: int) -> None:
    memory = earlier(scene, 902)
    scene.edit_body(seq, other_actor)
    scene.edit_header(seq, lambda header: header.update(flags=["late"]))
    found = scene.resume(memory)
    assert found is not None
    assert found[0].findings == scene.verify(every_head=True).findings


def test_what_is_missing_or_moved_behind_it_is_found(scene: Scene) -> None:
    memory = earlier(scene, 902)
    gone, swapped = scene.copy(), scene.copy()
    del gone.entries[950:953]
    one, other = swapped.entries[950], swapped.entries[951]
    one[1:], other[1:] = other[1:], one[1:]
    for attacked in (gone, swapped):
        found = attacked.resume(memory)
        assert found is not None
        kinds = {(f.kind, f.first, f.last) for f in found[0].findings}
        assert kinds == attacked.found(every_head=True)


def test_an_entry_that_does_not_continue_what_was_seen_is_found(scene: Scene) -> None:
    memory = earlier(scene, 902)
    scene.edit_header(902, lambda header: header.update(prev="0" * 64), rehash=True)
    found = scene.resume(memory)
    assert found is not None
    assert any(f.kind == "altered" for f in found[0].findings)


@pytest.mark.parametrize("seq", [0, 300, 769, 901])
def test_a_history_rewritten_with_the_key_before_it_is_not_gone_on_from(
    scene: Scene, seq: int
) -> None:
    memory = earlier(scene, 902)
    scene.edit_body(seq, lambda body: body.update(salt="0" * 32))
    scene.refit(seq)
    scene.rechain(seq)
    scene.regrow()
    scene.resign()
    assert scene.verify().findings == (), "nothing in the file contradicts it"
    assert scene.resume(memory) is None


def test_stored_nodes_that_were_changed_are_not_gone_on_from(scene: Scene) -> None:
    memory = earlier(scene, 902)
    scene.nodes[1][2] = bytes(32)
    assert scene.resume(memory) is None
    del scene.nodes[1]
    assert scene.resume(memory) is None


def test_the_head_that_covered_it_must_still_be_there(scene: Scene) -> None:
    memory = scene.remember()
    del scene.heads[-1]
    found = scene.resume(memory)
    assert found is not None
    assert "head" in {f.kind for f in found[0].findings}


def test_keys_that_were_learnt_before_it_are_remembered(scene: Scene) -> None:
    named = rotate(scene)
    at_the_boundary = scene.remember()
    record(scene)
    under(scene, NEXT, named)
    behind = scene.remember()
    record(scene)
    under(scene, NEXT, named)
    for memory in (at_the_boundary, behind):
        found = scene.resume(memory)
        assert found is not None
        assert found[0].findings == ()
    scene.resign(first=scene.heads[-1][0])
    for memory in (at_the_boundary, behind):
        found = scene.resume(memory)
        assert found is not None
        assert "head" in {f.kind for f in found[0].findings}


def test_a_full_run_compares_the_memory_like_a_checkpoint(scene: Scene) -> None:
    from audit_receiver.verify.check import Examination

    memory = scene.remember()
    older = scene.copy()
    cut(older, 902)
    forked = scene.copy()
    forked.rewrite(1000)
    forked.regrow()
    forked.resign()
    for attacked, kind in ((older, "rolled_back"), (forked, "forked")):
        examination = Examination(beside=scene.vkey, remembered=("state", memory))
        rows = attacked.entries, iter(attacked.heads), attacked.nodes, len(attacked.entries)
        examination.log(*rows)
        assert {f.kind for f in examination.report().findings} == {kind}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"}, {"size": 900}, {"size": -1}, {"root": "00" * 32}, {"frontier": []},
        {"frontier": None}, {"origin": "a b"}, {"last_hash": "zz"}, {"learnt": [[1]]},
        {"tallies": 5}, {"records": None},
    ],
)  # fmt: skip
def test_a_state_that_was_changed_is_refused(scene: Scene, change: dict[str, Any]) -> None:
    told = json.loads(json.dumps(scene.remember().as_dict()))
    with pytest.raises(StateError):
        Memory.from_dict({**told, **change})


@pytest.mark.parametrize("told", [None, 5, [], {}, "x"])
def test_what_is_no_state_is_refused(told: object) -> None:
    with pytest.raises(StateError):
        Memory.from_dict(told)
