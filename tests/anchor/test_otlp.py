"""Anchor `otlp`: a log record that a backend keeps, and that no receiver takes for audit."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

import audit_receiver
from audit_receiver.anchor.http import Peer
from audit_receiver.anchor.model import AnchorError
from audit_receiver.anchor.otlp import OtlpAnchor
from audit_receiver.otlp import checkpoint
from audit_receiver.record.select import Rule
from tests.anchor.scene import ORIGIN, START, published
from tests.e2e.oracle import rows, settle
from tests.kit.outside import Asked, Outside, Reply
from tests.kit.server import Server

PROTOBUF = "application/x-protobuf"


def partial(rejected: int, message: str) -> bytes:
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = rejected
    response.partial_success.error_message = message
    return response.SerializeToString()


@pytest.fixture
def outside() -> Iterator[Outside]:
    def keep(asked: Asked) -> Reply:
        assert asked.path == "/otlp/v1/logs"
        return Reply(200, b"", PROTOBUF)

    more = {
        "rejects": lambda asked: Reply(200, partial(1, "too old"), PROTOBUF),
        "warns": lambda asked: Reply(200, partial(0, "soon over quota"), PROTOBUF),
        "rejects in JSON": lambda asked: Reply(
            200, b'{"partialSuccess": {"rejectedLogRecords": "1"}}', "application/json"
        ),
        "answers in JSON": lambda asked: Reply(200, b"{}", "application/json"),
        "answers nothing": lambda asked: Reply(200, b"", "text/plain"),
        "answers text": lambda asked: Reply(200, b"accepted", "text/plain"),
        # field 10 of 32 bytes: to a protobuf parser a message with an unknown field
        "answers chance": lambda asked: Reply(200, b"R " + b"accepted" * 4, "text/plain"),
        "answers a list": lambda asked: Reply(200, b"[]", "application/json"),
        "answers other protobuf": lambda asked: Reply(200, b"\xff", PROTOBUF),
    }
    with Outside(keep, more) as one:
        yield one


def anchor(url: str, compression: Any = "gzip", **headers: str) -> OtlpAnchor:
    return OtlpAnchor("otlp/b", Peer(url, timeout_seconds=5), url, compression, headers)


@pytest.mark.parametrize("compression", ["gzip", "none"])
async def test_a_checkpoint_arrives_as_one_log_record(outside: Outside, compression: str) -> None:
    one = anchor(f"{outside.url}/otlp", compression, authorization="Basic eDp5")
    given = published(3)
    assert await one.publish(given) == ()
    assert await one.newest() == ()
    await one.close()
    [asked] = outside.asked
    assert asked.headers["authorization"] == "Basic eDp5"
    assert asked.headers["content-type"] == PROTOBUF
    assert asked.headers.get("content-encoding", "none") == compression
    body = gzip.decompress(asked.body) if compression == "gzip" else asked.body
    [resource_logs] = ExportLogsServiceRequest.FromString(body).resource_logs
    resource = {one.key: one.value.string_value for one in resource_logs.resource.attributes}
    version = audit_receiver.__version__
    assert resource == {"service.name": "audit-receiver", "service.version": version}
    [scope_logs] = resource_logs.scope_logs
    assert (scope_logs.scope.name, scope_logs.scope.version) == ("audit_receiver", version)
    [record] = scope_logs.log_records
    assert record.event_name == "audit_receiver.checkpoint"
    assert record.body.string_value == given.note
    assert record.time_unix_nano == record.observed_time_unix_nano == START
    assert (record.severity_number, record.severity_text) == (9, "INFO")
    attributes = {one.key: one.value for one in record.attributes}
    assert attributes.keys() == {f"audit_receiver.{name}" for name in ("origin", "root", "size")}
    assert attributes["audit_receiver.origin"].string_value == ORIGIN
    assert attributes["audit_receiver.root"].string_value == given.root.hex()
    assert attributes["audit_receiver.size"].int_value == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("rejects", "rejected it: 'too old'"),
        ("rejects in JSON", "rejected it: ''"),
        ("answers text", r"\(text/plain\) is not an ExportLogsServiceResponse"),
        ("answers chance", "is not an ExportLogsServiceResponse"),
        ("answers a list", "is not an ExportLogsServiceResponse"),
        ("answers other protobuf", "is not an ExportLogsServiceResponse"),
        ("garbage", r"\(text/html\) is not an ExportLogsServiceResponse"),
        ("refuses", "not kept: HTTP 503: 'full'"),
    ],
)
async def test_an_answer_that_does_not_say_kept_is_a_failure(
    outside: Outside, fault: str, words: str
) -> None:
    outside.fault = fault
    one = anchor(f"{outside.url}/otlp")
    with pytest.raises(AnchorError, match=words):
        await one.publish(published(3))
    await one.close()


@pytest.mark.parametrize("fault", ["warns", "answers in JSON", "answers nothing"])
async def test_a_success_in_other_words_is_a_success(outside: Outside, fault: str) -> None:
    outside.fault = fault
    one = anchor(f"{outside.url}/otlp")
    await one.publish(published(3))
    await one.close()


def test_no_name_in_it_matches_the_usual_rule() -> None:
    """Else a receiver behind the backend would answer a checkpoint with the next one, for ever."""
    body = checkpoint.export_request("1", ORIGIN, 1, bytes(32), "note", START)
    [resource_logs] = ExportLogsServiceRequest.FromString(body).resource_logs
    [scope_logs] = resource_logs.scope_logs
    [record] = scope_logs.log_records
    rule = Rule()
    keys = [one.key.encode() for one in record.attributes]
    assert keys
    assert not rule.wants_any(keys)
    for name in (record.event_name, scope_logs.scope.name):
        assert name
        assert not rule.wants_name(name.encode())


async def test_our_own_door_leaves_it_out_and_keeps_it_where_the_rule_says_so(
    tmp_path: Path,
) -> None:
    """An auditor's receiver may keep another one's checkpoints as records of its own."""
    given = published(3)
    for names, expected in ((["audit", "audit.*"], 0), (["audit_receiver.checkpoint"], 1)):
        folder = tmp_path / str(expected)
        folder.mkdir()
        with Server(folder, {"select": {"names": names}, "anchors": {}}) as server:
            for compression in ("gzip", "none"):
                one = anchor(f"http://{server.http}", compression)
                await one.publish(given)
                await one.close()
            found = rows(server.ledger, "SELECT event, message, attributes FROM audit_records")
            assert server.stop() == 0
        assert len(found) == expected
        for row in found:
            assert row["event"] == "audit_receiver.checkpoint"
            assert row["message"] == given.note
            attributes = json.loads(row["attributes"])
            assert attributes["audit_receiver.size"] == 3
            assert attributes["audit_receiver.root"] == given.root.hex()
        settle(server)
