"""What an operator's tools ask: health, readiness, reflection, metrics."""

import re
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests.e2e.oracle import settle, value
from tests.kit import build
from tests.kit.senders import Sender
from tests.kit.server import Server

# DESIGN 7, the whole list.
METRICS = {
    "audit_receiver_records_total": {"signal", "transport", "result"},
    "audit_receiver_requests_total": {"transport", "code"},
    "audit_receiver_commit_seconds_bucket": {"le"},
    "audit_receiver_group_records_bucket": {"le"},
    "audit_receiver_queue_records": set(),
    "audit_receiver_in_flight_bytes": set(),
    "audit_receiver_ledger_entries": set(),
    "audit_receiver_ledger_bytes": set(),
    "audit_receiver_wal_bytes": set(),
    "audit_receiver_last_commit_timestamp_seconds": set(),
    "audit_receiver_incidents_total": {"incident"},
}
SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService",
    "opentelemetry.proto.collector.logs.v1.LogsService",
    "grpc.health.v1.Health",
}


def _samples(server: Server) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    status, text = server.get("/metrics")
    assert status == 200
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for name, labels, number in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE):
        key = frozenset(re.findall(r'(\w+)="([^"]*)"', labels))
        found.setdefault(name, {})[key] = float(number)
    return found


def _labels(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_every_metric_of_the_design_is_there_and_counts(server: Server, sender: Sender) -> None:
    span, log = build.request(build.span(), build.span()), build.request(build.log_record())
    assert sender.send(span, "protobuf").acknowledged
    assert sender.send(span, "grpc").acknowledged
    assert sender.send(log, "json").acknowledged
    log.resource_logs[0].scope_logs[0].log_records[0].attributes[0].value.string_value = "DELETE"
    assert sender.send(log, "grpc").acknowledged
    plain = build.request(build.span("GET /", {"http.route": "/"}))
    assert sender.send(plain, "grpc").acknowledged
    assert (
        sender.post("/v1/traces", b"\xff", {"Content-Type": "application/x-protobuf"}).code == 400
    )
    samples = _samples(server)
    for name, labels in METRICS.items():
        assert name in samples, name
        assert {key for key, _ in next(iter(samples[name]))} == labels, name
    records = samples["audit_receiver_records_total"]
    assert records[_labels(signal="traces", transport="http", result="stored")] == 2
    assert records[_labels(signal="traces", transport="grpc", result="duplicate")] == 2
    assert records[_labels(signal="logs", transport="http", result="stored")] == 1
    assert records[_labels(signal="logs", transport="grpc", result="conflict")] == 1
    assert records[_labels(signal="traces", transport="grpc", result="skipped")] == 1
    requests = samples["audit_receiver_requests_total"]
    assert requests[_labels(transport="http", code="200")] == 2
    assert requests[_labels(transport="http", code="400")] == 1
    assert requests[_labels(transport="grpc", code="OK")] == 3
    assert samples["audit_receiver_ledger_entries"][frozenset()] >= 8
    assert samples["audit_receiver_ledger_bytes"][frozenset()] > 0
    assert samples["audit_receiver_queue_records"][frozenset()] == 0
    assert samples["audit_receiver_in_flight_bytes"][frozenset()] == 0
    incidents = samples["audit_receiver_incidents_total"]
    assert incidents[_labels(incident="conflict")] == 1
    assert incidents[_labels(incident="undecodable")] == 1
    deadline = time.monotonic() + 10  # the incident is written with the next group
    while (entries := _entries(server)) != value(server.ledger, "SELECT count(*) FROM entry"):
        assert time.monotonic() < deadline, entries
    settle(server)


def _entries(server: Server) -> float:
    return _samples(server)["audit_receiver_ledger_entries"][frozenset()]


def test_health_and_readiness_over_http(server: Server) -> None:
    assert server.get("/healthz")[0] == 200
    assert server.get("/readyz")[0] == 200
    assert server.get("/nope")[0] == 404


@pytest.mark.parametrize(
    "service",
    [
        "",
        "opentelemetry.proto.collector.trace.v1.TraceService",
        "opentelemetry.proto.collector.logs.v1.LogsService",
    ],
)
def test_grpc_health_says_serving(server: Server, service: str) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_grpc_reflection_lists_the_services(server: Server) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) >= SERVICES
        file = database.FindFileContainingSymbol(
            "opentelemetry.proto.collector.logs.v1.LogsService"
        )
    assert [method.name for method in file.service[0].method] == ["Export"]


def test_signals_that_are_not_taken_are_unimplemented(server: Server, sender: Sender) -> None:
    method = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    assert sender.call(method, b"", gzipped=False).code == "UNIMPLEMENTED"
    reply = sender.post("/v1/metrics", b"", {"Content-Type": "application/x-protobuf"})
    assert reply.code == 404
