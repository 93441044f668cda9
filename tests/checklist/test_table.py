"""docs/otlp-checklist.md names every number once, and only tests that there are."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "otlp-checklist.md").read_text()
ROWS = [
    line.strip("| ").split(" | ") for line in TEXT.splitlines() if re.match(r"\| [A-Z]\d\d", line)
]
LAST = {"H": 26, "Z": 12, "J": 19, "E": 11, "G": 12, "A": 15, "X": 7}  # of the checklist
NUMBERS = [f"{letter}{n:02}" for letter, last in LAST.items() for n in range(1, last + 1)]


@lru_cache
def functions_of(path: str) -> frozenset[str]:
    """The names of the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_every_number_stands_there_once_and_in_order() -> None:
    assert [row[0] for row in ROWS] == NUMBERS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_tests_that_there_are_or_says_why_not(row: list[str]) -> None:
    _, what, cell = row
    assert what
    named = re.findall(r"`(tests/[^`]+\.py)::(\w+)`", cell)
    if cell.startswith("open: "):
        assert len(cell) > len("open: ") + 10
        assert not named
        return
    assert named
    for path, name in named:
        assert name in functions_of(path), f"{path} has no {name}"


def test_a_test_that_names_a_number_stands_in_its_row() -> None:
    cells = {row[0]: row[2] for row in ROWS}
    seen = 0
    for path in sorted((ROOT / "tests" / "checklist").glob("test_*.py")):
        for name in functions_of(str(path.relative_to(ROOT))):
            for number in re.findall(r"(?<=_)([hzjegax]\d\d)(?=_)", name):
                assert f"::{name}`" in cells[number.upper()], f"{name} is not in {number.upper()}"
                seen += 1
    assert seen > 80
