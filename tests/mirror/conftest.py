"""One ledger that grows, and a place for its mirror."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.lab import LedgerLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LedgerLab]:
    made = LedgerLab(tmp_path)
    made.open()
    yield made
    made.discard()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "mirror"
