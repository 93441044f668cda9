"""`init` and `serve` from the command line: what they create, print, refuse."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.kit.lab import LedgerLab, check
from tests.kit.server import Server, run_cli

Command = Callable[..., Result]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _umask() -> "object":
    """`init` sets its own; the other tests keep theirs."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_init_makes_a_ledger_its_keys_and_says_what_to_keep_where(
    command: Command, tmp_path: Path
) -> None:
    ledger = tmp_path / "data" / "ledger.db"
    result = command("init", ledger, "--name", "example.com/audit")
    assert result.code == 0
    said = dict(
        line.split(None, 1) for line in result.out.replace("verifier key", "vkey").splitlines()
    )
    assert said["ledger"] == str(ledger)
    assert said["origin"].startswith("example.com/audit/")
    assert said["vkey"] == ledger.with_suffix(".vkey").read_text().strip()
    assert "Keep outside this machine" in result.err
    assert "ledger.key" in result.err
    check(ledger, 1)
    modes = {path.name: _mode(path) for path in ledger.parent.iterdir()}
    expected = {
        "ledger.db": 0o640,
        "ledger.key": 0o400,
        "ledger.dedup": 0o400,
        "ledger.vkey": 0o644,
    }
    assert {name: modes[name] for name in expected} == expected
    assert _mode(ledger.parent) == 0o2750


def test_init_without_a_path_uses_the_configured_one(tmp_path: Path) -> None:
    done = run_cli("init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check(tmp_path / "audit-data" / "ledger.db", 1)


def test_what_init_made_is_what_serve_opens(tmp_path: Path) -> None:
    server = Server(tmp_path, {"ledger": {"create": "never"}, "select": {"attributes": ["my.*"]}})
    server.config_file.write_text(json.dumps(server.config))
    done = run_cli("init", "--config", server.config_file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with server:
        assert "opened, 1 entries" in server.stderr
        assert server.stop() == 0
    shown = run_cli(
        "search", server.ledger, "--kind", "ledger", "--action", "ledger.genesis", cwd=tmp_path
    )
    [genesis] = [json.loads(line) for line in shown.stdout.splitlines()]
    assert genesis["details"]["select"]["attributes"] == ["my.*"]


def test_init_overwrites_nothing(command: Command, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    assert command("init", ledger).code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = command("init", ledger)
    assert result.code == 2
    assert "exists already" in result.err
    ledger.unlink()
    assert command("init", ledger).code == 2, "the keys of a lost ledger are not written over"
    before.pop(ledger)
    for path, content in before.items():
        if path.suffix != ".lock":
            assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["with space", "ümlaut", "x" * 300])
def test_a_name_that_cannot_be_an_origin_is_refused(
    command: Command, tmp_path: Path, name: str
) -> None:
    result = command("init", tmp_path / "ledger.db", "--name", name)
    assert result.code == 2
    assert not (tmp_path / "ledger.db").exists()


def test_serve_check_only_reads_the_configuration(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text("ledger: {path: nowhere/ledger.db}\n")
    result = command("serve", "--check", "--config", config)
    assert (result.code, result.out) == (0, f"{config} is valid\n")
    assert os.listdir(tmp_path) == ["receiver.yaml"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ledgr: {}\n", "did you mean ledger?"),
        ("ledger: {create: sometimes}\n", "receiver.yaml:1: ledger.create"),
        ("ledger: [\n", "is not YAML"),
        (
            "a: &a {x: 1}\nledger: {<<: *a, create: 5}\n",
            "receiver.yaml:2: ledger.create: 5 is none",
        ),
        ("a: " + "[" * 5000, "receiver.yaml:1: is nested deeper"),
    ],
)
def test_serve_with_a_wrong_configuration_ends_with_2_and_the_mend(
    command: Command, tmp_path: Path, text: str, told: str
) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text(text)
    for words in (["serve", "--check"], ["serve"]):
        result = command(*words, "--config", config)
        assert result.code == 2
        assert told in result.err


def test_serve_with_a_missing_configuration_ends_with_2(command: Command, tmp_path: Path) -> None:
    result = command("serve", "--config", tmp_path / "none.yaml")
    assert result.code == 2
    assert "cannot be read" in result.err


def test_serve_with_an_empty_name_ends_with_2_and_not_on_the_default(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = command("serve", "--check", "--config", "")
    assert (result.code, result.out) == (2, "")
    assert "--config: names nothing" in result.err
    monkeypatch.setenv("AUDIT_RECEIVER_CONFIG", "")
    result = command("serve", "--check")
    assert (result.code, result.out) == (2, "")
    assert "$AUDIT_RECEIVER_CONFIG: is set to nothing" in result.err


def test_accept_clock_lets_a_ledger_of_the_past_go_on(tmp_path: Path) -> None:
    """The lab's clock is fixed; the machine's is more than 90 days from any of its entries."""
    server = Server(tmp_path)
    lab = LedgerLab(tmp_path)
    lab.clock.wall -= 400 * 86_400 * 1_000_000_000
    lab.open()
    lab.close()
    server.ledger.parent.mkdir()
    for path in lab.path.parent.iterdir():
        path.rename(server.ledger.parent / path.name)
    server.start()
    status, words = server.get("/readyz")
    assert status == 503
    assert "clock" in words
    assert "--accept-clock" in server.stderr
    server.stop()
    server.start("--accept-clock")
    assert server.get("/readyz")[0] == 200
    assert server.stop() == 0
