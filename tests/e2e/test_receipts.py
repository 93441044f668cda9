"""Receipts, checked with hashlib and cryptography alone against the ledger and the verifier key."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit_receiver.v1.receipt_pb2 import Receipt
from tests.e2e.oracle import rows, settle
from tests.kit import build
from tests.kit.senders import FORMS
from tests.kit.server import Server, run_cli


def _root(leaves: list[bytes]) -> bytes:  # RFC 6962, 2.1
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _check(receipt: Receipt, vkey: str, headers: list[bytes]) -> None:
    """Signed by the key, and the signed tree is that of the first `tree_size` headers."""
    name, key_id, rest = vkey.strip().split("+", 2)
    raw = base64.b64decode(rest)
    text = f"{receipt.origin}\n{receipt.tree_size}\n{base64.b64encode(receipt.root).decode()}\n"
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(receipt.signature, text.encode())
    assert receipt.origin == name
    assert f"{receipt.key_id:08x}" == key_id
    assert _root(headers[: receipt.tree_size]) == receipt.root


def _headers(ledger: Path) -> list[bytes]:
    found = rows(ledger, "SELECT header FROM entry ORDER BY seq")
    return [row["header"].encode() for row in found]


def test_every_door_hands_back_a_receipt_that_proves_what_was_stored(server: Server) -> None:
    receipts: dict[str, Receipt] = {}
    with server.sender() as sender:
        for form in FORMS:
            ids = [f"{form}-{number}" for number in range(3)]
            records = [
                build.log_record(attributes={**build.LOG_ATTRIBUTES, "audit.record.id": i})
                for i in ids
            ]
            plain = build.log_record(attributes={"not": "audit"})
            reply = sender.send(build.request(*records, plain), form)
            assert reply.receipt is not None, form
            receipts[form] = reply.receipt
    vkey = server.ledger.with_suffix(".vkey").read_text()
    settle(server)
    headers = _headers(server.ledger)
    for form, receipt in receipts.items():
        assert (receipt.stored, receipt.duplicates, receipt.skipped) == (3, 0, 1)
        assert receipt.last_seq - receipt.first_seq == 2
        assert receipt.last_seq < receipt.tree_size
        _check(receipt, vkey, headers)
        found = rows(
            server.ledger,
            "SELECT record_id FROM audit_records WHERE seq BETWEEN ? AND ? ORDER BY seq",
            (receipt.first_seq, receipt.last_seq),
        )
        assert [row["record_id"] for row in found] == [f"{form}-{number}" for number in range(3)]


def test_a_receipt_is_signed_over_every_field_of_the_head(server: Server) -> None:
    with server.sender() as sender:
        receipt = sender.send(build.request(build.span()), "grpc").receipt
    assert receipt is not None
    vkey = server.ledger.with_suffix(".vkey").read_text()
    settle(server)
    headers = _headers(server.ledger)
    _check(receipt, vkey, headers)
    for field, other in (
        ("tree_size", receipt.tree_size + 1),
        ("root", hashlib.sha256(b"other").digest()),
        ("origin", receipt.origin[:-1] + ("0" if receipt.origin[-1] != "0" else "1")),
    ):
        changed = Receipt.FromString(receipt.SerializeToString())
        setattr(changed, field, other)
        with pytest.raises(InvalidSignature):
            _check(changed, vkey, headers)


@pytest.mark.parametrize("form", FORMS)
def test_a_request_that_stored_nothing_names_no_seq(server: Server, form: str) -> None:
    with server.sender() as sender:
        for message in (
            build.request(signal="traces"),
            build.request(build.span("GET /", {"http.route": "/"})),
        ):
            receipt = sender.send(message, form).receipt
            assert receipt is not None
            assert not receipt.HasField("first_seq")
            assert not receipt.HasField("last_seq")
            assert receipt.stored == 0
            assert receipt.tree_size > 0
    settle(server)


def test_the_entry_of_a_receipt_is_proved_offline(server: Server, tmp_path: Path) -> None:
    with server.sender() as sender:
        for _ in range(5):
            receipt = sender.send(build.request(build.span()), "protobuf").receipt
    assert receipt is not None
    settle(server)
    made = run_cli("prove", server.ledger, str(receipt.first_seq), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    proof = tmp_path / "proof.txt"
    proof.write_text(made.stdout)
    vkey = server.ledger.with_suffix(".vkey").read_text().strip()
    for key in (vkey, str(server.ledger.with_suffix(".vkey"))):
        done = run_cli("verify", "--proof", proof, "--vkey", key, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    lines = made.stdout.splitlines()
    extra = next(i for i, line in enumerate(lines) if line.startswith("extra "))
    header = json.loads(base64.b64decode(lines[extra].removeprefix("extra ")))
    assert header["seq"] == receipt.first_seq
    header["outcome"] = "failure"
    forged = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    lines[extra] = "extra " + base64.b64encode(forged).decode()
    proof.write_text("\n".join(lines) + "\n")
    done = run_cli("verify", "--proof", proof, "--vkey", vkey, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
