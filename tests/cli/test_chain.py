"""Ledgers that were continued one in the next: `verify`, `search` and `export` take them all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from audit_receiver.ledger.model import LedgerSettings
from audit_receiver.ledger.succession import continue_as
from tests.cli.conftest import Result
from tests.kit.attacker import Attacker
from tests.kit.lab import SECOND, START, LedgerLab, draft

Command = Callable[..., Result]
TIMES = ([0, 30, 10], [20, 40, 5])  # event times of the records in each, in seconds


class Chain(NamedTuple):
    old: Path
    new: Path


@pytest.fixture
def chain(lab: LedgerLab, tmp_path: Path) -> Chain:
    """Two ledgers, the second one continues the first."""
    old, new = lab.path, tmp_path / "next" / "ledger-2027.db"
    for number, seconds in enumerate(TIMES):
        lab.append(
            *(
                draft(f"at-{at}", time_unix_nano=START + at * SECOND, service=f"s{number}")
                for at in seconds
            )
        )
        lab.close()
        if number == 0:
            settings = {**lab._settings, "create": "never"}
            successor = LedgerSettings(**{**lab._settings, "path": new})
            continue_as(LedgerSettings(**settings), successor, lab.clock.clock(), "a new year")
            lab.open(path=new)
    return Chain(old, new)


def test_a_chain_has_one_verdict_and_says_what_each_is(command: Command, chain: Chain) -> None:
    result = command("verify", *chain)
    assert result.code == 3
    assert result.out.startswith("HOLDS, NOT ANCHORED OUTSIDE: nothing contradicts 2 ledgers with")
    assert f"== {chain.old}" in result.out
    report = command("verify", chain.new, chain.old, "--format", "json").json()
    assert [one["ledger"] for one in report["ledgers"]] == [str(chain.old), str(chain.new)]
    assert (report["verdict"], report["links"]) == ("intact_unanchored", [])
    assert report["unanchored"] == 6


def test_keys_and_notes_go_to_the_ledger_of_their_name(
    command: Command, chain: Chain, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    command("checkpoint", chain.new, "--output", note)
    keys = [word for one in chain for word in ("--vkey", one.with_suffix(".vkey"))]
    report = command("verify", *chain, *keys, "--checkpoint", note, "--format", "json").json()
    assert report["verdict"] == "intact", "the successor's checkpoint covers both"
    assert [one["key_pinned"] for one in report["ledgers"]] == [True, True]
    assert [one["anchored_size"] > 0 for one in report["ledgers"]] == [False, True]


def test_a_key_of_neither_is_held_against_the_first(command: Command, chain: Chain) -> None:
    text = chain.old.with_suffix(".vkey").read_text()
    from audit_receiver.tlog.note import SignerKey

    other = str(SignerKey.generate("lab/0123456789abcdef").verifier)
    assert other not in text
    report = command("verify", *chain, "--vkey", other, "--format", "json").json()
    assert report["verdict"] == "tampered"
    assert [one["verdicts"]["key"]["findings"] for one in report["ledgers"]] == [1, 0]


def test_a_closed_ledger_cut_off_or_changed_is_found_by_its_successor(
    command: Command, chain: Chain
) -> None:
    with Attacker(chain.old) as attacker:
        attacker.cut(attacker.size() - 1)
    result = command("verify", *chain)
    assert result.code == 1
    assert "Between ledgers: truncated" in result.out


def test_a_state_remembers_one_ledger(command: Command, chain: Chain, tmp_path: Path) -> None:
    assert command("verify", *chain, "--state", tmp_path / "seen.json").code == 2


# ---- search and export ---------------------------------------------------------------------------


def test_a_search_over_a_chain_is_newest_first_and_names_the_ledger(
    command: Command, chain: Chain
) -> None:
    found = command("search", *chain, "--format", "jsonl").lines()
    assert [row["record_id"] for row in found] == [f"at-{at}" for at in (40, 30, 20, 10, 5, 0)]
    assert [row["ledger"] for row in found[:2]] == [str(chain.new), str(chain.old)]
    newest = command("search", *chain, "--limit", "3", "--format", "jsonl")
    assert [row["record_id"] for row in newest.lines()] == ["at-40", "at-30", "at-20"]
    assert "the newest 3 are shown, more match" in newest.err
    some = command("search", *chain, "at-30", "--format", "jsonl").lines()
    assert [row["record_id"] for row in some] == ["at-30"], "what is no ledger is a text"


def test_one_ledger_has_no_further_column(command: Command, chain: Chain) -> None:
    assert all("ledger" not in row for row in command("search", chain.new).lines())


def test_an_export_of_a_chain_is_one_ledger_after_the_other(
    command: Command, chain: Chain, tmp_path: Path
) -> None:
    target = tmp_path / "all.jsonl"
    told = command("export", *chain, "--output", target)
    assert "6 records of 2 ledgers of" in told.err
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["record_id"] for row in rows] == [f"at-{at}" for one in TIMES for at in one]
    assert [row["ledger"] for row in rows] == [str(chain.old)] * 3 + [str(chain.new)] * 3
    assert command("export", *chain, "--output", chain.old.with_suffix(".key")).code == 2


def test_a_ledger_that_is_not_there_is_told_to_be_a_text(command: Command, chain: Chain) -> None:
    result = command("search", chain.new, "ledger-2028.db")
    assert result.out == ""
    assert "there is no ledger ledger-2028.db: it is looked for as a text" in result.err
