"""A service with a witness, both real: cosigned as it goes, and no way back past the witness."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.tlog.cosignature import CosignerKey, cosignatures
from audit_receiver.tlog.note import Note
from tests.kit import build
from tests.kit.senders import FORMS
from tests.kit.server import Server, run_cli
from tests.kit.witness import WitnessProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "receiver"
    folder.mkdir()
    one = Server(folder, {"checkpoints": {"interval": "1s"}})
    yield one
    if one.running:
        one.kill()


@pytest.fixture
def witness(tmp_path: Path, server: Server) -> Iterator[WitnessProcess]:
    """Watches the ledger that the server will serve, as the server's configuration says."""
    server.ledger.parent.mkdir()
    done = run_cli("init", server.ledger, cwd=server.folder)
    [key] = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("log key")]
    with WitnessProcess(tmp_path / "witness", key) as one:
        place = {"url": one.url, "vkey": one.vkey}
        server.config["anchors"] = {"witness/auditor": {"witnesses": [place], "timeout": "2s"}}
        yield one


def store(server: Server, count: int = 1) -> None:
    with server.sender() as sender:
        for number in range(count):
            span = build.span(attributes={**build.SPAN_ATTRIBUTES, "number": number})
            assert sender.send(build.request(span), FORMS[0]).acknowledged


def anchored(server: Server) -> list[tuple[int, str]]:
    """(size, cosigned note) of everything that the ledger keeps of the witness."""
    with closing(sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT size, content FROM anchored WHERE kind = 'cosignature'")
        return [(size, content.decode()) for size, content in rows]


def entries(server: Server) -> int:
    return int(json.loads(server.get("/readyz")[1])["entries"])


def anchor_state(server: Server) -> Any:
    found = json.loads(server.get("/readyz")[1])["anchors"]
    return next(one for one in found if one["anchor"] == "witness/auditor")


def wait_for_size(server: Server, size: int) -> str:
    """Wait until a cosigned checkpoint covers `size` entries; returns the newest."""
    deadline = time.monotonic() + 20
    while not (found := [one for one in anchored(server) if one[0] >= size]):
        assert time.monotonic() < deadline, (size, anchored(server), server.stderr)
        time.sleep(0.1)
    return found[-1][1]


def test_what_is_stored_is_cosigned_and_the_last_entry_too(
    server: Server, witness: WitnessProcess
) -> None:
    server.start()
    store(server, 3)
    note = Note.parse(wait_for_size(server, entries(server)))
    [found] = cosignatures(note, [CosignerKey.parse(witness.vkey)])
    assert abs(found.unix_seconds - time.time()) < 60
    assert len(note.signatures) == 3
    assert server.stop() == 0
    with closing(sqlite3.connect(server.ledger)) as connection:
        [(last,)] = connection.execute("SELECT max(size) FROM head").fetchall()
    assert witness.who()["logs"][0]["size"] == last
    origin = note.text.partition("\n")[0]
    hashed = sha256(origin.encode()).hexdigest()
    kept = server.folder / "kept.txt"
    kept.write_text(witness.get(f"/{hashed}/checkpoint")[2])
    options = ("--vkey", server.ledger.with_suffix(".vkey"), "--anchor", kept)
    done = run_cli("verify", server.ledger, *options, cwd=server.folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_witness_that_is_gone_holds_nothing_up_and_is_caught_up_with(
    server: Server, witness: WitnessProcess
) -> None:
    server.start()
    store(server)
    wait_for_size(server, entries(server))
    witness.kill()
    store(server, 3)
    size = entries(server)
    deadline = time.monotonic() + 20
    while anchor_state(server)["state"] != "failing":
        assert time.monotonic() < deadline, anchor_state(server)
        store(server)
        time.sleep(0.2)
    assert "cannot be reached" in anchor_state(server)["reason"]
    witness.start()
    wait_for_size(server, size)
    assert server.stop() == 0


@pytest.mark.parametrize("kept", ["older copy", "nothing"])
def test_a_ledger_that_was_put_back_does_not_start_past_its_witness(
    server: Server, witness: WitnessProcess, kept: str
) -> None:
    server.start()
    store(server)
    wait_for_size(server, entries(server))
    assert server.stop() == 0
    copy = server.folder / "copy.db"
    shutil.copy(server.ledger, copy)
    server.start()
    store(server, 5)
    wait_for_size(server, entries(server))
    assert server.stop() == 0
    server.ledger.unlink()
    if kept == "older copy":
        shutil.copy(copy, server.ledger)
    server.launch()
    code = server.wait()
    assert code == (1 if kept == "older copy" else 2), server.stderr
    assert "witness/auditor knows the checkpoint of size" in server.stderr
    if kept == "nothing":
        assert not server.ledger.exists()
