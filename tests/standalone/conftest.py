"""The populated ledger of tests/cli, and `verify.py` as an auditor runs it."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.cli.conftest import command, populated
from tests.kit.lab import LedgerLab

__all__ = ["command", "populated"]

FILE = Path(__file__).resolve().parents[2] / "audit_receiver" / "standalone" / "verify.py"


@pytest.fixture(scope="session")
def script() -> ModuleType:
    """The file, loaded from its path as anybody would: not as part of our package."""
    spec = importlib.util.spec_from_file_location("standalone_verify", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LedgerLab]:
    """A ledger of one test's own."""
    made = LedgerLab(tmp_path / "own")
    yield made
    made.discard()


@pytest.fixture
def standalone(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """`python verify.py … --json` in this process: exit code and report."""

    def call(*words: str | Path) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", ["verify.py", *map(str, words), "--json"])
        capsys.readouterr()
        code = script.main()
        out = capsys.readouterr().out
        return code, json.loads(out) if out else None

    return call
