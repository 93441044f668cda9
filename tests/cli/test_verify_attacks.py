"""Attacks on the rows of copies, through the command line: each is found, named, and located.

What each must be found by is DESIGN 8 and docs/threat-model.md; the attacker (tests/kit) shares no
code with the product.
"""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cli.scene import K, Scene, forge, found, hash_of, mallory, tampered
from tests.kit.attacker import canonical, stolen_key


def test_nothing_done_is_intact_with_a_checkpoint_and_never_without(scene: Scene) -> None:
    code, report = scene.outside()
    assert (code, report["verdict"], report["findings"]) == (0, "intact", [])
    assert (report["anchored_size"], report["unanchored"]) == (scene.populated.size, 0)
    assert report["key_pinned"] is True
    code, report = scene.verify()
    assert (code, report["verdict"], report["findings"]) == (3, "intact_unanchored", [])
    assert (report["anchored_size"], report["key_pinned"]) == (0, False)
    assert report["unanchored"] == len(scene.populated.records)


def test_the_attackers_own_opening_and_closing_leaves_no_finding(scene: Scene) -> None:
    """Else every test here would be red for the wrong reason."""
    with scene.attack() as attacker:
        attacker.rehash(0)
    assert scene.outside()[0] == 0


# ---- one row edited, nothing recomputed ---------------------------------------------------------


@pytest.mark.parametrize("seq", [0, 3, K, 569])
def test_an_edited_header_is_found(scene: Scene, seq: int) -> None:
    with scene.attack() as attacker:
        attacker.edit_header(seq, lambda h: h.update(flags=["clock_skew"]))
    assert ("altered", seq, seq) in tampered(scene.verify())


@pytest.mark.parametrize("seq", [0, 3, K, 569])
def test_an_edited_body_is_found(scene: Scene, seq: int) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(seq, lambda b: b.update(salt="0" * 32))
    found = tampered(scene.verify())
    assert found == {("altered", seq, seq)}


def test_an_edited_hash_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.set(K, hash=bytes(32))
    assert ("altered", K, K) in tampered(scene.verify())


def test_an_edited_actor_is_found_even_when_body_and_subject_agree(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(K, mallory)
    assert ("altered", K, K) in tampered(scene.verify())


def test_bodies_set_to_null_without_authority_are_found_as_a_range(scene: Scene) -> None:
    with scene.attack() as attacker:
        for seq in (K, K + 1, K + 2, 300):
            attacker.set(seq, body=None)
    assert tampered(scene.verify()) == {("body_missing", K, K + 2), ("body_missing", 300, 300)}


def test_a_body_that_is_not_canonical_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.set(K, body=json.dumps(attacker.body(K), sort_keys=True))
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert ("canonical", K, K) in tampered(scene.verify())


def test_text_that_is_not_utf8_is_a_finding_and_no_crash(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute(
            "UPDATE entry SET body = replace(body, 'old', CAST(x'6fff64' AS TEXT)) WHERE seq = ?",
            (K,),
        )
    found = tampered(scene.verify())
    assert {(first, last) for _, first, last in found} == {(K, K)}


# ---- rows removed, moved, put in ----------------------------------------------------------------


@pytest.mark.parametrize(("first", "last"), [(0, 0), (K, K), (K, K + 20), (569, 569), (560, 569)])
def test_deleted_entries_are_found_as_one_range(scene: Scene, first: int, last: int) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq BETWEEN ? AND ?", (first, last))
    found = tampered(scene.verify())
    assert ("missing", first, last) in found
    assert [kind for kind, _, _ in found].count("missing") == 1


def test_two_gaps_are_told_apart(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq IN (100, 101, 200)")
    assert {("missing", 100, 101), ("missing", 200, 200)} <= tampered(scene.verify())


def test_a_deleted_entry_is_found_when_the_gap_is_closed_and_all_recomputed(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq = ?", (K,))
        attacker.close_gap(K)
        attacker.rehash(K)
    found = tampered(scene.verify())
    assert any(kind == "head" and first <= K <= last for kind, first, last in found if last)
    assert ("truncated", 569, 569) in tampered(scene.outside())


@pytest.mark.parametrize("other", [K + 1, K + 2, 200])
def test_two_swapped_entries_are_found_where_they_stand(scene: Scene, other: int) -> None:
    with scene.attack() as attacker:
        attacker.swap(K, other)
    found = tampered(scene.verify())
    moved = {seq for kind, lo, hi in found if kind == "reordered" for seq in range(lo, hi + 1)}
    assert moved == {K, other}
    assert "inserted" not in {kind for kind, _, _ in found}


def test_an_inserted_entry_is_found_where_it_stands(scene: Scene) -> None:
    with scene.attack() as attacker:
        for seq in reversed(attacker.seqs(f"seq >= {K}")):
            attacker.move(seq, seq + 1)
        forge(attacker, K, attacker.header(K - 1)["prev"])
    found = tampered(scene.verify())
    assert ("inserted", K, K) in found


def test_an_inserted_entry_is_found_when_all_is_recomputed_after_it(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.make_room(K)
        forge(attacker, K, "0" * 64)
        attacker.rehash(K)
    found = tampered(scene.verify())
    assert any(kind in ("head", "altered") and lo <= K <= hi for kind, lo, hi in found if hi)
    assert "forked" in {kind for kind, _, _ in tampered(scene.outside())}


def test_an_entry_appended_without_the_key_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        size = attacker.size()
        forge(
            attacker, size, hash_of(attacker, size - 1), received="2030-01-01T00:00:00.000000000Z"
        )
    assert tampered(scene.verify()) == {("head", size, size)}


def test_insert_or_replace_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        row = attacker.db.execute("SELECT header, hash FROM entry WHERE seq = ?", (K,)).fetchone()
        body = attacker.body(K)
        mallory(body)
        attacker.db.execute(
            "INSERT OR REPLACE INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)",
            (K, *row, canonical(body)),
        )
    assert ("altered", K, K) in tampered(scene.verify())


# ---- everything recomputed after the change -----------------------------------------------------


def test_a_body_edited_and_every_later_hash_recomputed_is_found_by_the_signed_heads(
    scene: Scene,
) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(K, mallory)
        attacker.rehash(K)
    found = tampered(scene.verify())
    assert {kind for kind, _, _ in found} == {"head"}
    assert any(first <= K <= last for _, first, last in found)


def test_with_the_stolen_key_only_a_checkpoint_from_outside_finds_it(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(K, mallory)
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert scene.verify()[0] == 3
    assert scene.outside(note=False)[0] == 3
    found = tampered(scene.outside(vkey=False))
    assert {kind for kind, _, _ in found} == {"forked"}
    assert all(first <= K <= last for _, first, last in found)


def test_an_older_checkpoint_narrows_down_where_the_fork_begins(scene: Scene) -> None:
    early, tip = sorted(scene.populated.notes)
    change_at = early + 50
    with scene.attack() as attacker:
        attacker.edit_body(change_at, mallory)
        attacker.rehash(change_at)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    notes = [scene.populated.notes[size] for size in (tip, early)]
    code, report = scene.verify("--checkpoint", notes[0], "--checkpoint", notes[1])
    assert code == 1
    assert found(report) == {("forked", early, tip - 1)}
    assert report["anchored_size"] == early


def test_a_header_relabelled_against_its_body_is_found_although_all_is_signed_anew(
    scene: Scene,
) -> None:
    with scene.attack() as attacker:
        wrong = "login" if attacker.header(K)["action"] != "login" else "role_update"
        attacker.edit_header(K, lambda h: h.update(action=wrong))
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert ("altered", K, K) in tampered(scene.verify())
    kinds = {kind for kind, _, _ in tampered(scene.outside())}
    assert {"altered", "forked"} <= kinds


def test_a_relabelled_header_whose_body_is_gone_is_found_by_the_checkpoint(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.edit_header(K, lambda h: h.update(action="harmless"))
        attacker.set(K, body=None)
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert "forked" in {kind for kind, _, _ in tampered(scene.outside())}


@pytest.mark.parametrize("renamed", [False, True])
def test_everything_rewritten_with_another_key_is_found_by_key_or_checkpoint(
    scene: Scene, renamed: bool
) -> None:
    with scene.attack() as attacker:
        origin = "lab/0123456789abcdef" if renamed else attacker.origin()
        attacker.edit_body(K, mallory)
        attacker.take_over(Ed25519PrivateKey.generate(), origin)
    code, report = scene.verify()
    assert (code, report["key_pinned"]) == (3, False), "nothing inside can tell: so never a pass"
    assert ("key", 0, 0) in tampered(scene.outside(note=False))
    kinds = {kind for kind, _, _ in tampered(scene.outside(vkey=False))}
    assert kinds & {"forked", "key"}


def test_heads_signed_with_another_key_are_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.sign(Ed25519PrivateKey.generate(), attacker.origin(), first_size=200)
    found = tampered(scene.verify("--every-head"))
    assert {kind for kind, _, _ in found} == {"head"}
    assert any(first <= 200 for _, first, _ in found)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM head",
        "DELETE FROM head WHERE size = (SELECT max(size) FROM head)",
        "UPDATE head SET root = zeroblob(32) WHERE size = 286",
        "UPDATE head SET signature = zeroblob(64) WHERE size = (SELECT max(size) FROM head)",
        "UPDATE head SET signature = 'text' WHERE size = (SELECT max(size) FROM head)",
        "UPDATE head SET epoch = 3 WHERE size = (SELECT max(size) FROM head)",
    ],
)
def test_a_head_removed_or_changed_is_found(scene: Scene, sql: str) -> None:
    with scene.attack() as attacker:
        attacker.db.execute(sql)
    assert {kind for kind, _, _ in tampered(scene.verify())} <= {"head", "key"}


@pytest.mark.parametrize(
    ("sql", "first", "last"),
    [
        ("UPDATE node SET hash = zeroblob(32) WHERE level = 1 AND idx = 1", 256, 511),
        ("DELETE FROM node WHERE level = 1 AND idx = 0", 0, 255),
        ("INSERT INTO node VALUES (1, 2, zeroblob(32))", None, None),
    ],
)
def test_a_tree_node_changed_is_found(
    scene: Scene, sql: str, first: int | None, last: int | None
) -> None:
    with scene.attack() as attacker:
        attacker.db.execute(sql)
    found = tampered(scene.verify())
    assert {(lo, hi) for _, lo, hi in found} == {(first, last)}
