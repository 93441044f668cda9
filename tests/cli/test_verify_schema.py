"""Attacks on the end of copies, on their schema and on their pages, through the command line."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import PER_REQUEST, Populated
from tests.cli.scene import Scene, tampered
from tests.kit.attacker import copy_of
from tests.kit.server import run_cli

# ---- the end cut off, or an older state put back ------------------------------------------------


def test_a_tail_cut_off_with_its_heads_is_found_by_the_checkpoint_only(scene: Scene) -> None:
    cut = 569 - 2 - PER_REQUEST  # stop, heartbeat, and one request less: a state that once was
    with scene.attack() as attacker:
        attacker.cut(cut)
    code, report = scene.verify()
    assert (code, report["verdict"], report["size"]) == (3, "intact_unanchored", cut)
    assert tampered(scene.outside()) == {("rolled_back", cut, 569)}


def test_a_tail_cut_off_inside_a_commit_is_found(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.cut(554)
    found = tampered(scene.outside())
    assert ("truncated", 554, 569) in found
    assert "head" in {kind for kind, _, _ in found}


def test_a_tail_cut_off_without_its_heads_is_found_without_any_checkpoint(scene: Scene) -> None:
    with scene.attack() as attacker:
        attacker.db.execute("DELETE FROM entry WHERE seq >= 550")
    assert ("missing", 550, 569) in tampered(scene.verify())


def test_an_older_copy_put_back_is_found_by_the_checkpoint_only(
    scene: Scene, populated: Populated, tmp_path: Path
) -> None:
    old = scene._replace(copy=copy_of(populated.early, tmp_path, "old.db"))
    early = min(populated.notes)
    assert old.verify()[0] == 3
    assert tampered(old.outside()) == {("rolled_back", early, populated.size - 1)}
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
    assert {kind for kind, _, _ in tampered(scene.verify())} == {"schema"}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE sqlite_master SET sql = 'CREATE VIEW audit_logs AS SELECT FROM'"
        " WHERE name = 'audit_logs'",
        "UPDATE sqlite_master SET rootpage = 999999 WHERE name = 'entry'",
        "UPDATE sqlite_master SET sql = 'nonsense' WHERE name = 'head'",
    ],
)
def test_a_schema_that_sqlite_cannot_even_open_is_a_finding(scene: Scene, sql: str) -> None:
    with scene.attack() as attacker:
        attacker.rearm()
        attacker.db.execute("PRAGMA writable_schema=ON")
        attacker.db.execute(sql)
    for answer in (scene.verify(), scene.outside()):
        assert "unreadable" in {kind for kind, _, _ in tampered(answer)}


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


def _schema_names(scene: Scene, name: str) -> None:
    code, report = scene.verify()
    assert code == 1
    messages = [f["message"] for f in report["findings"] if f["kind"] == "schema"]
    assert any(name in message for message in messages), messages


@pytest.mark.parametrize("name", ["entry", "head", "node", "Node"])
def test_a_view_without_end_in_a_tables_place_is_not_read(scene: Scene, name: str) -> None:
    """Such a view would hold up the check for ever."""
    endless = "WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c)"
    columns = {
        "entry": "x AS seq, '' AS header, x'00' AS hash, '' AS body",
        "head": "x AS size, x'00' AS root, x'00' AS signature, 0 AS epoch",
        "node": "1 AS level, x AS idx, x'00' AS hash",
    }[name.lower()]
    with closing(sqlite3.connect(scene.copy, isolation_level=None)) as db:
        for (trigger,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("PRAGMA legacy_alter_table=ON")
        db.execute(f"ALTER TABLE {name} RENAME TO hidden")
        db.execute(f"CREATE VIEW {name} AS {endless} SELECT {columns} FROM c")
    found = run_cli(
        "verify", scene.copy, "--format", "json", cwd=scene.copy.parent, timeout_seconds=20
    )
    assert found.returncode == 1, found.stderr
    kinds = {finding["kind"] for finding in json.loads(found.stdout)["findings"]}
    assert kinds == {"schema", "unreadable"}
