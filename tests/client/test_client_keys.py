"""A client that was given the first key, against a sink that changes its key every second."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.client import Altered, AsyncAuditClient, AuditClient
from audit_receiver.client.keys import Keys
from audit_receiver.client.outcome import UnknownKey
from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.tlog.note import SignerKey
from audit_receiver.v1.receipt_pb2 import Receipt
from tests.checklist.test_audit_signal import draft
from tests.e2e.oracle import settle
from tests.kit.server import Server, merged, run_cli

FIELDS: dict[str, Any] = {"actor": "alice", "action": "UPDATE", "outcome": "success"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = merged(draft(), {"ledger": {"key_rotation": "1s"}})
    made = Server(tmp_path_factory.mktemp("keys"), config).start()
    yield made
    settle(made)


def vkey(server: Server) -> str:
    return server.ledger.with_suffix(".vkey").read_text().strip()


def test_receipts_of_later_keys_are_checked_from_the_first(server: Server) -> None:
    seen = set()
    with AuditClient(f"http://{server.http}", "billing", vkey=vkey(server)) as audit:
        deadline = time.monotonic() + 30
        while len(seen) < 4 and time.monotonic() < deadline:
            seen.add(audit.emit("user.update", **FIELDS).key_id)
            time.sleep(0.1)
    assert len(seen) >= 4


async def test_the_asynchronous_client_follows_as_well(server: Server) -> None:
    time.sleep(1.1)
    async with AsyncAuditClient(f"http://{server.http}", "billing", vkey=vkey(server)) as audit:
        receipt = await audit.emit("user.update", **FIELDS)
    assert f"{receipt.key_id:08x}" != vkey(server).split("+")[1]


def test_the_chain_over_http_is_that_of_prove(server: Server, tmp_path: Path) -> None:
    url, told = f"http://{server.http}/v1/audit/keys", ""
    with AuditClient(f"http://{server.http}", "billing") as audit:
        deadline = time.monotonic() + 30
        while "\nindex " not in told and time.monotonic() < deadline:
            audit.emit("user.update", **FIELDS)  # a head behind the change shows it
            time.sleep(0.2)
            with urllib.request.urlopen(url, timeout=20) as answer:
                told = answer.read().decode()
    done = run_cli("prove", server.ledger, "--keys", tmp_path / "keys.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    proven = (tmp_path / "keys.txt").read_text()
    shorter, longer = sorted((told, proven), key=len)
    assert longer.startswith(shorter.removesuffix("=\n"))
    last = max(
        int(line.removeprefix("index ")) for line in told.split("\n") if line.startswith("index ")
    )
    with urllib.request.urlopen(f"{url}?since={last + 1}", timeout=20) as answer:
        newer = answer.read().decode()
    assert newer.startswith("audit-receiver/keys@v1\n=\n")
    assert f"\nindex {last}\n" not in newer


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [("POST", "", 405), ("GET", "?since=x", 400), ("GET", "?since=-1", 400)],
)
def test_wrong_questions_for_keys_are_refused(
    server: Server, method: str, query: str, code: int
) -> None:
    request = urllib.request.Request(f"http://{server.http}/v1/audit/keys{query}", method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == code
    caught.value.close()


def test_the_keys_are_told_to_those_who_may_send(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    made = run_cli("token", "billing", "--append", tokens, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    auth = {"auth": {"tokens_file": str(tokens)}}
    doors = {"receivers": {"otlp": {"protocols": {"http": auth}}}}
    with Server(tmp_path, merged(draft(), doors)) as server:
        url = f"http://{server.http}/v1/audit/keys"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, timeout=20)
        assert caught.value.code == 401
        caught.value.close()
        header = {"Authorization": f"Bearer {made.stdout.strip()}"}
        request = urllib.request.Request(url, headers=header)
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.read() == b"audit-receiver/keys@v1\n=\n"


def test_without_the_draft_no_keys_are_served(tmp_path: Path) -> None:
    with Server(tmp_path) as server, pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{server.http}/v1/audit/keys", timeout=20)
    assert caught.value.code == 404
    caught.value.close()


# ---- a sink that lies ----------------------------------------------------------------------------

FIRST, OTHER = SignerKey.generate("x/1"), SignerKey.generate("x/1")


def head(signer: SignerKey, size: int = 5, origin: str = "x/1") -> Receipt:
    root = bytes(32)
    signature = signer.sign(head_text(origin, size, root).encode())
    return Receipt(
        tree_size=size,
        root=root,
        signature=signature,
        key_id=signer.verifier.key_id,
        origin=origin,
    )


def test_a_key_that_nothing_leads_to_is_not_believed() -> None:
    keys = Keys(str(FIRST.verifier))
    keys.check(head(FIRST))
    with pytest.raises(UnknownKey):
        keys.check(head(OTHER))
    keys.learn(200, b"audit-receiver/keys@v1\n=\n")
    with pytest.raises(UnknownKey):
        keys.check(head(OTHER))


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, b""), (200, b""), (200, b"\xff"), (200, b"audit-receiver/keys@v1\n=\nbody x\n=\n")],
)
def test_an_answer_that_is_no_chain_is_not_believed(status: int, text: bytes) -> None:
    with pytest.raises(Altered):
        Keys(str(FIRST.verifier)).learn(status, text)


def test_another_origin_and_a_wrong_signature_are_not_asked_about() -> None:
    keys = Keys(str(FIRST.verifier))
    other = head(OTHER, origin="y/1")
    forged = head(FIRST)
    forged.signature = bytes(64)
    for receipt in (other, forged):
        with pytest.raises(Altered) as caught:
            keys.check(receipt)
        assert not isinstance(caught.value, UnknownKey)
