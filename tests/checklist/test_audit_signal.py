"""OpenTelemetry's audit draft (OTEP 0267) on `/v1/audit` and its gRPC twin, from a real process."""

import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from google.rpc.status_pb2 import Status

from audit_receiver.v1.audit_pb2 import AuditResponse
from tests.checklist.door import Door, fresh_action
from tests.e2e.oracle import events, rows, settle
from tests.kit import build
from tests.kit.senders import Reply
from tests.kit.server import Server
from tests.kit.wire import JSON, PROTOBUF

PATH = "/v1/audit"
METHOD = "/audit_receiver.v1.AuditService/Export"
DOORS = ("protobuf", "json", "grpc")


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A receiver that serves the draft at both doors."""
    server = Server(tmp_path_factory.mktemp("audit"), draft()).start()
    yield Door(server)
    settle(server)


def draft() -> dict[str, Any]:
    """The configuration that opens the draft's endpoints."""
    protocols = {"http": {"audit": "otep-0267"}, "grpc": {"audit": "otep-0267"}}
    return {"receivers": {"otlp": {"protocols": protocols}}}


def record(action: str, record_id: str = "", **fields: Any) -> Any:
    """A record with all that the draft asks for."""
    attributes = {
        "audit.record.id": record_id or str(uuid.uuid4()),
        "audit.actor.id": "u8472",
        "audit.actor.type": "user",
        "audit.action": action,
        "audit.outcome": "success",
        **fields.pop("attributes", {}),
    }
    attributes = {key: value for key, value in attributes.items() if value is not None}
    return build.log_record(fields.pop("event_name", "user.login.success"), attributes, **fields)


def request(*records: Any) -> Any:
    """A request of such records, without a scope, as the draft asks."""
    return build.request(*records, signal="logs", scope="")


def send(door: Door, message: Any, way: str = "protobuf") -> Reply:
    """One request by one of DOORS."""
    with door.sender() as sender:
        if way == "grpc":
            return sender.call(METHOD, message.SerializeToString(), False)
        kind = JSON if way == "json" else PROTOBUF
        body = build.json_bytes(message) if way == "json" else message.SerializeToString()
        return sender.post(PATH, body, {"Content-Type": kind})


def receipts(reply: Reply) -> list[dict[str, Any]]:
    """The receipts of an answer, whichever its encoding."""
    assert reply.acknowledged, reply
    if reply.headers.get("content-type") == JSON:
        told = json.loads(reply.body)
        assert told["status"] == "delivered_all_sinks"
        return [
            {**one, "sink_timestamp": int(one["sink_timestamp"])}
            for one in told["record_status_map"].values()
        ]
    response = AuditResponse.FromString(reply.body)
    assert response.status == "delivered_all_sinks"
    return [
        {
            "record_id": one.record_id,
            "status": one.status,
            "integrity_hash": one.integrity_hash.hex(),
            "sink_timestamp": one.sink_timestamp,
            "seq": one.seq,
            "duplicate": one.duplicate,
        }
        for one in response.records
    ]


def hash_of(log: Any) -> str:
    """The integrity hash of a record whose values are strings, made by hand."""
    told = {
        "attributes": {
            pair.key: {"stringValue": pair.value.string_value} for pair in log.attributes
        },
        "event_name": log.event_name,
        "observed_timestamp": str(log.observed_time_unix_nano),
        "timestamp": str(log.time_unix_nano),
    }
    return hashlib.sha256(rfc8785.dumps(told)).hexdigest()


@pytest.mark.parametrize("way", DOORS)
def test_each_record_comes_back_with_a_receipt(audit: Door, way: str) -> None:
    action, before = fresh_action(), time.time_ns()
    logs = [record(action) for _ in range(3)]
    reply = send(audit, request(*logs), way)
    stored = audit.stored(action)
    assert [row["kind"] for row in stored] == ["audit"] * 3
    for log, row, told in zip(logs, stored, receipts(reply), strict=True):
        assert told["record_id"] == row["record_id"]
        assert told["seq"] == row["seq"]
        assert told["integrity_hash"] == hash_of(log)
        assert before < told["sink_timestamp"] < time.time_ns()
        assert not told["duplicate"]
    assert reply.receipt is not None
    assert (reply.receipt.first_seq, reply.receipt.last_seq) == (
        stored[0]["seq"],
        stored[-1]["seq"],
    )


def test_nothing_is_filtered_by_name_scope_or_rule(audit: Door) -> None:
    action = fresh_action()
    message = build.request(record(action, event_name="x"), signal="logs", scope="not.audit")
    assert send(audit, message).acknowledged
    assert len(audit.stored(action)) == 1


@pytest.mark.parametrize("way", DOORS)
def test_a_record_sent_again_has_the_same_receipt_and_no_second_entry(
    audit: Door, way: str
) -> None:
    action = fresh_action()
    one, other = record(action), record(action)
    [first] = receipts(send(audit, request(one)))
    again, new = receipts(send(audit, request(one, other), way))
    assert again == {**first, "duplicate": True}
    assert not new["duplicate"]
    assert len(audit.stored(action)) == 2


def test_a_record_sent_again_after_a_restart_and_twice_in_one_request(tmp_path: Path) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    one, other = record(action), record(action)
    [first] = receipts(send(door, request(one)))
    server.kill()
    server.start()
    told = receipts(send(door, request(one, other, other, one)))
    assert [entry["seq"] for entry in told] == [first["seq"], *[told[1]["seq"]] * 2, first["seq"]]
    assert [entry["duplicate"] for entry in told] == [True, False, True, True]
    assert told[0] == {**first, "duplicate": True}
    assert len(door.stored(action)) == 2
    settle(server)


@pytest.mark.parametrize("way", DOORS)
def test_the_same_id_with_other_content_refuses_the_whole_request(audit: Door, way: str) -> None:
    action = fresh_action()
    kept = record(action)
    assert send(audit, request(kept)).acknowledged
    changed = type(kept)()
    changed.CopyFrom(kept)
    changed.body.string_value = "something else"
    reply = send(audit, request(record(action), changed, record(action)), way)
    assert reply.code == ("ALREADY_EXISTS" if way == "grpc" else 409)
    assert hash_of(kept) in (reply.detail or reply.body.decode("utf-8", "replace"))
    assert len(audit.stored(action)) == 1


def test_a_refused_conflict_is_an_incident_with_both_hashes(tmp_path: Path) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    kept = record(action, "the-id")
    other = record(action, "the-id")
    assert send(door, request(kept)).acknowledged
    assert send(door, request(other)).code == 409
    settle(server)
    [told] = [one for one in events(server.ledger, "incident") if "records" in one]
    assert told["incident"] == "refused_conflict"
    assert told["records"] == [["the-id", hash_of(kept), hash_of(other)]]


def test_two_contents_of_one_id_in_one_request_are_refused(audit: Door) -> None:
    action = fresh_action()
    one, other = record(action, "same-" + action), record(action, "same-" + action, body="x")
    assert send(audit, request(one, other)).code == 409
    assert audit.stored(action) == []


def test_the_id_counts_at_another_event_time_too(audit: Door) -> None:
    action = fresh_action()
    one = record(action)
    assert send(audit, request(one)).acknowledged
    later = type(one)()
    later.CopyFrom(one)
    later.time_unix_nano -= 1_000_000_000
    assert send(audit, request(later)).code == 409
    assert len(audit.stored(action)) == 1


def test_a_record_of_v1_logs_is_known_here(audit: Door) -> None:
    action = fresh_action()
    one = record(action)
    assert audit.post(request(one).SerializeToString(), "/v1/logs").status == 200
    [told] = receipts(send(audit, request(one)))
    assert told["duplicate"]
    assert [row["kind"] for row in audit.stored(action)] == ["log"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time_unix_nano": 0}, "time_unix_nano is not set"),
        ({"observed_time_unix_nano": 0}, "observed_time_unix_nano is not set"),
        ({"time_unix_nano": build.START + 10**18}, "after observed_time_unix_nano"),
        ({"event_name": ""}, "event_name is empty"),
        *(
            ({"attributes": {name: value}}, name)
            for name in (
                *("audit.record.id", "audit.actor.id", "audit.actor.type"),
                *("audit.action", "audit.outcome"),
            )
            for value in (None, "", 7)
        ),
        ({"attributes": {"audit.actor.type": "robot"}}, "audit.actor.type is none of"),
        ({"attributes": {"audit.outcome": "maybe"}}, "audit.outcome is none of"),
    ],
)
def test_a_record_that_lacks_something_refuses_the_whole_request(
    audit: Door, change: dict[str, Any], words: str
) -> None:
    action = fresh_action()
    reply = send(audit, request(record(action), record(action, **change)))
    assert reply.code == 400
    status = Status.FromString(reply.body)
    assert "log_records[1]" in status.message
    assert words in status.message
    assert audit.stored(action) == []


def test_it_is_answered_retryably_where_the_ledger_cannot_be_written(tmp_path: Path) -> None:
    server = Server(tmp_path, {**draft(), "ledger": {"disk_reserve": "1000TiB"}})
    server.config["ledger"]["path"] = str(server.ledger)
    server.start()
    door, action = Door(server), fresh_action()
    assert send(door, request(record(action))).code == 503
    assert send(door, request(record(action)), "grpc").code == "UNAVAILABLE"
    assert door.stored(action) == []
    settle(server)


def test_without_the_key_nothing_is_served(door: Door) -> None:
    message = request(record(fresh_action()))
    assert send(door, message).code == 404
    assert send(door, message, "grpc").code == "UNIMPLEMENTED"


def test_an_answer_too_large_for_a_collector_leaves_the_receipts_out_and_says_so(
    audit: Door,
) -> None:
    action = fresh_action()
    message = request(*(record(action) for _ in range(2000)))
    for way in DOORS:
        reply = send(audit, message, way)
        assert reply.acknowledged
        assert len(reply.body) < 65_536
        if way == "json":
            assert json.loads(reply.body)["records_left_out"] is True
        else:
            response = AuditResponse.FromString(reply.body)
            assert response.records_left_out
            assert response.receipt.origin
    assert len(audit.stored(action)) == 2000


def test_a_stock_exporter_finds_no_partial_success_in_the_answer(audit: Door) -> None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    reply = send(audit, request(record(fresh_action())))
    assert not ExportLogsServiceResponse.FromString(reply.body).HasField("partial_success")


def test_an_empty_request_is_a_success(audit: Door) -> None:
    for way in DOORS:
        assert receipts(send(audit, build.request(signal="logs"), way)) == []


def test_the_views_show_what_came_here(audit: Door) -> None:
    action = fresh_action()
    assert send(audit, request(record(action))).acknowledged
    sql = "SELECT kind, actor, outcome FROM audit_records WHERE action = ?"
    assert rows(audit.server.ledger, sql, (action,)) == [
        {"kind": "audit", "actor": "u8472", "outcome": "success"}
    ]
