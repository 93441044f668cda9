"""One ledger for each test, with an engine over its writer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_receiver.ledger import closing, writer
from audit_receiver.retention import engine as engine_module
from tests.kit.lab import LedgerLab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerLab]:
    """A ledger in a box; whatever the test leaves running is stopped."""
    monkeypatch.setattr(writer, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(closing, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(engine_module, "READER_SECONDS", 0.3)
    monkeypatch.setattr(engine_module, "ANCHOR_SECONDS", 0.3)
    made = LedgerLab(tmp_path)
    yield made
    made.discard()
