"""Keys in epochs, and formats that come after this one."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_receiver.verify import heads
from tests.verify.scene import Json, Scene, canonical, sha3, vkey_of

NEXT = Ed25519PrivateKey.generate()


def record(scene: Scene, head: bool = True) -> int:
    """One more record, copied from an earlier one."""
    header: Json = {**scene.header(800), "received": scene.next_time()}
    return scene.append(header, scene.body(800), head)


def rotate(scene: Scene, key: Ed25519PrivateKey = NEXT, head: bool = True) -> int:
    """The entry that names the next key, under a head of the old one."""
    return scene.own("key", head, vkey=str(vkey_of(key, scene.vkey.name)))


def under(scene: Scene, key: Ed25519PrivateKey, epoch: int) -> None:
    """The newest head, signed by this key in this epoch."""
    scene.resign(key, first=scene.heads[-1][0])
    scene.heads[-1][3] = epoch


def test_heads_behind_a_key_entry_belong_to_the_new_key(scene: Scene) -> None:
    named = rotate(scene)
    record(scene)
    under(scene, NEXT, named)
    report = scene.verify(pinned=scene.vkey, every_head=True)
    assert report.findings == ()
    third = Ed25519PrivateKey.generate()
    again = scene.own("key", vkey=str(vkey_of(third, scene.vkey.name)))
    under(scene, NEXT, named)
    record(scene)
    under(scene, third, again)
    assert scene.verify(pinned=scene.vkey).findings == ()


def test_the_head_of_the_key_entry_belongs_to_the_old_key(scene: Scene) -> None:
    named = rotate(scene)
    under(scene, NEXT, named)
    record(scene)
    under(scene, NEXT, named)
    assert ("head", named, named) in {
        (kind, last, last) for kind, _, last in scene.found() if kind == "head"
    }


def test_the_old_key_signs_nothing_behind_its_epoch(scene: Scene) -> None:
    named = rotate(scene)
    seq = record(scene)
    scene.heads[-1][3] = named  # signed by the old key, said to be the new one's
    assert ("head", seq, seq) in scene.found()
    scene.heads[-1][3] = 0
    assert {kind for kind, _, _ in scene.found()} == {"head", "key"}


def test_the_first_head_of_an_epoch_is_checked_among_many(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head of size s + 2 under the old key, where only a spread of signatures is looked at."""
    monkeypatch.setattr(heads, "SPREAD", 1)
    named = rotate(scene)
    first = record(scene)
    under(scene, NEXT, named)
    scene.resign(scene.key, first=first + 1)
    for _ in range(3):
        record(scene)
        under(scene, NEXT, named)
    found = scene.found()
    assert ("head", first, first) in {(kind, last, last) for kind, _, last in found}
    scene.resign(NEXT, first=first + 1)
    assert scene.found() == set()


def test_a_key_that_comes_back_is_found(scene: Scene) -> None:
    named = rotate(scene)
    again = scene.own("key", vkey=str(scene.vkey))
    under(scene, NEXT, named)
    assert ("key", again, again) in scene.found()


def test_a_key_entry_can_follow_the_other_at_once(scene: Scene) -> None:
    named = rotate(scene)
    third = Ed25519PrivateKey.generate()
    again = scene.own("key", vkey=str(vkey_of(third, scene.vkey.name)))
    under(scene, NEXT, named)
    record(scene)
    under(scene, third, again)
    assert scene.verify(pinned=scene.vkey, every_head=True).findings == ()


def test_a_key_entry_inside_a_commit_is_found(scene: Scene) -> None:
    named = rotate(scene, head=False)
    record(scene)
    under(scene, NEXT, named)
    assert ("key", named, named) in scene.found()


def test_a_checkpoint_is_judged_by_the_key_of_its_size(scene: Scene) -> None:
    named = rotate(scene)
    before = scene.note(named + 1)
    record(scene)
    under(scene, NEXT, named)
    assert scene.verify(notes=[before]).anchored_size == named + 1
    late_by_old = scene.note(scene.heads[-1][0], key=scene.key)
    assert ("key", 0, named + 1) in scene.found(notes=[late_by_old])
    pinned = scene.found(notes=[late_by_old], pinned=scene.vkey)
    assert ("key", 0, named + 1) in pinned, "a pinned first key is for its own sizes as well"


@pytest.mark.parametrize("vkey", [None, "", "lab+00000000+AAAA", 5])
def test_a_key_entry_without_a_key_is_found(scene: Scene, vkey: object) -> None:
    seq = scene.own("key", vkey=vkey)
    assert ("key", seq, seq) in scene.found()


def test_a_key_of_another_name_is_found(scene: Scene) -> None:
    seq = scene.own("key", vkey=str(vkey_of(NEXT, "lab/elsewhere")))
    assert ("key", seq, seq) in scene.found()


def test_a_second_genesis_is_found(scene: Scene) -> None:
    event = scene.body(0)["event"]
    fields = {name: event[name] for name in ("origin", "vkey", "schema_sha3")}
    seq = scene.own("genesis", **fields)
    assert scene.found() == {("key", seq, seq)}


def test_an_entry_0_that_is_no_genesis_is_found(scene: Scene) -> None:
    scene.edit_header(0, lambda header: header.update(action="ledger.start"))
    scene.edit_body(0, lambda body: body["event"].update(name="start"))
    scene.refit(0)
    scene.rechain(0)
    scene.regrow()
    scene.resign()
    assert ("key", 0, 0) in scene.found()


def newer(scene: Scene, **changes: object) -> int:
    """An entry of format 2 at the end, signed."""
    body = '{"format":2}'
    header: Json = {"body": sha3(body).hex(), "prev": "", "seq": 0, "v": 2, "new": [1.5]}
    header.update(changes)
    seq = len(scene.entries)
    header.update(seq=seq, prev=scene.entries[-1][2].hex())
    text = canonical(header)
    scene.entries.append([seq, text, sha3(text), body])
    scene.heads.append([seq + 1, b"", b"", 0])
    scene.regrow()
    scene.resign(first=seq + 1)
    return seq


def test_an_entry_of_a_later_format_could_not_be_judged(scene: Scene) -> None:
    seq = newer(scene)
    report = scene.verify(notes=[scene.note(seq + 1)])
    assert (report.verdict, report.findings) == ("undecided", ())
    assert f"entries from {seq} on are of a later format" in report.undecided[0]
    assert report.anchored_size == seq + 1


def test_hashes_links_and_tree_of_a_later_format_are_judged(scene: Scene) -> None:
    seq = newer(scene)
    newer(scene)
    kept = scene.entries[seq]
    scene.entries[seq] = [*kept[:3], '{"format":3}']
    assert scene.found() == {("altered", seq, seq)}
    scene.entries[seq] = [*kept[:2], bytes(32), kept[3]]
    assert ("altered", seq, seq) in scene.found()
    del scene.entries[seq]
    assert ("missing", seq, seq) in scene.found()


def test_an_unsigned_entry_of_a_later_format_does_not_soften_anything(scene: Scene) -> None:
    newer(scene)
    del scene.heads[-1]
    scene.schema = scene.schema[1:]
    report = scene.verify()
    assert report.verdict == "tampered"
    assert {f.kind for f in report.findings} == {"head", "schema"}


def test_the_schema_of_a_later_format_could_not_be_judged(scene: Scene) -> None:
    newer(scene)
    scene.schema = scene.schema[1:]
    report = scene.verify()
    assert (report.verdict, report.findings) == ("undecided", ())
    assert any("was dropped" in reason for reason in report.undecided)
