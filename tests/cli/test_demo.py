"""`demo` is what `make demo` runs: it must happen as told, and leave nothing behind."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_receiver.cli.demo import command as demo
from tests.cli.conftest import Result
from tests.kit.server import COMMAND, environment

Command = Callable[..., Result]


def test_the_demo_happens_as_told_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**environment(), "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.findall(r"^(\d)\. ", done.stdout, re.MULTILINE)
    assert steps == list("12345678")
    assert "over grpc" in done.stdout
    assert "over http" in done.stdout
    assert "HOLDS, NOT ANCHORED OUTSIDE" in done.stdout
    assert "INTACT: " in done.stdout
    assert "DOES NOT HOLD: 1 finding" in done.stdout
    assert "everything happened as told" in done.stdout
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("missing", demo.NEEDED)
def test_a_missing_sdk_is_said_with_the_command_that_installs_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    there = demo._is_there
    monkeypatch.setattr(demo, "_is_there", lambda name: name != missing and there(name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = command("demo")
    assert (result.code, result.out) == (2, "")
    assert "pip install 'audit-receiver[demo]'" in result.err
    assert missing in result.err
    assert os.listdir(tmp_path) == []


def test_a_module_that_cannot_even_be_looked_for_is_missing() -> None:
    assert demo._is_there("opentelemetry.sdk")
    assert not demo._is_there("opentelemetry.no.such")
    assert not demo._is_there("no_such_package.sdk")
