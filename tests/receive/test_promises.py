"""What the doors promise whatever goes wrong behind them (DESIGN 6)."""

import asyncio
import gzip
import json
import time
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from audit_receiver.errors import LedgerBusy, LedgerUnavailable, ShuttingDown
from audit_receiver.ledger.appender import Done
from audit_receiver.otlp import receipt
from audit_receiver.record.model import Draft
from tests.kit import build
from tests.receive.doors import PROTOBUF, TIP, Doors, doors

AUDIT = build.request(build.span()).SerializeToString()
PLAIN = build.request(build.span("GET /", {"http.route": "/"})).SerializeToString()
JSON = {"Content-Type": "application/json"}


def trailers(call_metadata: Any) -> dict[str, Any]:
    return dict(call_metadata)


async def assert_retryable(door: Doors) -> None:
    reply = await door.post(AUDIT)
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "1"
    assert status_pb2.Status.FromString(reply.body).code == code_pb2.UNAVAILABLE
    call = await door.call(AUDIT)
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    metadata = trailers(await call.trailing_metadata())
    retry = error_details_pb2.RetryInfo.FromString(metadata["google.rpc.retryinfo-bin"])
    assert retry.retry_delay.seconds == 1
    details = status_pb2.Status.FromString(metadata["grpc-status-details-bin"]).details
    assert [any_.TypeName() for any_ in details] == ["google.rpc.RetryInfo"]


async def test_success_is_200_with_an_empty_answer_and_a_receipt() -> None:
    async with doors() as door:
        reply = await door.post(AUDIT)
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["Content-Type"] == "application/x-protobuf"
        found = receipt.decode(receipt.from_header(reply.headers["Audit-Receipt"]))
        assert (found.first_seq, found.last_seq, found.stored) == (7, 7, 1)
        assert (found.tree_size, found.origin, found.key_id) == (TIP.size, TIP.origin, TIP.key_id)
        call = await door.call(AUDIT)
        assert await call.code() is grpc.StatusCode.OK
        metadata = trailers(await call.trailing_metadata())
        assert receipt.decode(metadata["audit-receipt-bin"]).stored == 1


async def test_json_is_answered_in_json() -> None:
    async with doors() as door:
        reply = await door.post(build.json_bytes(build.request(build.span())), headers=JSON)
        assert (reply.status, reply.body) == (200, b"{}")
        assert reply.headers["Content-Type"] == "application/json"


async def test_what_is_not_audit_never_reaches_the_writer_and_is_counted() -> None:
    async with doors() as door:
        reply = await door.post(PLAIN)
        assert reply.status == 200
        found = receipt.decode(receipt.from_header(reply.headers["Audit-Receipt"]))
        assert (found.stored, found.skipped, found.HasField("first_seq")) == (0, 1, False)
        assert door.stand_in.submitted == []
        assert list(door.stand_in.noted.values()) == [(1, 1)]


@pytest.mark.parametrize(
    "error",
    [
        LedgerUnavailable("disk: full"),
        LedgerBusy("many wait"),
        ShuttingDown("stopping"),
        RuntimeError("a bug of ours"),
        MemoryError(),
        OSError(5, "I/O"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("when", ["at once", "later"])
async def test_a_fault_of_ours_is_always_retryable(error: Exception, when: str) -> None:
    async with doors() as door:

        def behave(_: Sequence[Draft], done: Done) -> None:
            if when == "at once":
                raise error
            done(error)

        door.stand_in.behave = behave
        began = time.monotonic()
        await assert_retryable(door)
        assert time.monotonic() - began < 2, "told at once, not when the deadline is over"


async def test_an_unforeseen_fault_before_the_writer_is_retryable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> Any:
        raise KeyError("a bug of ours")

    monkeypatch.setattr("audit_receiver.receive.intake.normalise", broken)
    async with doors() as door:
        await assert_retryable(door)


async def test_a_commit_that_takes_too_long_is_answered_retryably_in_time() -> None:
    async with doors(deadline_seconds=0.2) as door:
        door.stand_in.store_later(1.0)
        began = time.monotonic()
        reply = await door.post(AUDIT)
        assert reply.status == 503
        assert 0.15 < time.monotonic() - began < 0.8
        assert len(door.stand_in.submitted) == 1, "the writer goes on with it"


async def test_a_sender_that_goes_away_does_not_take_its_records_along() -> None:
    async with doors() as door:
        door.stand_in.store_later(0.3)
        with pytest.raises((asyncio.TimeoutError, TimeoutError)):
            async with asyncio.timeout(0.1):
                await door.post(AUDIT)
        call = await door.call(AUDIT, timeout=0.1)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.sleep(0.6)
        assert len(door.stand_in.submitted) == 2
        assert sum(received for received, _ in door.stand_in.noted.values()) == 2
        assert door.intake.budget.used_bytes == 0


async def test_the_budget_refuses_at_once_and_is_given_back() -> None:
    body = AUDIT
    async with doors(in_flight=len(body) + 10) as door:
        door.stand_in.store_later(0.5)
        first = asyncio.create_task(door.post(body))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await assert_retryable(door)
        assert time.monotonic() - began < 0.3, "refused, not queued"
        assert (await first).status == 200
        assert door.intake.budget.used_bytes == 0
        assert (await door.post(b"\xff\xff")).status == 400
        assert (await door.post(body)).status == 200
        assert door.intake.budget.used_bytes == 0


async def test_undecodable_bytes_are_kept_as_evidence() -> None:
    body = b"\xff" * 5000
    async with doors() as door:
        reply = await door.post(body)
        assert reply.status == 400
        assert status_pb2.Status.FromString(reply.body).code == code_pb2.INVALID_ARGUMENT
        assert await (await door.call(body)).code() is grpc.StatusCode.INVALID_ARGUMENT
        assert door.stand_in.counts == {"undecodable": 2}
        (event, fields), (_, second) = door.stand_in.told
        assert (event, fields["incident"]) == ("incident", "undecodable")
        assert (fields["size"], len(fields["head"])) == (5000, 4096)
        assert fields["sha256"] == sha256(body).hexdigest()
        assert [fields["transport"], second["transport"]] == ["http", "grpc"]


@pytest.mark.parametrize("encoding", ["wire", "inflated"])
async def test_the_size_limit_is_exact(encoding: str) -> None:
    exact = build.request(build.span()).SerializeToString()
    headers = {**PROTOBUF, **({"Content-Encoding": "gzip"} if encoding == "inflated" else {})}
    data = gzip.compress(exact) if encoding == "inflated" else exact
    async with doors(max_bytes=max(len(exact), len(data))) as door:
        assert (await door.post(data, headers=headers)).status == 200
    async with doors(max_bytes=len(exact) - 1) as door:
        reply = await door.post(data, headers=headers)
        assert reply.status == 413
        assert status_pb2.Status.FromString(reply.body).code == code_pb2.RESOURCE_EXHAUSTED
        assert door.stand_in.counts == {"refused": 1}


async def test_a_message_over_the_grpc_limit_has_no_retry_info() -> None:
    async with doors(max_bytes=100) as door:
        call = await door.call(AUDIT)
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "google.rpc.retryinfo-bin" not in trailers(await call.trailing_metadata())


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_405_with_allow(method: str) -> None:
    async with doors() as door:
        reply = await door.post(None, method=method, headers={})
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")
        assert json.loads(reply.body)["code"] == code_pb2.UNIMPLEMENTED


@pytest.mark.parametrize("path", ["/", "/v1/metrics", "/v1/logs/v1/logs", "//v1/logs", "/nope"])
async def test_other_paths_are_404_naming_those_served(path: str) -> None:
    async with doors() as door:
        reply = await door.post(AUDIT, path)
        assert reply.status == 404
        assert "/v1/logs, /v1/traces" in json.loads(reply.body)["message"]


@pytest.mark.parametrize("path", ["/v1/traces/", "/v1/traces"])
async def test_a_trailing_slash_is_served_without_a_redirect(path: str) -> None:
    async with doors() as door:
        assert (await door.post(AUDIT, path)).status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "invalid", ""])
async def test_other_content_types_are_415_naming_both(content_type: str) -> None:
    async with doors() as door:
        reply = await door.post(AUDIT, headers={"Content-Type": content_type})
        assert reply.status == 415
        message = json.loads(reply.body)["message"]
        assert "application/x-protobuf" in message
        assert "application/json" in message


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "foo"])
async def test_other_codings_are_400_naming_the_coding(coding: str) -> None:
    async with doors() as door:
        reply = await door.post(AUDIT, headers={**PROTOBUF, "Content-Encoding": coding})
        assert reply.status == 400
        assert coding in status_pb2.Status.FromString(reply.body).message


@pytest.mark.parametrize(
    "method", ["/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"]
)
async def test_other_services_are_unimplemented(method: str) -> None:
    async with doors() as door:
        assert await (await door.call(b"", method)).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_chunked_bodies_are_taken_and_counted() -> None:
    async def pieces() -> Any:
        for start in range(0, len(AUDIT), 7):
            yield AUDIT[start : start + 7]

    async with doors() as door:
        assert (await door.post(pieces())).status == 200
        assert len(door.stand_in.submitted) == 1
    async with doors(max_bytes=len(AUDIT) - 1) as door:
        assert (await door.post(pieces())).status == 413
        assert door.intake.budget.used_bytes == 0


async def exchange(port: int, data: bytes, until: bytes = b"\r\n\r\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await asyncio.wait_for(reader.readuntil(until), 5)
    writer.close()
    return answer


async def test_100_continue_is_said_only_where_the_body_will_be_taken() -> None:
    head = (
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        "Expect: 100-continue\r\nContent-Length: {}\r\n\r\n"
    )
    async with doors(max_bytes=1000) as door:
        assert b"100 Continue" in await exchange(door.port, head.format(900).encode())
        refused = await exchange(door.port, head.format(1001).encode())
        assert b"413" in refused.splitlines()[0]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01 not http\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=["TLS", "negative length", "huge header"],
)
async def test_what_is_no_http_is_refused_and_the_others_are_served(data: bytes) -> None:
    async with doors() as door:
        first = (await exchange(door.port, data)).splitlines()[0]
        assert first.split()[1] in (b"400", b"431"), first
        assert (await door.post(AUDIT)).status == 200


async def test_recorded_headers_stand_in_peer() -> None:
    async with doors() as door:
        await door.post(AUDIT, headers={**PROTOBUF, "X-Audit-Pipeline": "soc2", "X-Other": "no"})
        (draft,) = door.stand_in.submitted[0]
        peer = json.loads(draft.body)["peer"]
        assert peer == {"headers": {"x-audit-pipeline": "soc2"}, "transport": "http"}


async def test_a_large_request_is_read_beside_the_loop() -> None:
    big = build.request(build.log_record("audit.big", body="x" * (2 << 20))).SerializeToString()
    async with doors(max_bytes=8 << 20, in_flight=32 << 20) as door:
        assert (await door.post(BytesIO(big), "/v1/logs")).status == 200
        assert len(door.stand_in.submitted) == 1
