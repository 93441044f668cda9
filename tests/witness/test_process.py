"""A real witness process: the protocol over HTTP, crashes at each step, TLS, a clean end."""

import asyncio
import json
import ssl
import subprocess
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from audit_receiver.tlog.cosignature import CosignerKey, cosignatures, parse_lines
from audit_receiver.tlog.note import Note
from audit_receiver.witness import identity, logs, server
from audit_receiver.witness.core import Witness
from tests.kit.logs import SmallLog
from tests.kit.server import run_cli
from tests.kit.witness import WitnessProcess


@pytest.fixture
def log() -> SmallLog:
    return SmallLog()


@pytest.fixture
def witness(tmp_path: Path, log: SmallLog) -> WitnessProcess:
    return WitnessProcess(tmp_path / "w", log.vkey, name="witness.example/auditor")


def test_a_log_is_cosigned_over_http_and_the_newest_note_can_be_had(
    witness: WitnessProcess, log: SmallLog
) -> None:
    path = f"/{sha256(log.origin.encode()).hexdigest()}/checkpoint"
    with witness:
        assert witness.get(path)[0] == 404
        assert witness.who()["logs"][0]["size"] is None
        for old, new in ((0, 5), (5, 9)):
            status, kind, text = witness.add(log.submission(old, new))
            assert (status, kind) == (200, "text/plain; charset=utf-8")
            note = Note(log.text(new), tuple(parse_lines(text)))
            assert cosignatures(note, [CosignerKey.parse(witness.vkey)])
        assert witness.add(log.submission(5, 9)) == (409, "text/x.tlog.size", "9\n")
        assert witness.add(log.forked(3).submission(9, 20))[0] == 422
        assert witness.get(path)[2].startswith(log.note(9))
        who = witness.who()
        assert (who["witness"], who["vkey"]) == ("witness.example/auditor", witness.vkey)
        assert who["logs"] == [
            {"origin": log.origin, "size": 9, "root": log.root(9).hex(), "checkpoint": path}
        ]
        assert witness.get("/add-checkpoint")[0] == 405
        assert witness.get("/else")[0] == 404
        assert witness.add(b"x" * (256 * 1024 + 1))[0] == 413
        assert witness.stop() == 0
    assert witness.said.endswith("stopped\n")
    assert "Traceback" not in witness.said


def test_of_two_processes_worth_of_requests_one_wins(
    witness: WitnessProcess, log: SmallLog
) -> None:
    with witness:
        assert witness.add(log.submission(0, 100))[0] == 200
        gate = threading.Barrier(8)
        answers: list[tuple[int, str, str]] = []

        def send(new: int) -> None:
            gate.wait(20)
            answers.append(witness.add(log.submission(100, new)))

        threads = [threading.Thread(target=send, args=(101 + i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(status for status, _, _ in answers) == [200] + [409] * 7
        [size] = {text for status, _, text in answers if status == 409}
        assert witness.who()["logs"][0]["size"] == int(size)


@pytest.mark.parametrize(
    ("step", "kept"),
    [("write", 5), ("rename", 5), ("answer", 9)],
    ids=["write", "rename", "answer"],
)
def test_killed_at_any_step_it_knows_all_that_it_ever_told(
    witness: WitnessProcess, log: SmallLog, step: str, kept: int
) -> None:
    with witness:
        assert witness.add(log.submission(0, 5))[0] == 200
        assert witness.stop() == 0
        witness.start(crash_at=step)
        with pytest.raises(OSError):  # noqa: PT011 - the connection ends in one of several ways
            witness.add(log.submission(5, 9))
        assert witness.ended() == -9
        witness.start()
        assert witness.who()["logs"][0]["size"] == kept
        # What a log does then: it is told the size, proves from there, and has its cosignature.
        other = 9 if kept == 5 else 5
        assert witness.add(log.submission(other, 9)) == (409, "text/x.tlog.size", f"{kept}\n")
        assert witness.add(log.forked(2).submission(kept, 9))[0] == 422
        assert witness.add(log.submission(kept, 9))[0] == 200


def test_a_second_process_on_one_directory_is_refused(
    witness: WitnessProcess, log: SmallLog
) -> None:
    with witness:
        second = WitnessProcess(witness.folder, log.vkey)
        second.launch()
        assert second.ended() == 2
        assert "another witness runs on this directory" in second.said


def test_a_lost_memory_ends_the_start_with_words(witness: WitnessProcess, log: SmallLog) -> None:
    with witness:
        assert witness.add(log.submission(0, 5))[0] == 200
        witness.kill()
        (witness.folder / "witness.memory").unlink()
        witness.launch()
        assert witness.ended() == 2
        assert "a key and no memory" in witness.said


def test_a_taken_port_and_wrong_use_end_with_2(
    tmp_path: Path, witness: WitnessProcess, log: SmallLog
) -> None:
    with witness:
        other = WitnessProcess(tmp_path / "other", log.vkey)
        other.address = witness.address
        other.launch()
        assert other.ended() == 2
        assert "cannot be bound" in other.said
    for arguments, says in (
        ((), "give --log"),
        (("--log", "x"), "No such file"),
        (("--log", log.vkey, "--listen", "http://x"), "is a URL"),
        (("--log", log.vkey, "--listen", "unix:/x/y"), "TCP port"),
        (("--log", log.vkey, "--tls-cert", "x"), "both"),
    ):
        done = run_cli("witness", *arguments, cwd=tmp_path)
        assert done.returncode == 2, done
        assert says in done.stderr
    assert not (tmp_path / "witness-data").exists()


def test_it_speaks_tls(tmp_path: Path, log: SmallLog) -> None:
    pair = ["-keyout", str(tmp_path / "k.pem"), "-out", str(tmp_path / "c.pem")]
    subject = ["-subj", "/CN=w", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"]
    subprocess.run([*command, *pair, *subject], check=True, capture_output=True)
    options = ["--tls-cert", str(tmp_path / "c.pem"), "--tls-key", str(tmp_path / "k.pem")]
    with WitnessProcess(tmp_path / "w", log.vkey, options=options) as witness:
        assert f"listening on https://{witness.address}\n" in witness.said
        import urllib.request

        context = ssl.create_default_context(cafile=tmp_path / "c.pem")
        with urllib.request.urlopen(f"https://{witness.address}/", context=context) as answer:
            assert json.load(answer)["vkey"] == witness.vkey


async def test_a_submission_that_never_arrives_does_not_hold_a_connection(
    tmp_path: Path, log: SmallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = identity.open_or_create(identity.WitnessFiles.within(tmp_path / "w"))
    witness = Witness(logs.parse([log.vkey]), opened.cosigner, opened.memory, lambda: 1)
    monkeypatch.setattr(server, "BODY_SECONDS", 0.2)
    door = server.WitnessServer(witness)
    port = await door.start("127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nold")
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
        writer.close()
    finally:
        await door.stop()
        opened.lock.release()
