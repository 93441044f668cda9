"""Other people's witnesses cosign our ledgers, and ours cosigns the log of other people's client.

`omniwitness` is transparency-dev's, `litewitness` is torchwood's; the client's log, proofs and
checks are Go libraries' (tests/peers/witness).
"""

import base64
import contextlib
import hashlib
import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from audit_receiver.anchor.cosigning import Place
from audit_receiver.anchor.model import AnchorError
from audit_receiver.anchor.witness import WitnessAnchor
from audit_receiver.tlog.cosignature import CosignerKey, cosignatures
from audit_receiver.tlog.merkle import EMPTY_ROOT
from audit_receiver.tlog.note import Note, SignerKey, VerifierKey
from tests.anchor.witnesses import Ledger, anchor, log_vkey, place, published
from tests.kit.server import free_port
from tests.kit.witness import WitnessProcess
from tests.peers import programs

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]

_LOGS = "Logs:\n  - Origin: {origin}\n    PublicKey: {key}\n    URL: http://127.0.0.1:1/\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger")
    yield made
    made.lab.close()
    made.lab.check()


@contextlib.contextmanager
def running(*command: object, port: int, **environment: str) -> Iterator[None]:
    """A server process, from when it listens."""
    process = subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, command
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline, command
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(10)


@contextlib.contextmanager
def omniwitness(folder: Path, log: str) -> Iterator[Place]:
    """transparency-dev's witness, watching one log; its memory is a SQLite file."""
    signer = SignerKey.generate("witness.example/omni")
    key = signer.verifier
    seed = signer.to_pem().decode().split("\n")[1]
    secret = b"\x01" + base64.b64decode(seed)[-32:]  # RFC 8410: the seed comes last
    encoded = base64.b64encode(secret).decode()
    (folder / "omni.key").write_text(f"PRIVATE+KEY+{key.name}+{key.key_id:08x}+{encoded}")
    (folder / "omni.yaml").write_text(_LOGS.format(origin=VerifierKey.parse(log).name, key=log))
    port = free_port()
    options = {
        "listen": f"127.0.0.1:{port}",
        "metrics_listen": "",
        "db_file": folder / "omni.db",
        "private_key_path": folder / "omni.key",
        "additional_logs": folder / "omni.yaml",
    }
    command = [f"--{name}={value}" for name, value in options.items()]
    with running(programs.witnesses() / "omniwitness", *command, port=port):
        yield place(f"http://127.0.0.1:{port}", CosignerKey.of(key.name, key.public))


@contextlib.contextmanager
def litewitness(folder: Path, log: str) -> Iterator[Place]:
    """torchwood's witness, with its key in an ssh-agent; its log list is a SQLite file."""
    key, agent = folder / "lite.key", folder / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    blob = base64.b64decode((folder / "lite.key.pub").read_text().split()[1])
    told = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    port = free_port()
    daemon = subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL)
    try:
        while not agent.exists():
            time.sleep(0.02)
        command = ["ssh-add", "-q", key]
        subprocess.run(command, env={**os.environ, "SSH_AUTH_SOCK": str(agent)}, check=True)
        name = "witness.example/lite"
        options = {
            "db": folder / "lite.db",
            "name": name,
            "key": told,
            "ssh-agent": agent,
            "listen": f"127.0.0.1:{port}",
        }
        given = [f"-{option}={value}" for option, value in options.items()]
        with running(programs.litewitness(), *given, port=port):
            _add_log(folder / "lite.db", log)
            yield place(f"http://127.0.0.1:{port}", CosignerKey.of(name, blob[-32:]))
    finally:
        daemon.kill()
        daemon.wait(10)


def _add_log(database: Path, vkey: str) -> None:
    """What `witnessctl add-log` and `add-key` write; that program does not build from the proxy."""
    origin = VerifierKey.parse(vkey).name
    empty = base64.b64encode(EMPTY_ROOT).decode()
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO log VALUES (?, 0, ?)", (origin, empty))
        connection.execute("INSERT INTO key VALUES (?, ?)", (origin, vkey))


@contextlib.asynccontextmanager
async def asking(ledger: Path, *places: Place, quorum: int = 1) -> AsyncIterator[WitnessAnchor]:
    one = anchor(ledger, *places, quorum=quorum, seconds=10)
    try:
        yield one
    finally:
        await one.close()


@pytest.mark.parametrize("theirs", [omniwitness, litewitness])
async def test_other_peoples_witness_cosigns_our_ledger_and_refuses_another_history(
    tmp_path: Path, ledger: Ledger, theirs: object
) -> None:
    assert callable(theirs)
    with theirs(tmp_path, log_vkey(ledger.path)) as there:
        async with asking(ledger.path, there) as one:
            for count in (1, 1, 40, 300, 0):
                note = ledger.grow(count)
                [token] = await one.publish(note)
                [found] = cosignatures(Note.parse(token.content.decode()), [there.key])
                assert abs(found.unix_seconds - time.time()) < 60
        ledger.lab.close()
        ledger.copied_to(tmp_path / "fork" / "lab")
        ledger.lab.open()
        ledger.grow(5)
        async with asking(ledger.path, there) as one:  # as after a restart: told where it is
            await one.publish(published(ledger.path))
        fork = Ledger(tmp_path / "fork")
        try:
            async with asking(fork.path, there) as one:
                with pytest.raises(AnchorError) as rolled_back:
                    await one.publish(published(fork.path))
                with pytest.raises(AnchorError) as forked:
                    await one.publish(fork.grow(20))
        finally:
            fork.lab.close()
        assert rolled_back.value.conflict, rolled_back.value
        assert forked.value.conflict, forked.value
        async with asking(ledger.path, there) as one:
            await one.publish(ledger.grow())


async def test_a_witness_that_was_not_told_of_the_ledger_says_so(
    tmp_path: Path, ledger: Ledger
) -> None:
    other = str(SignerKey.generate("log.example/other").verifier)
    with litewitness(tmp_path, other) as there:  # omniwitness answers 500 to this
        async with asking(ledger.path, there) as one:
            with pytest.raises(AnchorError, match="does not know this ledger"):
                await one.publish(ledger.grow())


async def test_three_witnesses_of_three_makers_are_one_quorum(
    tmp_path: Path, ledger: Ledger
) -> None:
    vkey = log_vkey(ledger.path)
    with (
        omniwitness(tmp_path, vkey) as omni,
        litewitness(tmp_path, vkey) as lite,
        WitnessProcess(tmp_path / "ours", vkey) as process,
    ):
        ours = place(process.url, CosignerKey.parse(process.vkey))
        async with asking(ledger.path, omni, lite, ours, quorum=3) as one:
            [token] = await one.publish(ledger.grow(9))
        found = cosignatures(Note.parse(token.content.decode()), [omni.key, lite.key, ours.key])
        assert [one.key for one in found] == [omni.key, lite.key, ours.key]


def test_other_peoples_client_is_cosigned_by_our_witness_and_refused_where_it_has_to_be(
    tmp_path: Path,
) -> None:
    client = programs.witnesses() / "client"
    vkey = subprocess.run([client, "vkey"], check=True, capture_output=True, text=True).stdout
    with WitnessProcess(tmp_path / "w", vkey.strip()) as witness:
        command = [client, "run", witness.url, witness.vkey]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, "ok 300\n"), done.stderr
        assert witness.who()["logs"][0]["size"] == 300
        assert witness.stop() == 0
    assert (tmp_path / "w" / "witness.forks").exists()
