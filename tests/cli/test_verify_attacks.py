"""Attacks on copies, through the command line: each is found, named, and located.

What each must be found by is DESIGN 8 and docs/threat-model.md; the attacker (tests/kit) shares no
code with the product. `outside` is what an auditor holds: the key and a checkpoint of the tip.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cli.conftest import PER_REQUEST, Populated, Result
from tests.kit.attacker import Attacker, canonical, copy_of, sha3, stolen_key

Command = Callable[..., Result]
K = 100  # the entry that is attacked; neither first nor last of its commit
Found = set[tuple[str, int | None, int | None]]


class Scene(NamedTuple):
    """One copy to attack, and how to ask about it afterwards."""

    copy: Path
    populated: Populated
    command: Command

    @property
    def last(self) -> int:
        return self.populated.size - 1

    def attack(self) -> Attacker:
        return Attacker(self.copy)

    def verify(self, *options: str | Path) -> tuple[int, dict[str, Any]]:
        before = _digest(self.copy)
        result = self.command("verify", self.copy, "--format", "json", *options)
        assert _digest(self.copy) == before, "verify changed the file"
        return result.code, result.json()

    def outside(self, *, vkey: bool = True, note: bool = True) -> tuple[int, dict[str, Any]]:
        """With the key and a checkpoint of the tip from outside, or one of them."""
        key = ("--vkey", self.populated.vkey) if vkey else ()
        tip = self.populated.notes[self.populated.size]
        return self.verify(*key, *(("--checkpoint", tip) if note else ()))


@pytest.fixture
def scene(populated: Populated, tmp_path: Path, command: Command) -> Scene:
    return Scene(copy_of(populated.path, tmp_path), populated, command)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _found(report: dict[str, Any]) -> Found:
    return {(one["kind"], one["first"], one["last"]) for one in report["findings"]}


def _tampered(answer: tuple[int, dict[str, Any]]) -> Found:
    """The findings of a report that says `tampered`, each of them in full words."""
    code, report = answer
    assert (code, report["verdict"]) == (1, "tampered"), report
    for finding in report["findings"]:
        assert set(finding) == {"kind", "first", "last", "expected", "found", "message"}
        assert len(finding["message"]) > 10
    return _found(report)


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
    assert ("altered", seq, seq) in _tampered(scene.verify())


@pytest.mark.parametrize("seq", [0, 3, K, 569])
def test_an_edited_body_is_found(scene: Scene, seq: int) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(seq, lambda b: b.update(salt="0" * 32))
    found = _tampered(scene.verify())
    assert found == {("altered", seq, seq)}


def test_an_edited_hash_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.set(K, hash=bytes(32))
    assert ("altered", K, K) in _tampered(scene.verify())


def test_an_edited_actor_is_found_even_when_body_and_subject_agree(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(K, _mallory)
    assert ("altered", K, K) in _tampered(scene.verify())


def test_bodies_set_to_null_without_authority_are_found_as_a_range(scene: Scene) -> None:
    with scene.attack() as attacker:
        for seq in (K, K + 1, K + 2, 300):
            attacker.set(seq, body=None)
    assert _tampered(scene.verify()) == {("body_missing", K, K + 2), ("body_missing", 300, 300)}


def test_a_body_that_is_not_canonical_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.set(K, body=json.dumps(attacker.body(K), sort_keys=True))
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert ("canonical", K, K) in _tampered(scene.verify())


def test_text_that_is_not_utf8_is_a_finding_and_no_crash(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute(
            "UPDATE entry SET body = replace(body, 'old', CAST(x'6fff64' AS TEXT)) WHERE seq = ?",
            (K,),
        )
    found = _tampered(scene.verify())
    assert {(first, last) for _, first, last in found} == {(K, K)}


# ---- rows removed, moved, put in ----------------------------------------------------------------


@pytest.mark.parametrize(("first", "last"), [(0, 0), (K, K), (K, K + 20), (569, 569), (560, 569)])
def test_deleted_entries_are_found_as_one_range(scene: Scene, first: int, last: int) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq BETWEEN ? AND ?", (first, last))
    found = _tampered(scene.verify())
    assert ("missing", first, last) in found
    assert [kind for kind, _, _ in found].count("missing") == 1


def test_two_gaps_are_told_apart(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq IN (100, 101, 200)")
    assert {("missing", 100, 101), ("missing", 200, 200)} <= _tampered(scene.verify())


def test_a_deleted_entry_is_found_when_the_gap_is_closed_and_all_recomputed(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq = ?", (K,))
        attacker.close_gap(K)
        attacker.rehash(K)
    found = _tampered(scene.verify())
    assert any(kind == "head" and first <= K <= last for kind, first, last in found if last)
    assert ("truncated", 569, 569) in _tampered(scene.outside())


@pytest.mark.parametrize("other", [K + 1, K + 2, 200])
def test_two_swapped_entries_are_found_where_they_stand(scene: Scene, other: int) -> None:
    with scene.attack() as attacker:
        attacker.swap(K, other)
    found = _tampered(scene.verify())
    moved = {seq for kind, lo, hi in found if kind == "reordered" for seq in range(lo, hi + 1)}
    assert moved == {K, other}
    assert "inserted" not in {kind for kind, _, _ in found}


def test_an_inserted_entry_is_found_where_it_stands(scene: Scene) -> None:
    with scene.attack() as attacker:
        for seq in reversed(attacker.seqs(f"seq >= {K}")):
            attacker.move(seq, seq + 1)
        _forge(attacker, K, attacker.header(K - 1)["prev"])
    found = _tampered(scene.verify())
    assert ("inserted", K, K) in found


def test_an_inserted_entry_is_found_when_all_is_recomputed_after_it(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.make_room(K)
        _forge(attacker, K, "0" * 64)
        attacker.rehash(K)
    found = _tampered(scene.verify())
    assert any(kind in ("head", "altered") and lo <= K <= hi for kind, lo, hi in found if hi)
    assert "forked" in {kind for kind, _, _ in _tampered(scene.outside())}


def test_an_entry_appended_without_the_key_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        size = attacker.size()
        _forge(
            attacker, size, _hash_of(attacker, size - 1), received="2030-01-01T00:00:00.000000000Z"
        )
    assert _tampered(scene.verify()) == {("head", size, size)}


def test_insert_or_replace_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        row = attacker.db.execute("SELECT header, hash FROM entry WHERE seq = ?", (K,)).fetchone()
        body = attacker.body(K)
        _mallory(body)
        attacker.db.execute(
            "INSERT OR REPLACE INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)",
            (K, *row, canonical(body)),
        )
    assert ("altered", K, K) in _tampered(scene.verify())


# ---- everything recomputed after the change -----------------------------------------------------


def test_a_body_edited_and_every_later_hash_recomputed_is_found_by_the_signed_heads(
    scene: Scene,
) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(K, _mallory)
        attacker.rehash(K)
    found = _tampered(scene.verify())
    assert {kind for kind, _, _ in found} == {"head"}
    assert any(first <= K <= last for _, first, last in found)


def test_with_the_stolen_key_only_a_checkpoint_from_outside_finds_it(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.edit_body(K, _mallory)
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert scene.verify()[0] == 3
    assert scene.outside(note=False)[0] == 3
    found = _tampered(scene.outside(vkey=False))
    assert {kind for kind, _, _ in found} == {"forked"}
    assert all(first <= K <= last for _, first, last in found)


def test_an_older_checkpoint_narrows_down_where_the_fork_begins(scene: Scene) -> None:
    early, tip = sorted(scene.populated.notes)
    change_at = early + 50
    with scene.attack() as attacker:
        attacker.edit_body(change_at, _mallory)
        attacker.rehash(change_at)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    notes = [scene.populated.notes[size] for size in (tip, early)]
    code, report = scene.verify("--checkpoint", notes[0], "--checkpoint", notes[1])
    assert code == 1
    assert _found(report) == {("forked", early, tip - 1)}
    assert report["anchored_size"] == early


def test_a_header_relabelled_against_its_body_is_found_although_all_is_signed_anew(
    scene: Scene,
) -> None:
    with scene.attack() as attacker:
        wrong = "login" if attacker.header(K)["action"] != "login" else "role_update"
        attacker.edit_header(K, lambda h: h.update(action=wrong))
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert ("altered", K, K) in _tampered(scene.verify())
    kinds = {kind for kind, _, _ in _tampered(scene.outside())}
    assert {"altered", "forked"} <= kinds


def test_a_relabelled_header_whose_body_is_gone_is_found_by_the_checkpoint(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.edit_header(K, lambda h: h.update(action="harmless"))
        attacker.set(K, body=None)
        attacker.rehash(K)
        attacker.sign(stolen_key(scene.populated.path), attacker.origin())
    assert "forked" in {kind for kind, _, _ in _tampered(scene.outside())}


@pytest.mark.parametrize("renamed", [False, True])
def test_everything_rewritten_with_another_key_is_found_by_key_or_checkpoint(
    scene: Scene, renamed: bool
) -> None:
    with scene.attack() as attacker:
        origin = "lab/0123456789abcdef" if renamed else attacker.origin()
        attacker.edit_body(K, _mallory)
        attacker.take_over(Ed25519PrivateKey.generate(), origin)
    code, report = scene.verify()
    assert (code, report["key_pinned"]) == (3, False), "nothing inside can tell: so never a pass"
    assert ("key", 0, 0) in _tampered(scene.outside(note=False))
    kinds = {kind for kind, _, _ in _tampered(scene.outside(vkey=False))}
    assert kinds & {"forked", "key"}


def test_heads_signed_with_another_key_are_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.sign(Ed25519PrivateKey.generate(), attacker.origin(), first_size=200)
    found = _tampered(scene.verify("--every-head"))
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
    assert {kind for kind, _, _ in _tampered(scene.verify())} <= {"head", "key"}


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
    found = _tampered(scene.verify())
    assert {(lo, hi) for _, lo, hi in found} == {(first, last)}


# ---- the end cut off, or an older state put back ------------------------------------------------


def test_a_tail_cut_off_with_its_heads_is_found_by_the_checkpoint_only(scene: Scene) -> None:
    cut = 569 - 2 - PER_REQUEST  # stop, heartbeat, and one request less: a state that once was
    with scene.attack() as attacker:
        attacker.cut(cut)
    code, report = scene.verify()
    assert (code, report["verdict"], report["size"]) == (3, "intact_unanchored", cut)
    assert _tampered(scene.outside()) == {("rolled_back", cut, 569)}


def test_a_tail_cut_off_inside_a_commit_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.cut(554)
    found = _tampered(scene.outside())
    assert ("truncated", 554, 569) in found
    assert "head" in {kind for kind, _, _ in found}


def test_a_tail_cut_off_without_its_heads_is_found_without_any_checkpoint(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq >= 550")
    assert ("missing", 550, 569) in _tampered(scene.verify())


def test_an_older_copy_put_back_is_found_by_the_checkpoint_only(
    scene: Scene, populated: Populated, tmp_path: Path
) -> None:
    old = scene._replace(copy=copy_of(populated.early, tmp_path, "old.db"))
    early = min(populated.notes)
    assert old.verify()[0] == 3
    assert _tampered(old.outside()) == {("rolled_back", early, populated.size - 1)}
    code, report = old.verify("--vkey", populated.vkey, "--checkpoint", populated.notes[early])
    assert (code, report["verdict"]) == (0, "intact")


def test_an_older_checkpoint_covers_what_it_covers_and_the_rest_is_counted(
    scene: Scene, populated: Populated
) -> None:
    early = min(populated.notes)
    code, report = scene.verify("--vkey", populated.vkey, "--checkpoint", populated.notes[early])
    assert (code, report["verdict"]) == (3, "intact_unanchored")
    later = [seq for seq in populated.records if seq >= early]
    assert (report["anchored_size"], report["unanchored"]) == (early, len(later))


# ---- the schema ---------------------------------------------------------------------------------

_OBJECTS = ("entry_update", "entry_delete", "entry_insert", "head_update", "head_delete")
_OBJECTS += ("head_insert", "node_update", "node_delete", "node_insert")


@pytest.mark.parametrize("name", _OBJECTS)
def test_a_dropped_trigger_is_found(scene: Scene, name: str) -> None:
    with scene.attack() as attacker:
        attacker.rearm()
        attacker.db.execute(f"DROP TRIGGER {name}")
    _schema_names(scene, f"trigger {name}")


@pytest.mark.parametrize("name", ["audit_records", "audit_spans", "ledger_events"])
def test_a_dropped_view_is_found(scene: Scene, name: str) -> None:
    with scene.attack() as attacker:
        attacker.db.execute(f"DROP VIEW {name}")
    _schema_names(scene, f"view {name}")


def test_a_dropped_index_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DROP INDEX entry_actor")
    _schema_names(scene, "index entry_actor")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("audit_records", "kind <> 'ledger'", "kind <> 'ledger' AND actor <> 'mallory'"),
        ("entry_update", "'append only:", "'append only :"),
        ("entry_actor", "WHERE actor     IS NOT NULL", "WHERE actor     IS NOT 'mallory'"),
        ("entry", "'$.subject.actor'", "'$.subject.target'"),
        ("entry", "length(hash)=32", "length(hash)>0"),
    ],
)
def test_a_changed_object_is_found(scene: Scene, name: str, old: str, new: str) -> None:
    attacker = scene.attack()
    attacker.rearm()
    attacker.rewrite_schema(name, lambda sql: sql.replace(old, new))
    attacker.db.close()
    _schema_names(scene, f" {name}")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER late AFTER INSERT ON entry BEGIN SELECT 1; END",
        "CREATE TABLE labels(seq INTEGER, label TEXT)",
        "CREATE VIEW verified AS SELECT seq FROM entry",
    ],
)
def test_an_added_object_is_found(scene: Scene, sql: str) -> None:
    with scene.attack() as attacker:
        attacker.db.execute(sql)
    _schema_names(scene, " ".join(sql.lower().split()[1:2]))


def test_a_trigger_named_like_sqlites_own_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("CREATE TRIGGER late AFTER INSERT ON entry BEGIN SELECT 1; END")
        attacker.db.execute("PRAGMA writable_schema=ON")
        attacker.db.execute(
            "UPDATE sqlite_master SET name = 'sqlite_late',"
            " sql = replace(sql, 'late', 'sqlite_late') WHERE name = 'late'"
        )
    _schema_names(scene, "sqlite_late")


@pytest.mark.parametrize("pragma", ["application_id=7", "user_version=0"])
def test_a_changed_file_header_is_found(scene: Scene, pragma: str) -> None:
    with scene.attack() as attacker:
        attacker.db.execute(f"PRAGMA {pragma}")
    assert {kind for kind, _, _ in _tampered(scene.verify())} == {"schema"}


def test_indexes_that_read_each_others_pages_are_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.swap_roots("entry_actor", "entry_target")
    code, report = scene.verify()
    assert code == 1
    assert {finding["kind"] for finding in report["findings"]} == {"index"}
    assert any("entry_actor" in finding["message"] for finding in report["findings"])
    assert len(report["findings"]) < 10, "one finding an index, not one a row"


def test_a_damaged_page_is_a_finding_and_no_crash(scene: Scene) -> None:
    page = 8192
    content = bytearray(scene.copy.read_bytes())
    for number in range(20, 24):
        content[number * page : number * page + 200] = b"\xa5" * 200
    scene.copy.write_bytes(content)
    code, report = scene.verify()
    assert code == 1
    assert {finding["kind"] for finding in report["findings"]} & {"unreadable", "index"}


# ---- helpers ------------------------------------------------------------------------------------


def _schema_names(scene: Scene, name: str) -> None:
    code, report = scene.verify()
    assert code == 1
    messages = [f["message"] for f in report["findings"] if f["kind"] == "schema"]
    assert any(name in message for message in messages), messages


def _mallory(body: dict[str, Any]) -> None:
    body["subject"]["actor"] = "mallory"
    body["audit"]["actor"]["id"] = "mallory"


def _hash_of(attacker: Attacker, seq: int) -> str:
    row = attacker.db.execute("SELECT hash FROM entry WHERE seq = ?", (seq,)).fetchone()
    return str(row[0].hex())


def _forge(attacker: Attacker, seq: int, prev: str, received: str = "") -> None:
    """An entry that was never received, well-formed in itself."""
    body, header = attacker.body(K - 1), attacker.header(K - 1)
    body["salt"] = "f" * 32
    header.update(seq=seq, prev=prev, body=sha3(canonical(body)), id="0123456789abcdef")
    header["received"] = received or header["received"][:-2] + "9Z"
    text = canonical(header)
    attacker.db.execute(
        "INSERT INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)",
        (seq, text, bytes.fromhex(sha3(text)), canonical(body)),
    )
