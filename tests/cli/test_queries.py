"""docs/queries.md: every block runs in the stock shell, and answers what was put in."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from audit_receiver.cli.demo import snippets, story
from audit_receiver.otlp.codec import Limits, decode
from audit_receiver.otlp.walk import walk
from audit_receiver.record import body
from audit_receiver.record.model import Draft
from audit_receiver.record.normalise import Vocabulary, normalise
from audit_receiver.record.select import Rule
from tests.cli.conftest import Result
from tests.kit import build
from tests.kit.lab import SECOND, LedgerLab, draft

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "queries.md").read_text("utf-8")
SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
QUERIES = {
    f"{section.splitlines()[0]} {number}": sql
    for section in SECTIONS
    for number, sql in enumerate(re.findall(r"```sql\n(.*?)```", section, re.DOTALL))
}
DAY = 86_400 * SECOND


def _change(
    days_ago: float, actor: str, target: str, old: str, new: str, outcome: str = "success"
) -> Draft:
    """A role change by the article's span, so many days ago, read as the receiver reads it."""
    start = time.time_ns() - int(days_ago * DAY)
    told = {
        "enduser.id": actor,
        "audit.action": "role_update",
        "audit.target_user": target,
        "audit.old_value": old,
        "audit.new_value": new,
        "audit.result": outcome,
    }
    trace = os.urandom(16)
    span = build.span(
        "user.role.update",
        told,
        trace_id=trace,
        start_time_unix_nano=start,
        end_time_unix_nano=start,
    )
    message = build.request(span, resource={"service.name": "user-admin"})
    limits = Limits(1 << 20, 10)
    request = decode("traces", message.SerializeToString(), "protobuf", limits)
    [observation] = walk("traces", request, Rule()).observations
    return body.encode(normalise(observation, Vocabulary()), b"{}", os.urandom(32))


@pytest.fixture(scope="module")
def story_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven role changes: one too old, one refused, one self-grant, one past the trail."""
    lab = LedgerLab(tmp_path_factory.mktemp("queries"))
    lab.clock.wall = time.time_ns()
    lab.open()
    changes = [
        _change(100, "alice", "bob", "none", "viewer"),
        _change(80, "alice", "bob", "viewer", "editor"),
        _change(60, "carol", "carol", "viewer", "admin"),
        _change(40, "dave", "bob", "editor", "admin", outcome="failure"),
        _change(30, "alice", "bob", "owner", "viewer"),  # it was editor: somebody made bob owner
        _change(20, "dave", "erin", "none", "viewer", outcome="failure"),
        _change(10, "dave", "erin", "none", "viewer", outcome="failure"),
    ]
    for change in changes:
        lab.append(change)
    lab.append(draft("undated", time_unix_nano=0, action="config_change", outcome="unknown"))
    lab.append()
    about = {"command": "search", "arguments": {"actor": ["alice"]}, "user": "auditor"}
    lab.appender.record("read", about)
    lab.settle()
    lab.clock.pass_seconds(400)
    lab.settle()
    lab.close()
    lab.check()
    return lab.path


def _shell(path: Path, sql: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["sqlite3", "-readonly", "-json", str(path)],
        input=sql,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout or "[]")


def _ask(path: Path, title: str) -> list[dict[str, Any]]:
    [sql] = [sql for name, sql in QUERIES.items() if name.startswith(title)]
    return _shell(path, sql)


def test_there_are_enough_questions() -> None:
    assert len(QUERIES) >= 11
    assert all(sql.rstrip().endswith(";") for sql in QUERIES.values())


@pytest.mark.parametrize("title", QUERIES)
def test_the_shell_the_newest_sqlite_and_our_query_say_the_same(
    story_ledger: Path, title: str, command: Callable[..., Result]
) -> None:
    sql = QUERIES[title]
    told = [list(row.values()) for row in _shell(story_ledger, sql)]
    newest = apsw.Connection(str(story_ledger), flags=apsw.SQLITE_OPEN_READONLY)
    assert [list(row) for row in newest.execute(sql)] == told
    newest.close()
    result = command("query", story_ledger, sql, "--format", "jsonl")
    assert result.code == 0, result.err
    assert [list(row.values()) for row in result.lines()] == told
    assert told, "a question that finds nothing here shows nothing"


@pytest.mark.parametrize("number", [0, 1])
def test_the_articles_question(story_ledger: Path, number: int) -> None:
    rows = _ask(story_ledger, f"All permission changes in the last 90 days {number}")
    told = [tuple(row.values())[1:] for row in rows]
    assert told == [
        ("dave", "erin", "none", "viewer", "failure"),
        ("dave", "erin", "none", "viewer", "failure"),
        ("alice", "bob", "owner", "viewer", "success"),
        ("dave", "bob", "editor", "admin", "failure"),
        ("carol", "carol", "viewer", "admin", "success"),
        ("alice", "bob", "viewer", "editor", "success"),
    ]
    assert list(rows[0]) == ["timestamp", "actor", "target", "previous_role", "new_role", "outcome"]


def test_one_persons_deeds(story_ledger: Path) -> None:
    rows = _ask(story_ledger, "Everything that one person did")
    assert [row["new_value"] for row in rows] == ["viewer", "editor", "viewer"]


def test_refusals(story_ledger: Path) -> None:
    [row] = _ask(story_ledger, "Who tried and was refused")
    assert (row["actor"], row["action"], row["attempts"]) == ("dave", "role_update", 3)


def test_roles_as_the_trail_tells_them(story_ledger: Path) -> None:
    rows = _ask(story_ledger, "Who has a role")
    told = [(row["target"], row["role"], row["granted_by"]) for row in rows]
    assert told == [("carol", "admin", "carol"), ("bob", "viewer", "alice")]


def test_a_change_past_the_trail(story_ledger: Path) -> None:
    [row] = _ask(story_ledger, "Changes that were made past the trail")
    assert (row["target"], row["recorded_value"], row["found_value"]) == ("bob", "editor", "owner")


def test_self_grants(story_ledger: Path) -> None:
    [row] = _ask(story_ledger, "People who gave themselves something")
    assert (row["actor"], row["new_value"]) == ("carol", "admin")


def test_the_population_counts_every_record(story_ledger: Path) -> None:
    rows = _ask(story_ledger, "The population, month by month")
    assert sum(row["records"] for row in rows) == 8
    assert {row["action"] for row in rows} == {"role_update", "config_change"}


def test_what_is_missing(story_ledger: Path) -> None:
    rows = _ask(story_ledger, "What the records of each service lack")
    told = {row["flag"]: row["records"] for row in rows}
    assert told["missing_time"] == 1
    assert told["late"] == 7


def test_a_silence(story_ledger: Path) -> None:
    [row] = _ask(story_ledger, "Was the recorder on all the time?")
    assert row["silent_until"] > row["silent_from"]


def test_readers(story_ledger: Path) -> None:
    [row] = _ask(story_ledger, "Who looked at the trail")
    assert (row["user"], row["command"]) == ("auditor", "search")
    assert json.loads(row["asked"]) == {"actor": ["alice"]}


def test_the_articles_question_is_one_text_in_docs_readme_and_demo() -> None:
    sql = QUERIES["All permission changes in the last 90 days 0"].rstrip(";\n")
    assert sql == story.ARTICLE_QUERY


def test_the_snippet_in_the_docs_is_what_the_demo_runs() -> None:
    [block] = re.findall(r"```python\n(.*?)```", SECTIONS[-1], re.DOTALL)
    lines = Path(snippets.__file__).read_text("utf-8").splitlines()
    code = {line.strip() for line in lines}
    for line in block.splitlines():
        assert line in code, line
