"""`search` and the filters: what is found, in which order, by which index."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from audit_receiver.query import COLUMNS, EVENT_COLUMNS, Filter, FilterError, fetch, find
from tests.cli.conftest import Populated, Result
from tests.kit.lab import SECOND, START, LedgerLab, draft

Command = Callable[..., Result]
DAY = 86_400 * SECOND
TRACE = "ab" * 16


def _seqs(command: Command, populated: Populated, *options: str) -> list[int]:
    result = command("search", populated.path, "--limit", "0", "--format", "jsonl", *options)
    assert result.code == 0, result.err
    return [row["seq"] for row in result.lines()]


def _wanted(populated: Populated, wanted: Callable[[dict[str, Any]], bool]) -> list[int]:
    """The naive answer: newest event first, then newest entry; those without time last."""
    found = [
        (told["time_unix_nano"], seq) for seq, told in populated.records.items() if wanted(told)
    ]
    return [seq for _, seq in sorted(found, reverse=True)]


FILTERS: list[tuple[list[str], Callable[[dict[str, Any]], bool]]] = [
    ([], lambda r: True),
    (["--actor", "carol"], lambda r: r["audit_actor_id"] == "carol"),
    (["--actor", "carol", "--actor", "dave"], lambda r: r["audit_actor_id"] in ("carol", "dave")),
    (["--action", "login"], lambda r: r["action"] == "login"),
    (["--target", "target-7"], lambda r: r["audit_target_id"] == "target-7"),
    (["--outcome", "failure"], lambda r: r["outcome"] == "failure"),
    (["--service", "svc-2"], lambda r: r["service"] == "svc-2"),
    (["--kind", "span"], lambda r: r["span"] != ""),
    (["--trace-id", TRACE], lambda r: r["span"] == "ab"),
    (["--trace-id", TRACE.upper()], lambda r: r["span"] == "ab"),
    (["--flag", "missing_time"], lambda r: r["time_unix_nano"] == 0),
    (["new 77"], lambda r: r["audit_change_new"] == "new 77"),
    (["NEW 77"], lambda r: r["audit_change_new"] == "new 77"),
    (["100%", '"', "Zürich\n"], lambda r: "note" in r),
    (["100_"], lambda r: False),
    (
        ["--actor", "carol", "--action", "login", "--outcome", "failure"],
        lambda r: (r["audit_actor_id"], r["action"], r["outcome"]) == ("carol", "login", "failure"),
    ),
    (
        ["--action", "login", "--kind", "log", "--service", "svc-0"],
        lambda r: (r["action"], r["span"], r["service"]) == ("login", "", "svc-0"),
    ),
]


@pytest.mark.parametrize(
    ("options", "wanted"),
    FILTERS,
    ids=lambda v: " ".join(v)[:40] if isinstance(v, list) else "rows",
)
def test_a_filter_finds_exactly_what_it_says_newest_first(
    command: Command,
    populated: Populated,
    options: list[str],
    wanted: Callable[[dict[str, Any]], bool],
) -> None:
    assert _seqs(command, populated, *options) == _wanted(populated, wanted)


@pytest.mark.parametrize(
    ("options", "first", "before"),
    [
        (["--from", "2026-08-01"], "2026-08-01", None),
        (["--to", "2026-08-01"], None, "2026-08-02"),
        (["--from", "2026-08-01", "--to", "2026-08-10"], "2026-08-01", "2026-08-11"),
        (["--to", "2026-08-01T00:00:00Z"], None, "2026-08-01"),
        (["--from", "2026-08-01T02:00:00+02:00"], "2026-08-01", None),
    ],
)
@pytest.mark.parametrize("actor", ["", "bob"])
@pytest.mark.parametrize("action", ["", "login"])
def test_a_period_holds_its_first_and_its_last_day(
    command: Command,
    populated: Populated,
    options: list[str],
    first: str | None,
    before: str | None,
    actor: str,
    action: str,
) -> None:
    """Compared as text with what the views say; nothing of our parser is used."""
    lo, hi = (day and f"{day}T00:00:00" for day in (first, before))

    def inside(when: str) -> bool:
        return (lo is None or when >= lo) and (hi is None or when < hi)

    def wanted(row: tuple[Any, ...]) -> bool:
        return inside(row[1] or row[2]) and row[3:] == (actor or row[3], action or row[4])

    connection = sqlite3.connect(populated.path)
    rows = connection.execute(
        "SELECT seq, timestamp, received_at, actor, action FROM audit_records"
    ).fetchall()
    connection.close()
    expected = {row[0] for row in rows if wanted(row)}
    options = [*options, *(["--actor", actor] if actor else [])]
    found = _seqs(command, populated, *options, *(["--action", action] if action else []))
    assert set(found) == expected
    assert len(found) == len(expected)
    assert 0 < len(expected) < len(rows)


def test_a_period_begins_with_its_first_instant_and_ends_before_its_last(
    command: Command, lab: LedgerLab
) -> None:
    lab.append(*(draft(f"at-{n}", time_unix_nano=START + n) for n in (0, 1, 2, 3)))
    lab.close()
    first, last = "2026-09-21T14:13:20.000000001Z", "2026-09-21T14:13:20.000000003Z"
    result = command("search", lab.path, "--from", first, "--to", last, "--format", "jsonl")
    assert [row["record_id"] for row in result.lines()] == ["at-2", "at-1"]


def test_since_counts_back_from_now(command: Command, lab: LedgerLab) -> None:
    import time

    now = time.time_ns()
    for age in (1, 10, 89, 91):
        lab.append(draft(f"age-{age}", time_unix_nano=now - age * DAY))
    lab.close()
    result = command("search", lab.path, "--since", "90d", "--format", "jsonl")
    assert [row["record_id"] for row in result.lines()] == ["age-1", "age-10", "age-89"]


def test_a_record_without_event_time_counts_by_when_it_was_received(
    command: Command, lab: LedgerLab
) -> None:
    lab.append(draft("undated", time_unix_nano=0))
    lab.close()
    for options, found in (
        (["--from", "2026-09-21", "--to", "2026-09-21"], ["undated"]),
        (["--from", "2026-09-22"], []),
        (["--to", "2026-09-20"], []),
        (["--from", "2026-09-21", "--actor", "ann"], ["undated"]),
        (["--from", "2026-09-22", "--actor", "ann"], []),
    ):
        result = command("search", lab.path, *options, "--format", "jsonl")
        assert [row["record_id"] for row in result.lines()] == found, options


def test_the_limit_keeps_the_newest_and_says_that_there_is_more(
    command: Command, populated: Populated
) -> None:
    everything = _wanted(populated, lambda r: True)
    result = command("search", populated.path, "--format", "jsonl")
    assert [row["seq"] for row in result.lines()] == everything[:100]
    assert "the newest 100 are shown, more match; --limit 0 shows all" in result.err
    result = command("search", populated.path, "--format", "jsonl", "--limit", str(len(everything)))
    assert len(result.lines()) == len(everything)
    assert "more match" not in result.err


def test_repeated_entries_are_shown_only_when_asked_for(command: Command, lab: LedgerLab) -> None:
    anonymous = draft(time_unix_nano=START)
    lab.append(anonymous)
    lab.append(anonymous)
    lab.close()
    assert len(command("search", lab.path, "--format", "jsonl").lines()) == 1
    both = command("search", lab.path, "--format", "jsonl", "--duplicates").lines()
    assert [row["duplicate_of"] for row in both] == [both[1]["seq"], None]
    assert both[0]["flags"] == ["duplicate"]


def test_withheld_values_are_found_in_the_body(command: Command, lab: LedgerLab) -> None:
    lab.append(draft("odd", action='say "hi"', service="billing@example.com"))
    lab.append(draft("plain"))
    lab.close()
    for options in (
        ["--action", 'say "hi"'],
        ["--service", "billing@example.com"],
        ["--action", 'say "hi"', "--action", "no.such"],
        ["--service", "billing@example.com", "--service", "no.such"],
    ):
        [row] = command("search", lab.path, *options, "--format", "jsonl").lines()
        assert row["record_id"] == "odd", options
        assert row["action"] is None
    both = command(
        "search", lab.path, "--action", 'say "hi"', "--action", "user.login", "--format", "jsonl"
    )
    assert len(both.lines()) == 2


def test_words_are_not_found_in_salts(command: Command, populated: Populated) -> None:
    connection = sqlite3.connect(populated.path)
    [body] = connection.execute("SELECT body FROM audit_records LIMIT 1").fetchone()
    connection.close()
    salts = json.loads(body)["salt"], json.loads(body)["subject"]["salt"]
    for salt in salts:
        assert salt in body
        assert _seqs(command, populated, salt) == []


def test_own_records_are_found_by_kind_ledger(command: Command, populated: Populated) -> None:
    result = command(
        "search", populated.path, "--kind", "ledger", "--format", "jsonl", "--limit", "0"
    )
    events = [row["event"] for row in result.lines()]
    assert events[-1] == "genesis"
    assert events[0] == "stop"
    assert {"genesis", "start", "config", "heartbeat", "stop"} == set(events)
    [genesis] = command(
        "search",
        populated.path,
        "--kind",
        "ledger",
        "--action",
        "ledger.genesis",
        "--format",
        "jsonl",
    ).lines()
    assert genesis["details"]["origin"].startswith("lab/")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--outcome", "denied"], "outcome 'denied' does not exist; there are: failure, success"),
        (["--kind", "metric"], "kind 'metric' does not exist"),
        (["--flag", "odd"], "flag 'odd' does not exist"),
        (["--trace-id", "12"], "trace id '12' is not 32 digits"),
        (["--since", "90"], "write a number and s, m, h, d or w"),
        (["--since", "1d", "--from", "2026-01-01"], "give one of them"),
        (["--from", "yesterday"], "write 2026-03-31 or 2026-03-31T10:00:00Z"),
        (["--from", "2026-01-01T10:00:00"], "has no time zone"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "ends before it begins"),
        (["--kind", "ledger", "--kind", "span"], "ask for it alone"),
        (["--limit", "-1"], "--limit"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_with_the_mend(
    command: Command, populated: Populated, options: list[str], told: str
) -> None:
    result = command("search", populated.path, *options)
    assert (result.code, result.out) == (2, "")
    assert told in " ".join(result.err.split())


def test_a_filter_checks_itself() -> None:
    with pytest.raises(FilterError):
        Filter(trace_ids=("AB" * 16,))
    with pytest.raises(FilterError):
        Filter(since_unix_nano=5, before_unix_nano=5)
    assert Filter(actors=("a",), since_unix_nano=START).as_dict() == {
        "actor": ["a"],
        "from": "2026-09-21T14:13:20.000000000Z",
    }


SKIP_SCAN = {
    "actor": ("USING INDEX entry_actor (ANY(block) AND actor=?)", {"actors": ("alice",)}),
    "target": ("USING INDEX entry_target (ANY(block) AND target=?)", {"targets": ("target-7",)}),
    "trace": ("USING INDEX entry_trace (ANY(block) AND trace_id=?)", {"trace_ids": (TRACE,)}),
    "action": ("USING INDEX entry_action (action=?)", {"actions": ("login",)}),
    "time": ("USING INDEX entry_time (time>?", {}),
}
PERIOD = {"since_unix_nano": START - 30 * DAY, "before_unix_nano": START}


@pytest.mark.parametrize("engine", ["sqlite3", "apsw"])
@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize(
    ("fields", "index"),
    [
        ({}, "USING INDEX entry_time"),
        (PERIOD, SKIP_SCAN["time"][0]),
        ({"actions": ("login",), **PERIOD}, "USING INDEX entry_action (action=? AND time>?"),
        *((fields, index) for index, fields in SKIP_SCAN.values() if fields),
        *(
            ({**fields, **PERIOD}, SKIP_SCAN[name][0])
            for name, (_, fields) in SKIP_SCAN.items()
            if name in ("actor", "target", "trace")
        ),
        ({"actors": ("alice", "bob")}, SKIP_SCAN["actor"][0]),
        ({"actors": ("alice",), "actions": ("login",)}, SKIP_SCAN["actor"][0]),
        ({"actors": ("alice",), "targets": ("target-7",)}, SKIP_SCAN["target"][0]),
        ({"targets": ("target-7",), "trace_ids": (TRACE,)}, SKIP_SCAN["trace"][0]),
        ({"actors": ("alice",), "outcomes": ("failure",), "words": ("x",)}, SKIP_SCAN["actor"][0]),
        ({"kinds": ("ledger",), "actions": ("ledger.read",)}, "USING INDEX entry_action (action=?"),
    ],
    ids=str,
)
def test_every_selective_filter_is_answered_by_its_index(
    populated: Populated, fields: dict[str, Any], index: str, limit: int | None, engine: str
) -> None:
    statement = find(Filter(**fields), limit)
    plan = _plan(populated.path, engine, statement.sql, statement.parameters)
    assert index in plan
    assert "SCAN entry" not in plan or not fields


@pytest.mark.parametrize("engine", ["sqlite3", "apsw"])
def test_rows_are_fetched_by_their_number(populated: Populated, engine: str) -> None:
    for view, columns in (("audit_records", COLUMNS), ("ledger_events", EVENT_COLUMNS)):
        statement = fetch(view, columns, list(range(3, 500)))
        plan = _plan(populated.path, engine, statement.sql, statement.parameters)
        assert plan == "SEARCH entry USING INTEGER PRIMARY KEY (rowid=?)"


def _plan(path: Path, engine: str, sql: str, parameters: tuple[Any, ...]) -> str:
    connection: Any = sqlite3.connect(path) if engine == "sqlite3" else apsw.Connection(str(path))
    try:
        rows = list(connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters))
    finally:
        connection.close()
    return " | ".join(row[3] for row in rows)


def test_a_limit_beyond_what_sqlite_can_count_is_wrong_use(
    command: Command, populated: Populated
) -> None:
    result = command("search", populated.path, "--limit", str(2**63))
    assert (result.code, result.out) == (2, "")
    assert "--limit" in result.err
    assert "Traceback" not in result.err


def test_the_last_day_of_the_calendar_is_a_period_without_end(
    command: Command, populated: Populated
) -> None:
    assert len(_seqs(command, populated, "--to", "9999-12-31")) == 560
