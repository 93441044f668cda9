"""One record by every door: one body; resent by any of them: one entry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.oracle import holds, rows, settle
from tests.kit import build
from tests.kit.senders import FORMS
from tests.kit.server import Server

RICH = {
    "audit.action": "policy.update",
    "audit.actor.id": "Zoë 🔑",
    "audit.target.id": "policies/7",
    "int": 9_007_199_254_740_993,
    "small": -42,
    "fraction": 0.1,
    "whole": 200.0,
    "yes": True,
    "bytes": b"\x00\xff\x10",
    "empty": "",
    "absent": None,
    "list": [1, "two", 3.5, [None, False]],
    "map": {"$deep": {"a": {"b": [{"c": "d"}]}}, "": "empty key"},
    "nul": "before\0after",
}


def _span() -> Any:
    return build.span(
        "policy.update",
        RICH,
        trace_state="vendor=1",
        parent_span_id=b"\1" * 8,
        events=[("checked", {"audit.reason": "ticket 12"})],
        status=(2, "denied"),
        dropped_attributes_count=3,
    )


def _log() -> Any:
    return build.log_record(
        "policy.updated", {**RICH, "audit.record.id": "r-1"}, body={"text": ["x", 1]}
    )


def _without_salts_and_peer(text: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(text)
    assert len(body.pop("salt")) == 32
    assert len(body["subject"].pop("salt")) == 32
    body.pop("peer", None)
    return body


def _bodies(ledger: Path) -> list[str]:
    return [row["body"] for row in rows(ledger, "SELECT body FROM audit_records_all ORDER BY seq")]


def test_the_same_record_has_the_same_body_by_every_door(
    make_server: Callable[..., Server],
) -> None:
    servers = [make_server().launch() for _ in FORMS]
    messages = [build.request(_span()), build.request(_log())]
    found = []
    for form, server in zip(FORMS, servers, strict=True):
        server.wait_ready()
        with server.sender() as sender:
            for message in messages:
                assert sender.send(message, form).acknowledged, form
    for server in servers:
        settle(server)
        found.append([_without_salts_and_peer(text) for text in _bodies(server.ledger)])
    assert len(found[0]) == 2
    for form, bodies in zip(FORMS, found, strict=True):
        assert bodies == found[0], form


def test_a_record_with_identity_is_stored_once_however_it_is_resent(server: Server) -> None:
    span, log = _span(), _log()
    others = [build.span(), build.log_record()]
    with server.sender() as sender:
        for form in FORMS:
            for message in (build.request(span), build.request(log)):
                reply = sender.send(message, form)
                assert reply.acknowledged, form
                assert reply.receipt is not None
                first = form == FORMS[0]
                stored, duplicates = reply.receipt.stored, reply.receipt.duplicates
                assert (stored, duplicates) == ((1, 0) if first else (0, 1)), form
        assert sender.send(build.request(others[0], span), "protobuf").acknowledged
        assert sender.send(build.request(log, others[1], log), "json").acknowledged
    assert server.stop() == 0
    server.start()
    with server.sender() as sender:
        for form in FORMS:
            for message in (build.request(span), build.request(log)):
                reply = sender.send(message, form)
                assert reply.receipt is not None
                assert (reply.receipt.stored, reply.receipt.duplicates) == (0, 1), form
                assert not reply.receipt.HasField("first_seq")
    settle(server)
    assert len(_bodies(server.ledger)) == 4
    flags = [row["flags"] for row in rows(server.ledger, "SELECT flags FROM audit_records_all")]
    assert not any("duplicate" in json.loads(text) for text in flags)


@pytest.mark.parametrize("form", ["grpc", "json+gzip"])
def test_a_record_without_identity_is_stored_again_flagged_and_counted_once(
    server: Server, form: str
) -> None:
    anonymous = build.request(build.log_record(attributes={"audit.action": "login"}, body="hello"))
    with server.sender() as sender:
        first = sender.send(anonymous, "protobuf").receipt
        again = sender.send(anonymous, form).receipt
    assert first is not None
    assert again is not None
    assert (first.stored, again.stored) == (1, 1)
    settle(server)
    stored = rows(server.ledger, "SELECT seq, flags, duplicate_of FROM audit_records_all")
    assert [row["seq"] for row in stored] == [first.first_seq, again.first_seq]
    assert [row["duplicate_of"] for row in stored] == [None, first.first_seq]
    assert "duplicate" in json.loads(stored[1]["flags"])
    assert len(rows(server.ledger, "SELECT seq FROM audit_records")) == 1
    assert len(rows(server.ledger, "SELECT seq FROM audit_logs")) == 1


def test_equal_records_without_identity_in_one_request_are_separate(server: Server) -> None:
    record = build.log_record(attributes={"audit.action": "login"}, body="hello")
    with server.sender() as sender:
        assert sender.send(build.request(record, record, record), "grpc+gzip").acknowledged
    settle(server)
    assert len(rows(server.ledger, "SELECT seq FROM audit_records")) == 3


def test_the_same_identity_with_other_content_is_kept_as_a_conflict(server: Server) -> None:
    log = _log()
    with server.sender() as sender:
        assert sender.send(build.request(log), "grpc").acknowledged
        log.attributes[0].value.string_value = "policy.delete"
        assert sender.send(build.request(log), "json").acknowledged
    settle(server)
    stored = rows(server.ledger, "SELECT action, flags FROM audit_records ORDER BY seq")
    assert [row["action"] for row in stored] == ["policy.update", "policy.delete"]
    assert "conflict" in json.loads(stored[1]["flags"])


def test_an_unclean_stop_changes_nothing_about_duplicates(server: Server) -> None:
    message = build.request(_span(), build.span())
    with server.sender() as sender:
        assert sender.send(message, "grpc").acknowledged
    server.kill()
    server.start()
    with server.sender() as sender:
        reply = sender.send(message, "protobuf+gzip")
        assert reply.receipt is not None
        assert (reply.receipt.stored, reply.receipt.duplicates) == (0, 2)
    server.kill()
    holds(server.ledger)
    assert len(_bodies(server.ledger)) == 2
