"""The golden vectors of a room: cases with their names, ready for `parametrize`."""

import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent.parent / "vectors"


def load(name: str) -> Any:
    """One file of vectors."""
    return json.loads((HERE / name).read_text("utf-8"))


def cases(name: str, part: str) -> list[Any]:
    """The cases of one part of a file, each with a test id of its own."""
    found = load(name)[part]
    assert found, f"{name} has no {part}"
    return [pytest.param(case, id=_id(case, place)) for place, case in enumerate(found)]


def _id(case: Any, place: int) -> str:
    words = case.get("name", "") if isinstance(case, dict) else ""
    return str(words or place).replace(" ", "-")
