"""Redaction in a real service: no byte of a secret in the ledger, whatever the door."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.checklist.door import Door
from tests.checklist.test_audit_signal import draft, receipts, record, request, send
from tests.e2e.oracle import events, rows, settle
from tests.kit import build
from tests.kit.senders import FORMS
from tests.kit.server import Server, merged
from tests.receive.test_signatures import signed_bytes

SECRET = "hunter2-very-secret"


def left_behind(folder: Path, text: str) -> list[str]:
    """Every file of the ledger in which these bytes stand."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path.name for path in found if text.encode() in path.read_bytes()]


def test_no_byte_of_a_secret_is_in_the_ledgers_folder_whatever_the_door(tmp_path: Path) -> None:
    with Server(tmp_path, {"redact": {"rules": [{"keys": ["user.id"], "action": "hash"}]}}) as it:
        with it.sender() as sender:
            for form in FORMS:
                attributes = {**build.SPAN_ATTRIBUTES, "password": SECRET, "user.id": "u-8472-id"}
                events_given = [("login", {"auth.token": SECRET})]
                span = build.span(attributes=attributes, events=events_given)
                assert sender.send(build.request(span), form).acknowledged
            again = sender.send(build.request(span), FORMS[0])
            assert again.receipt is not None
            assert (again.receipt.stored, again.receipt.duplicates) == (0, 1)
        bad = it.sender()
        reply = bad.post(
            "/v1/logs",
            b'{"resourceLogs": [' + SECRET.encode() + b' "password"',
            {"Content-Type": "application/json"},
        )
        bad.close()
        assert reply.code == 400
        metrics = it.get("/metrics")[1]
        report = settle(it)
        assert report["findings"] == []
        assert left_behind(it.ledger.parent, SECRET) == []
        assert left_behind(it.ledger.parent, "u-8472-id") == []
        assert (it.ledger.parent / "ledger.redact").stat().st_mode & 0o777 == 0o400
        assert (it.ledger.parent / "ledger.redact").stat().st_size == 32
        for row in rows(it.ledger, "SELECT body, flags, actor FROM audit_records"):
            told = json.loads(row["body"])["redacted"]
            assert told == [
                "attributes.password",
                "attributes.user.id",
                "otlp.events[0].attributes.auth.token",
            ]
            assert "redacted" in json.loads(row["flags"])
        [incident] = events(it.ledger, "incident")
        assert incident["incident"] == "undecodable"
        assert "head" not in incident
        [config] = events(it.ledger, "config")
        assert len(config["redact_digest"]) == 64
    assert f'audit_receiver_redacted_total{{action="mask"}} {2.0 * (len(FORMS) + 1)}' in metrics
    assert f'audit_receiver_redacted_total{{action="hash"}} {len(FORMS) + 1:.1f}' in metrics


def test_without_redaction_the_secret_would_be_there(tmp_path: Path) -> None:
    with Server(tmp_path, {"redact": {"defaults": False}}) as it:
        with it.sender() as sender:
            span = build.span(attributes={**build.SPAN_ATTRIBUTES, "password": SECRET})
            assert sender.send(build.request(span), FORMS[0]).acknowledged
        settle(it)
        assert "ledger.db" in left_behind(it.ledger.parent, SECRET)
        [config] = events(it.ledger, "config")
        assert "redact_digest" not in config


@pytest.mark.parametrize("way", ["protobuf", "grpc"])
def test_a_receipt_of_the_audit_signal_is_over_what_the_producer_sent(
    tmp_path: Path, way: str
) -> None:
    with Server(tmp_path, merged(draft(), {})) as it:
        door = Door(it)
        log = record("login", attributes={"password": SECRET})
        sent = hashlib.sha256(signed_bytes(log)).hexdigest()
        first, second = (receipts(send(door, request(log), way))[0] for _ in range(2))
        assert (first["integrity_hash"], second["integrity_hash"]) == (sent, sent)
        assert (first["duplicate"], second["duplicate"]) == (False, True)
        settle(it)
        assert left_behind(it.ledger.parent, SECRET) == []
