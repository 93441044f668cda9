"""Checklist A: what becomes of audit records (docs/otlp-checklist.md)."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.checklist.door import Door, fresh_action, log_request, span_request
from tests.e2e.oracle import events, holds, settle
from tests.kit import build
from tests.kit.senders import FORMS, METHOD, encoded
from tests.kit.server import Server

PLAIN = {"http.route": "/"}


def test_a01_of_a_mixed_batch_the_audit_records_are_kept_and_the_others_counted(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path).start()
    door, action = Door(server), fresh_action()
    audit = build.span(attributes={"audit.action": action})
    others = [build.span("GET /", PLAIN) for _ in range(3)]
    answer = door.post(build.request(*others[:2], audit, others[2]).SerializeToString())
    assert (answer.status, answer.body) == (200, b"")
    assert (len(door.stored(action)), door.size()) == (1, 1)
    settle(server)
    counted = [beat["services"] for beat in events(server.ledger, "heartbeat")]
    assert sum(services.get("billing", {}).get("skipped", 0) for services in counted) == 3


RULES: dict[str, Any] = {
    "event-name": build.request(build.log_record("audit.x", PLAIN)),
    "event-name-attribute": build.request(build.log_record(attributes={"event.name": "audit"})),
    "span-name": build.request(build.span("audit.x", PLAIN)),
    "scope-name": build.request(build.span("x", PLAIN), scope="audit.scope"),
    "attribute": build.request(build.log_record(attributes={"audit.anything": 1})),
    "span-event": build.request(build.span("x", PLAIN, events=[("e", {"audit.x": True})])),
    "draft": build.request(build.log_record("user.login.success")),
}


@pytest.mark.parametrize("rule", RULES)
def test_a02_each_rule_selects(door: Door, rule: str) -> None:
    before = door.size()
    message = RULES[rule]
    path = f"/v1/{build.signal_of(message)}"
    assert door.post(message.SerializeToString(), path).status == 200
    assert door.size() == before + 1


@pytest.mark.parametrize("identity", ["record", "span"])
def test_a03_a06_a_record_is_stored_once_however_it_is_resent(
    tmp_path: Path, identity: str
) -> None:
    server = Server(tmp_path).start()
    door, action = Door(server), fresh_action()
    if identity == "span":
        one: Any = build.span(attributes={"audit.action": action})
    else:
        one = build.log_record(attributes={"audit.action": action, "audit.record.id": action})
    other = type(one)()
    other.CopyFrom(build.span("x", PLAIN) if identity == "span" else build.log_record("x", PLAIN))
    for restart in (False, True):
        if restart:
            server.kill()
            server.start()
        with server.sender() as sender:
            for form in FORMS:
                assert sender.send(build.request(one), form).acknowledged
                assert sender.send(build.request(other, one), form).acknowledged
    assert len(door.stored(action)) == 1
    settle(server)


def test_a04_the_same_id_with_other_content_is_kept_and_flagged(door: Door) -> None:
    action = fresh_action()
    one = build.log_record(attributes={"audit.action": action, "audit.record.id": action})
    changed = type(one)()
    changed.CopyFrom(one)
    changed.body.string_value = "something else"
    for record in (one, changed):
        answer = door.post(build.request(record, signal="logs").SerializeToString(), "/v1/logs")
        assert answer.status == 200
    first, second = door.stored(action)
    assert "conflict" not in first["flags"]
    assert "conflict" in second["flags"]


def test_a05_equal_records_without_an_id_in_one_request_are_two(door: Door) -> None:
    action = fresh_action()
    record = build.log_record(attributes={"audit.action": action})
    message = build.request(record, record, signal="logs")
    assert door.post(message.SerializeToString(), "/v1/logs").status == 200
    assert [row["duplicate_of"] for row in door.stored(action)] == [None, None]


def test_a07_what_lacks_mandatory_fields_is_kept_and_flagged(door: Door) -> None:
    action = fresh_action()
    assert door.post(log_request(action).SerializeToString(), "/v1/logs").status == 200
    [row] = door.stored(action)
    assert {"missing_actor", "missing_outcome", "missing_source", "missing_target"} <= set(
        row["flags"]
    )


def test_a08_one_bad_record_among_ninety_nine_good_ones_makes_a_hundred(door: Door) -> None:
    action = fresh_action()
    bad = build.span(attributes={"audit.action": action}, trace_id=b"short", span_id=b"")
    good = [build.span(attributes={"audit.action": action}) for _ in range(99)]
    message = build.request(*good[:50], bad, *good[50:])
    assert door.post(message.SerializeToString()).status == 200
    rows = door.stored(action)
    assert len(rows) == 100
    assert ["invalid_id" in row["flags"] for row in rows].count(True) == 1


@pytest.mark.parametrize("trace_id", [b"", b"abc", bytes(16), b"x" * 17])
def test_a10_ids_of_another_length_are_kept_and_flagged(door: Door, trace_id: bytes) -> None:
    action = fresh_action()
    message = build.request(build.span(attributes={"audit.action": action}, trace_id=trace_id))
    assert door.post(message.SerializeToString()).status == 200
    [row] = door.stored(action)
    assert "invalid_id" in row["flags"]
    assert row["body"]["otlp"].get("trace_id", "") == trace_id.hex()


def test_a12_a_record_with_a_signature_is_stored_unaltered(door: Door) -> None:
    action = fresh_action()
    signed = {
        "audit.action": action,
        "audit.integrity.value": "c2lnbmF0dXJl",
        "audit.integrity.signer": "collector",
    }
    message = build.request(build.log_record(attributes=signed), signal="logs")
    assert door.post(message.SerializeToString(), "/v1/logs").status == 200
    [row] = door.stored(action)
    assert row["body"]["attributes"] == signed


def test_a12_a_signature_alone_does_not_make_a_record_audit(door: Door) -> None:
    before = door.size()
    record = build.log_record("x", {"audit.integrity.value": "c2lnbmF0dXJl"})
    message = build.request(record, signal="logs")
    assert door.post(message.SerializeToString(), "/v1/logs").status == 200
    assert door.size() == before


def test_a15_a_reader_sees_whole_commits_that_hold_at_any_moment(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    action = fresh_action()
    stop = threading.Event()

    def load() -> None:
        with server.sender() as sender:
            while not stop.is_set():
                body, _ = encoded(span_request(action, 20), "grpc")
                assert sender.call(METHOD["traces"], body, False).acknowledged

    thread = threading.Thread(target=load)
    thread.start()
    try:
        reports = [holds(server.ledger) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    sizes = [report["size"] for report in reports]
    assert sizes == sorted(set(sizes))
    assert len(Door(server).stored(action)) % 20 == 0
    settle(server)
