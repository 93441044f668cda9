"""`query`: somebody's SQL, read-only, bounded, streaming."""

import hashlib
from collections.abc import Callable

import pytest

from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, copy_of

Command = Callable[..., Result]


def test_rows_come_out_with_their_names(command: Command, populated: Populated) -> None:
    result = command(
        "query",
        populated.path,
        "SELECT actor, count(*) AS n FROM audit_records GROUP BY 1 ORDER BY 1",
    )
    assert result.lines() == [
        {"actor": actor, "n": 112} for actor in ("alice", "bob", "carol", "dave", "erin")
    ]


def test_the_statement_can_come_from_stdin(command: Command, populated: Populated) -> None:
    result = command("query", populated.path, "-", "--format", "csv", stdin="SELECT 1 AS one;\n")
    assert result.out == "one\r\n1\r\n"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM entry",
        "UPDATE entry SET body = NULL",
        "INSERT INTO head VALUES (1, 2, 3, 4)",
        "DROP TRIGGER entry_update",
        "CREATE TEMP TABLE x(a)",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "PRAGMA journal_mode=DELETE",
        "PRAGMA query_only=OFF",
        "SELECT 1; DELETE FROM entry",
        "SELECT load_extension('x')",
        "not sql at all",
        "",
        "-- a comment",
    ],
)
def test_what_is_no_single_question_is_refused(
    command: Command, populated: Populated, sql: str
) -> None:
    before = hashlib.sha256(populated.path.read_bytes()).hexdigest()
    result = command("query", populated.path, sql)
    assert (result.code, result.out) == (2, "")
    assert result.err.strip()
    assert hashlib.sha256(populated.path.read_bytes()).hexdigest() == before


def test_a_runaway_statement_is_stopped(command: Command, populated: Populated) -> None:
    runaway = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    result = command("query", populated.path, runaway, "--time-limit", "0.3")
    assert result.code == 2
    assert "took longer than 0.3 s and was stopped" in result.err


def test_rows_stream_so_that_an_endless_answer_begins_at_once(
    command: Command, populated: Populated
) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    result = command("query", populated.path, endless, "--time-limit", "0.3", "--format", "csv")
    assert result.code == 2
    assert result.out.startswith("i\r\n1\r\n2\r\n")


def test_changed_views_are_warned_of_and_refused_where_answers_rest_on_them(
    command: Command, populated: Populated, tmp_path: object
) -> None:
    copy = copy_of(populated.path, tmp_path)  # type: ignore[arg-type]
    attacker = Attacker(copy)
    attacker.rearm()
    attacker.rewrite_schema(
        "audit_records", lambda sql: sql.replace("kind <> 'ledger'", "seq > 500")
    )
    attacker.db.close()
    result = command("query", copy, "SELECT count(*) AS n FROM audit_records")
    assert result.code == 0
    assert "warning: " in result.err
    assert "cannot be believed" in result.err
    for name in ("search", "export"):
        result = command(name, copy)
        assert (result.code, result.out) == (1, "")
        assert "cannot be believed" in result.err
