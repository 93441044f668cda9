"""`doctor`: every check says what it found, and a failure is one only where something fails."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.cli.doctor import anchors, clock, database, files, ports
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import SignerKey
from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, copy_of
from tests.kit.server import Server, free_port

Command = Callable[..., Result]
SECOND = 1_000_000_000
NAMES = {
    *("configuration", "sqlite", "sqlite WAL-reset", "port grpc", "port http", "port health"),
    *("port metrics", "directory", "disk", "file system", "fsync", "WAL", "ledger", "clock drift"),
    *("clock NTP", "anchor stdout", "anchor file"),
}


def _config(folder: Path, **ledger: Any) -> Path:
    server = Server(folder, {"ledger": ledger})
    server.config_file.write_text(json.dumps(server.config))
    return server.config_file


def _checks(result: Result) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in result.json()["checks"]}


def test_a_fit_machine_without_a_ledger_passes(command: Command, tmp_path: Path) -> None:
    result = command("doctor", "--config", _config(tmp_path), "--format", "json")
    checks = _checks(result)
    assert set(checks) == NAMES
    failed = [check for check in checks.values() if check["level"] == "fail"]
    assert (result.code, failed, result.json()["fit"]) == (0, [], True)
    assert sorted(os.listdir(tmp_path)) == ["receiver.yaml"], "nothing is left behind"


def test_every_warning_and_failure_names_its_mend(command: Command, tmp_path: Path) -> None:
    result = command("doctor", "--config", _config(tmp_path, create="never"), "--format", "json")
    for check in _checks(result).values():
        assert bool(check["mend"]) is (check["level"] != "ok"), check


def test_the_text_has_one_line_a_check_and_a_verdict(command: Command, tmp_path: Path) -> None:
    result = command("doctor", "--config", _config(tmp_path))
    lines = [line for line in result.out.splitlines() if line.startswith(("ok", "warn", "fail"))]
    assert len(lines) == len(NAMES)
    assert result.out.splitlines()[-1].startswith(f"fit: {len(NAMES)} checks")


def test_an_existing_ledger_is_opened_and_its_tip_verified(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    config = _config(tmp_path, path=str(populated.path))
    checks = _checks(command("doctor", "--config", config, "--format", "json"))
    assert checks["ledger"]["level"] == "ok"
    assert "570 entries, tip signed by its key" in checks["ledger"]["message"]
    assert checks["keys"]["level"] == "ok"
    assert checks["clock ledger"]["level"] in ("ok", "warn")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE head SET signature = zeroblob(64)", "not signed by its key"),
        ("DELETE FROM entry WHERE seq = 569", "do not give the signed root"),
        ("UPDATE node SET hash = zeroblob(32)", "do not give the signed root"),
        ("DROP VIEW audit_spans", "cannot be believed"),
    ],
)
def test_a_ledger_that_does_not_hold_fails(
    command: Command, populated: Populated, tmp_path: Path, sql: str, told: str
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        attacker.db.execute(sql)
    result = command("doctor", "--config", _config(tmp_path, path=str(copy)), "--format", "json")
    assert result.code == 1
    assert _checks(result)["ledger"]["level"] == "fail"
    assert told in _checks(result)["ledger"]["message"]


def test_missing_and_open_keys_are_named(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    config = _config(tmp_path, path=str(copy))
    result = command("doctor", "--config", config, "--format", "json")
    assert (result.code, _checks(result)["keys"]["level"]) == (1, "fail")
    assert "is missing" in _checks(result)["keys"]["message"]
    for suffix in (".key", ".dedup", ".logkey"):
        copy.with_suffix(suffix).write_bytes(populated.path.with_suffix(suffix).read_bytes())
        copy.with_suffix(suffix).chmod(0o644)
    result = command("doctor", "--config", config, "--format", "json")
    assert (result.code, _checks(result)["keys"]["level"]) == (0, "warn")
    assert "chmod 0400" in _checks(result)["keys"]["mend"]


def test_a_change_of_the_key_that_was_interrupted_is_named_and_left_alone(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    for suffix in (".key", ".dedup", ".logkey"):
        copy.with_suffix(suffix).write_bytes(populated.path.with_suffix(suffix).read_bytes())
        copy.with_suffix(suffix).chmod(0o400)
    waiting = copy.with_suffix(".key.next")
    waiting.write_text("half a key")
    waiting.chmod(0o400)
    result = command("doctor", "--config", _config(tmp_path, path=str(copy)), "--format", "json")
    assert (result.code, _checks(result)["keys"]["level"]) == (0, "warn")
    message = _checks(result)["keys"]["message"]
    assert "copy.key.next: a change of the key was interrupted" in message
    assert waiting.exists()


def test_a_key_that_is_not_where_it_should_be_is_named(
    command: Command, populated: Populated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copy_of(populated.path, tmp_path)
    copy.with_suffix(".dedup").write_bytes(populated.path.with_suffix(".dedup").read_bytes())
    copy.with_suffix(".dedup").chmod(0o400)
    monkeypatch.setenv("AUDIT_KEY", populated.path.with_suffix(".key").read_text())
    config = _config(tmp_path, path=str(copy), key={"env": "AUDIT_KEY"})
    result = command("doctor", "--config", config, "--format", "json")
    assert (result.code, _checks(result)["keys"]["level"]) == (0, "ok")
    assert "environment variable AUDIT_KEY" in _checks(result)["keys"]["message"]
    monkeypatch.delenv("AUDIT_KEY")
    result = command("doctor", "--config", config, "--format", "json")
    assert (result.code, _checks(result)["ledger"]["level"]) == (1, "fail")
    assert "AUDIT_KEY is not set" in _checks(result)["ledger"]["message"]


def test_a_missing_ledger_fails_only_where_none_may_be_created(
    command: Command, tmp_path: Path
) -> None:
    result = command("doctor", "--config", _config(tmp_path, create="never"), "--format", "json")
    assert (result.code, _checks(result)["ledger"]["level"]) == (1, "fail")
    assert "audit-receiver init" in _checks(result)["ledger"]["mend"]


@pytest.mark.parametrize("text", ["ledgr: {}", "ledger: [", "receivers: 5"])
def test_a_wrong_configuration_fails_and_the_rest_is_still_checked(
    command: Command, tmp_path: Path, text: str
) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text(text)
    result = command("doctor", "--config", config, "--format", "json")
    assert result.code == 1
    assert _checks(result)["configuration"]["level"] == "fail"
    assert "receiver.yaml:1" in _checks(result)["configuration"]["message"]
    assert "sqlite" in _checks(result)


def test_a_port_of_another_program_fails_and_names_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        check = ports.port("port", "127.0.0.1", other.getsockname()[1])
    assert check.level == "fail"
    assert f"process {os.getpid()}" in check.message
    assert ports.port("port", "127.0.0.1", free_port()).level == "ok"


def test_the_ports_of_a_running_receiver_are_its_own(command: Command, tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        result = command("doctor", "--config", server.config_file, "--format", "json")
        assert result.code == 0, result.out
        for name in ("grpc", "http", "health", "metrics"):
            check = _checks(result)[f"port {name}"]
            assert check["level"] == "warn"
            assert f"running audit-receiver (process {server.pid})" in check["message"]
        assert "a service is writing to it" in _checks(result)["ledger"]["message"]
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("host", "number", "told"),
    [("no-such-host.invalid", 4317, "no such host"), ("192.0.2.1", 4317, "cannot be listened on")],
)
def test_an_address_that_is_not_ours_fails(host: str, number: int, told: str) -> None:
    check = ports.port("port", host, number)
    assert check.level == "fail"
    assert told in check.message


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("3.7.0", "warn"),
        ("3.40.1", "warn"),
        ("3.44.5", "warn"),
        ("3.44.6", "ok"),
        ("3.50.6", "warn"),
        ("3.50.7", "ok"),
        ("3.49.9", "warn"),
        ("3.51.2", "warn"),
        ("3.51.3", "ok"),
        ("3.53.0", "ok"),
        ("4.0.0", "ok"),
    ],
)
def test_the_wal_reset_bug_is_known_by_version(version: str, level: str) -> None:
    """The versions that https://sqlite.org/wal.html#walresetbug names."""
    assert database.wal_reset(version).level == level


def test_space_is_measured_against_the_reserve(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    available = free.f_bavail * free.f_frsize
    assert files.disk(tmp_path, available * 2).level == "fail"
    assert files.disk(tmp_path, available - 100 * files.MIB).level == "warn"
    assert files.disk(tmp_path, 0).level == "ok"


@pytest.mark.parametrize(
    ("mode", "level"),
    [(0o2750, "ok"), (0o700, "ok"), (0o755, "warn"), (0o777, "fail"), (0o1777, "warn")],
)
def test_a_directory_that_others_may_enter_is_named(tmp_path: Path, mode: int, level: str) -> None:
    place = tmp_path / "data"
    place.mkdir()
    place.chmod(mode)
    check = files.directory(place / "ledger.db", place)
    assert check.level == level
    assert ("chmod 2750" in check.mend) is (level != "ok")


@pytest.mark.parametrize(
    ("kind", "level"), [("ext4", "ok"), ("nfs4", "fail"), ("tmpfs", "warn"), ("cifs", "fail")]
)
def test_a_file_system_that_cannot_carry_a_ledger_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, level: str
) -> None:
    monkeypatch.setattr(files, "_kind", lambda _: kind)
    assert files.file_system(tmp_path).level == level


@pytest.mark.parametrize(
    ("wall", "monotonic", "level"),
    [
        (SECOND, SECOND, "ok"),
        (SECOND + 1_000_000, SECOND, "ok"),
        (SECOND * 2, SECOND, "warn"),
        (-SECOND, SECOND, "warn"),
    ],
)
def test_a_wall_clock_that_jumps_is_named(wall: int, monotonic: int, level: str) -> None:
    assert clock.drift(wall, monotonic).level == level


@pytest.mark.parametrize(("state", "level"), [(0, "ok"), (5, "warn"), (None, "warn")])
def test_what_the_kernel_says_of_ntp_is_said(state: int | None, level: str) -> None:
    assert clock.synchronised(state).level == level


@pytest.mark.parametrize(("now_days", "level"), [(0, "ok"), (-1, "warn"), (89, "ok"), (91, "warn")])
def test_the_clock_is_held_against_the_last_entry(now_days: int, level: str) -> None:
    day = 86_400 * SECOND
    check = clock.against_ledger((1000 + now_days) * day, 1000 * day)
    assert check.level == level
    if now_days == 91:
        assert "--accept-clock" in check.mend


def test_wrong_use_ends_with_2(command: Command) -> None:
    assert command("doctor", "--format", "xml").code == 2


def test_an_anchor_on_the_ledgers_own_volume_is_worth_a_word(tmp_path: Path) -> None:
    same = anchors.file_anchor("anchor file", tmp_path / "c.txt", tmp_path / "data" / "ledger.db")
    assert (same.level, "the ledger's own file system" in same.message) == ("warn", True)
    elsewhere = anchors.file_anchor("anchor file", Path("/dev/shm/c.txt"), tmp_path / "ledger.db")
    assert elsewhere.level == "ok"


def test_no_anchor_is_worth_a_word_and_a_lost_ledger_a_failure(
    command: Command, tmp_path: Path
) -> None:
    def said(given: dict[str, Any]) -> dict[str, dict[str, str]]:
        server = Server(tmp_path, {"anchors": given})
        server.config_file.write_text(json.dumps(server.config))
        return _checks(command("doctor", "--config", server.config_file, "--format", "json"))

    assert said({})["anchors"]["level"] == "warn"
    signer = SignerKey.generate("lab/1")
    checkpoint = Checkpoint("lab/1", 7, bytes(32))
    note = signed(checkpoint, signer.sign(checkpoint.text().encode()), signer.verifier)
    (tmp_path / "c.txt").write_text(f"{note}=\n")
    lost = said({"file": {"path": str(tmp_path / "c.txt")}})["anchors"]
    assert lost["level"] == "fail"
    assert "anchor file knows the checkpoint of size 7 of lab/1" in lost["message"]
