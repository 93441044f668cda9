"""Checklist G: gRPC, with real clients (docs/otlp-checklist.md)."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.checklist.door import Door, fresh_action, log_request, span_request
from tests.kit import build
from tests.kit.senders import METHOD

WIDE: Any = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
MIB = 1 << 20


def channel(door: Door, *options: Any) -> grpc.Channel:
    """A channel of its own to the gRPC door."""
    return grpc.insecure_channel(door.server.grpc, options=[*WIDE, *options])


@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]
)
def test_g01_exports_in_every_compression_of_grpc(door: Door, compression: Any) -> None:
    action = fresh_action()
    with channel(door) as connection:
        logs = LogsServiceStub(connection).Export(log_request(action), compression=compression)
        spans = TraceServiceStub(connection).Export(span_request(action), compression=compression)
    assert logs.SerializeToString() == spans.SerializeToString() == b""
    assert [row["kind"] for row in door.stored(action)] == ["log", "span"]


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_g02_an_empty_request_is_a_success(door: Door, signal: str) -> None:
    with door.sender() as sender:
        reply = sender.call(METHOD[signal], b"", False)
    assert (reply.code, reply.body) == ("OK", b"")


def test_g03_garbage_is_an_invalid_argument_with_a_bad_request(door: Door) -> None:
    with door.sender() as sender:
        reply = sender.call(METHOD["logs"], b"\xff\xff\xff", False)
    assert reply.code == "INVALID_ARGUMENT"
    details = Status.FromString(reply.binary["grpc-status-details-bin"]).details
    assert [detail.Is(BadRequest.DESCRIPTOR) for detail in details] == [True]
    assert "google.rpc.retryinfo-bin" not in reply.binary


def test_g03_text_that_is_no_utf8_is_kept_and_flagged(door: Door) -> None:
    action = fresh_action()
    body = log_request(action, body="@@@@").SerializeToString()
    with door.sender() as sender:
        sent = build.patched(body, "@@@@", b"\xff\xfe\xfd\xfc")
        assert sender.call(METHOD["logs"], sent, False).code == "OK"
    [row] = door.stored(action)
    assert "invalid_utf8" in row["flags"]


@pytest.mark.parametrize("gzipped", [False, True], ids=["on-the-wire", "inflated"])
def test_g04_a_message_over_the_limit_is_resource_exhausted_for_good(
    door: Door, gzipped: bool
) -> None:
    body = log_request(fresh_action(), body="x" * (65 * MIB)).SerializeToString()
    with door.sender() as sender:
        reply = sender.call(METHOD["logs"], body, gzipped)
        assert reply.code == "RESOURCE_EXHAUSTED"
        assert reply.binary == {}
        assert sender.call(METHOD["logs"], b"", False).code == "OK"


@pytest.mark.parametrize("mib", [5, 60])
def test_g06_large_messages_pass_the_default_limit(door: Door, mib: int) -> None:
    action = fresh_action()
    spans = [
        build.span(attributes={"audit.action": action, "x": "y" * MIB}) for _ in range(mib - 1)
    ]
    with door.sender() as sender:
        assert sender.send(build.request(*spans), "grpc").code == "OK"
    assert len(door.stored(action)) == mib - 1


def test_g08_unknown_methods_are_unimplemented(door: Door) -> None:
    with door.sender() as sender:
        for method in ("/nope/Export", METHOD["logs"] + "X"):
            assert sender.call(method, b"", False).code == "UNIMPLEMENTED"


@pytest.mark.long
@pytest.mark.timeout(120)
def test_g09_pings_every_ten_seconds_without_a_call_are_borne(door: Door) -> None:
    options = [
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 2_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with channel(door, *options) as connection:
        states: list[grpc.ChannelConnectivity] = []
        LogsServiceStub(connection).Export(log_request(fresh_action()))
        connection.subscribe(states.append)
        time.sleep(62)
        assert set(states) == {grpc.ChannelConnectivity.READY}
        LogsServiceStub(connection).Export(log_request(fresh_action()))


def test_g10_a_hundred_calls_at_once_on_one_channel(door: Door) -> None:
    action = fresh_action()
    with channel(door) as connection, ThreadPoolExecutor(100) as pool:
        export = TraceServiceStub(connection).Export
        requests = [span_request(action) for _ in range(100)]
        replies = list(pool.map(lambda request: export(request, timeout=30), requests))
    assert len(replies) == len(door.stored(action)) == 100


def test_g11_a_deadline_that_passes_loses_and_doubles_nothing(door: Door) -> None:
    action = fresh_action()
    message = span_request(action, 200)
    with channel(door) as connection:
        export = TraceServiceStub(connection).Export
        with pytest.raises(grpc.RpcError) as late:
            export(message, timeout=0.001)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        export(message, timeout=30)
    assert len(door.stored(action)) == 200
