"""docs/ledger-format.md against the code: tables, words, SQL and the example."""

import json
import re
from hashlib import sha3_256, sha256
from pathlib import Path

import pytest

from audit_receiver.ledger import database
from audit_receiver.record import aliases, canonical, events, flags, header
from tests.record.vectors import cases

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "ledger-format.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)\n```", TEXT, re.DOTALL)
SQL = [block for language, block in BLOCKS if language == "sql"]
JSON = [block for language, block in BLOCKS if language == "json"]


def section(title: str) -> str:
    found = re.search(rf"^## \d+\. {title}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_alias_table_is_the_codes_in_the_same_order() -> None:
    found = {codes(row[0])[0]: tuple(codes(row[2])) for row in rows(section("Normalisation"))[1:]}
    assert found == aliases.ALIASES


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("success", aliases.SUCCESS),
        ("failure", aliases.FAILURE),
        ("failure by denial", aliases.DENIAL),
    ],
)
def test_outcome_words_are_the_codes(label: str, words: frozenset[str]) -> None:
    (line,) = re.findall(rf"^   - {label}: ([^;.]*)[;.]", TEXT, re.MULTILINE)
    assert set(codes(line)) == words


def test_the_flags_are_the_codes() -> None:
    found = {codes(row[0])[0]: row[1] for row in rows(section("Flags"))[1:]}
    assert found == flags.ALL


def test_the_header_keys_are_the_codes() -> None:
    found = tuple(codes(row[0])[0] for row in rows(section("The header"))[1:])
    assert found == header.KEYS


def test_own_records_and_their_fields_are_the_codes() -> None:
    tables = section("The receiver's own records").split("| incident | field |")
    for table, known in zip(tables, (events.EVENTS, events.INCIDENTS), strict=True):
        found: dict[str, set[str]] = {}
        for row in rows(table):
            if row[0] != "event":
                found.setdefault(codes(row[0])[0], set()).update(codes(row[1]))
        assert found == {name: set(fields) for name, fields in known.items()}


def test_the_sql_is_the_programs() -> None:
    check, schema = SQL
    assert schema == database.schema_text().rstrip()
    assert check == database.check_text().rstrip()
    assert database.SCHEMA_SHA3 in section("The file")
    assert str(database.APPLICATION_ID) in section("The file")


def test_the_example_is_a_golden_vector_and_its_hashes_are_right() -> None:
    body, text = JSON
    (entry,) = [case for case in cases("header/entries.json") if case["header"] == text]
    assert entry["body"] == body
    example, fields = section("An example"), json.loads(text)
    subject = canonical.encode(json.loads(body)["subject"])
    for stated in (
        sha3_256(body.encode()).hexdigest(),
        sha3_256(subject).hexdigest(),
        sha3_256(text.encode()).hexdigest(),
        sha256(b"\0" + text.encode()).hexdigest(),
        subject.decode(),
        entry["identity"],
        fields["id"],
    ):
        assert f"`{stated}`" in example
    assert header.parse(text) == fields
