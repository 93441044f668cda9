"""`export`: complete, exact, whole or not at all; and what the writers do to odd values."""

import base64
import csv
import hashlib
import io
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_receiver import export
from audit_receiver.query import COLUMNS
from tests.cli.conftest import Populated, Result
from tests.kit.attacker import copy_of
from tests.kit.lab import LedgerLab, draft

Command = Callable[..., Result]


def _view(path: Path, where: str = "1") -> list[sqlite3.Row]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = connection.execute(f"SELECT * FROM audit_records WHERE {where} ORDER BY seq").fetchall()
    connection.close()
    return rows


def test_jsonl_has_every_record_in_the_order_of_the_ledger(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    target = tmp_path / "all.jsonl"
    result = command("export", populated.path, "--output", target)
    assert (result.code, result.out) == (0, "")
    assert f"560 records of a ledger of 570 entries written to {target}" in result.err
    rows = _view(populated.path)
    lines = target.read_text("utf-8").splitlines()
    assert len(lines) == len(rows) == 560
    for line, row in zip(lines, rows, strict=True):
        told = json.loads(line)
        assert list(told) == list(COLUMNS)
        for name in COLUMNS:
            if name in export.JSON_COLUMNS:
                assert told[name] == json.loads(row[name])
            else:
                assert told[name] == row[name]


def test_a_body_in_jsonl_is_hashed_as_it_stands_in_the_line(
    command: Command, populated: Populated
) -> None:
    connection = sqlite3.connect(populated.path)
    headers = dict(connection.execute("SELECT seq, header FROM entry"))
    connection.close()
    for line in command("export", populated.path).out.splitlines():
        told = json.loads(line)
        start = line.index('"body":{') + len('"body":')
        body = line[start : line.index(',"prev_hash":', start)]
        stated = json.loads(headers[told["seq"]])["body"]
        assert hashlib.sha3_256(body.encode()).hexdigest() == stated


def test_csv_reads_back_to_what_the_view_says(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    target = tmp_path / "all.csv"
    assert command("export", populated.path, "--format", "csv", "--output", target).code == 0
    with target.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    assert header == list(COLUMNS)
    for line, row in zip(lines, _view(populated.path), strict=True):
        for cell, value in zip(line, row, strict=True):
            plain = cell.removeprefix("'") if isinstance(value, str) else cell
            assert plain == ("" if value is None else str(value))


def test_filters_hold_for_exports_too(command: Command, populated: Populated) -> None:
    result = command("export", populated.path, "--actor", "alice", "--outcome", "failure")
    expected = [
        row["seq"] for row in _view(populated.path, "actor = 'alice' AND outcome = 'failure'")
    ]
    assert [line["seq"] for line in result.lines()] == expected
    assert expected


def test_there_is_no_hidden_limit(command: Command, lab: LedgerLab) -> None:
    for first in range(0, 1300, 130):
        lab.append(*(draft(f"r{number}") for number in range(first, first + 130)))
    lab.close()
    assert len(command("export", lab.path).lines()) == 1300
    assert len(command("export", lab.path, "--format", "csv").out.splitlines()) == 1301


def test_own_records_are_exported_by_kind(command: Command, populated: Populated) -> None:
    lines = command("export", populated.path, "--kind", "ledger").lines()
    assert lines[0]["event"] == "genesis"
    assert lines[0]["body"]["event"] == lines[0]["details"]


# ---- whole or not at all -------------------------------------------------------------------------


def test_an_existing_file_is_not_replaced_unless_forced(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    target = tmp_path / "q1.csv"
    target.write_text("precious")
    result = command("export", populated.path, "--output", target)
    assert result.code == 2
    assert "exists already; choose another name, or say --force" in result.err
    assert target.read_text() == "precious"
    assert command("export", populated.path, "--output", target, "--force").code == 0
    assert len(target.read_text().splitlines()) == 560
    assert os.listdir(tmp_path) == ["q1.csv"]


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "half.jsonl"

    def write() -> None:
        with export.whole_file(target) as stream:
            stream.write(b"half a line")
            raise RuntimeError("the ledger went away")

    with pytest.raises(RuntimeError):
        write()
    assert os.listdir(tmp_path) == []


def test_a_name_taken_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "raced.jsonl"

    def write() -> None:
        with export.whole_file(target) as stream:
            stream.write(b"mine")
            target.write_text("theirs")

    with pytest.raises(export.ExportError, match="exists already"):
        write()
    assert target.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["raced.jsonl"]


@pytest.mark.parametrize("name", ["no/such/folder/x.csv", "."])
def test_a_place_that_cannot_be_written_is_said(
    command: Command, populated: Populated, tmp_path: Path, name: str
) -> None:
    result = command("export", populated.path, "--output", tmp_path / name)
    assert result.code == 2
    assert str(tmp_path) in result.err


# ---- odd values ----------------------------------------------------------------------------------

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
    "'=1",
    "'",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(text: str) -> None:
    assert export.guard(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "alice", "a=1", "1-1", "x@y", "{}", "2026-01-01"])
def test_other_text_is_left_alone(text: str) -> None:
    assert export.guard(text) == text


def test_taking_one_apostrophe_away_gives_every_value_back() -> None:
    values = [*FORMULAS, "", "plain", "''x"]
    stream = io.BytesIO()
    assert export.write_csv(["=name"], [(value,) for value in values], stream) == len(values)
    header, *rows = list(csv.reader(io.StringIO(stream.getvalue().decode(), newline="")))
    assert header == ["'=name"]
    assert [row[0].removeprefix("'") if row else "" for row in rows] == values


def test_numbers_are_no_text_and_not_guarded() -> None:
    stream = io.BytesIO()
    export.write_csv(["n", "x"], [(-1, -1.5), (None, b"\x01")], stream)
    assert stream.getvalue() == b"n,x\r\n-1,-1.5\r\n,base64:AQ==\r\n"


def test_json_holds_what_json_cannot() -> None:
    row = (b"\xff\x00", float("inf"), float("-inf"), 2**62, "\ud800", None, "x")
    [line] = export.json_lines(list("abcdefg"), [row])
    assert json.loads(line) == {
        "a": {"$bytes": "/wA="},
        "b": {"$double": "Infinity"},
        "c": {"$double": "-Infinity"},
        "d": 2**62,
        "e": {"$bytes": "7aCA"},
        "f": None,
        "g": "x",
    }


def test_json_text_is_embedded_as_it_stands_and_broken_text_as_a_string() -> None:
    exact = '{"b": 1.50, "a":[ ]}'
    lines = list(export.json_lines(["body", "x"], [(exact, exact), ("{", None)], ["body"]))
    assert lines[0] == b'{"body":' + exact.encode() + b',"x":' + json.dumps(exact).encode() + b"}"
    assert json.loads(lines[1]) == {"body": "{", "x": None}


def test_columns_of_one_name_are_told_apart() -> None:
    assert export.unique(["a", "b", "a", "a"]) == ["a", "b", "a:2", "a:3"]
    [line] = export.json_lines(["a", "a"], [(1, 2)])
    assert json.loads(line) == {"a": 1, "a:2": 2}


@pytest.mark.parametrize(
    ("count", "expected"), [(0, []), (1, [{"a": 0}]), (2, [{"a": 0}, {"a": 1}])]
)
def test_json_is_one_array(count: int, expected: list[dict[str, int]]) -> None:
    stream = io.BytesIO()
    assert export.write_json(["a"], [(number,) for number in range(count)], stream) == count
    assert json.loads(stream.getvalue()) == expected


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("way", ["straight", "about", "link"])
def test_an_export_never_takes_the_place_of_the_ledger(
    command: Command, populated: Populated, tmp_path: Path, suffix: str, way: str
) -> None:
    ledger = copy_of(populated.path, tmp_path)
    asked = ledger
    if way == "link":
        (tmp_path / "other").mkdir()
        asked = tmp_path / "other" / "link.db"
        asked.symlink_to(ledger)
        asked.with_suffix(".vkey").symlink_to(ledger.with_suffix(".vkey"))
    target = tmp_path / ("../" + tmp_path.name if way == "about" else "") / f"{ledger.name}{suffix}"
    before = ledger.read_bytes()
    result = command("export", asked, "--output", target, "--force")
    assert result.code == 2
    assert "belongs to the ledger" in result.err
    assert ledger.read_bytes() == before


@pytest.mark.parametrize("suffix", ["key", "vkey", "logkey", "dedup", "lock", "sock", "creating"])
def test_an_export_takes_no_name_of_a_file_beside_the_ledger(
    command: Command, populated: Populated, tmp_path: Path, suffix: str
) -> None:
    ledger = copy_of(populated.path, tmp_path)
    result = command("export", ledger, "--output", ledger.with_suffix(f".{suffix}"), "--force")
    assert result.code == 2
    assert "belongs to the ledger" in result.err


def test_a_proof_of_each_record_checks_with_the_first_key(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    target, proofs = tmp_path / "some.jsonl", tmp_path / "proofs"
    result = command(
        *("export", populated.path, "--outcome", "failure"),
        *("--output", target, "--proofs", proofs),
    )
    assert result.code == 0, result.err
    told = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(told) == len(_view(populated.path, "outcome = 'failure'")) > 5
    names = {f"{one['seq']}.tlog-proof" for one in told} | {"keys.txt"}
    assert {path.name for path in proofs.iterdir()} == names
    for one in told:
        proof = proofs / f"{one['seq']}.tlog-proof"
        judged = command(
            *("verify", "--proof", proof, "--keys", proofs / "keys.txt"),
            *("--vkey", populated.vkey, "--format", "json"),
        )
        assert judged.code == 0, judged.err
        extra = base64.b64decode(proof.read_text().splitlines()[1].removeprefix("extra "))
        assert hashlib.sha3_256(extra).hexdigest() == one["hash"]


def test_proofs_that_cannot_be_written_leave_no_export(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    (tmp_path / "proofs").mkdir()
    for proofs in (tmp_path / "proofs", tmp_path / "nowhere" / "proofs"):
        target = tmp_path / "all.jsonl"
        result = command("export", populated.path, "--output", target, "--proofs", proofs)
        assert result.code == 2
        assert str(proofs) in result.err
        assert [path.name for path in tmp_path.iterdir()] == ["proofs"]


def test_a_tampered_record_is_not_proven_and_nothing_is_left(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    (tmp_path / "copies").mkdir()
    copy = copy_of(populated.path, tmp_path / "copies")
    connection = sqlite3.connect(copy, isolation_level=None)
    connection.execute("DROP TRIGGER entry_update")
    connection.execute("UPDATE entry SET header = replace(header, 'svc', 'SVC') WHERE seq = 40")
    sql = Path(export.__file__).with_name("ledger").joinpath("schema.sql").read_text()
    start = sql.index("CREATE TRIGGER entry_update")
    connection.execute(sql[start : sql.index("END;", start) + 3])
    connection.close()
    target, proofs = tmp_path / "all.jsonl", tmp_path / "proofs"
    result = command("export", copy, "--output", target, "--proofs", proofs)
    assert result.code == 1, result.err
    assert "cannot be proven" in result.err
    assert not target.exists()
    assert not proofs.exists()
    assert not list(tmp_path.glob(".*"))
