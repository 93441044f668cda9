"""The senders, judged against the standard library and a server that only listens."""

import gzip
import http.server
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.kit import build
from tests.kit.senders import FORMS, Sender, encoded
from tests.kit.server import free_port, merged

SEEN: list[tuple[str, dict[str, str], bytes]] = []


class _Listener(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        SEEN.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(503)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"no")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    SEEN.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), _Listener)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("form", [form for form in FORMS if not form.startswith("grpc")])
def test_a_form_says_what_it_is_and_hands_back_the_answer(endpoint: str, form: str) -> None:
    message = build.request(build.span("a", {"k": "v"}))
    with Sender(endpoint, endpoint) as sender:
        reply = sender.send(message, form, {"X-Audit-Pipeline": "soc2"})
    assert (reply.code, reply.body, reply.headers["retry-after"]) == (503, b"no", "1")
    assert not reply.acknowledged
    [(path, headers, body)] = SEEN
    assert path == "/v1/traces"
    assert headers["x-audit-pipeline"] == "soc2"
    assert headers.get("content-encoding") == ("gzip" if form.endswith("+gzip") else None)
    if form.endswith("+gzip"):
        body = gzip.decompress(body)
    if form.startswith("json"):
        assert headers["content-type"] == "application/json"
        assert body == build.json_bytes(message)
    else:
        assert headers["content-type"] == "application/x-protobuf"
        assert ExportTraceServiceRequest.FromString(body) == message


def test_a_grpc_failure_is_a_reply() -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    with Sender(endpoint, endpoint, timeout_seconds=5) as sender:
        reply = sender.send(build.request(build.span()), "grpc")
    assert reply.code == "UNAVAILABLE"
    assert not reply.acknowledged


def test_a_broken_connection_raises() -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    with Sender(endpoint, endpoint) as sender, pytest.raises(ConnectionRefusedError):
        sender.send(build.request(build.span()), "protobuf")


def test_grpc_bodies_are_plain_because_grpc_compresses_itself() -> None:
    message = build.request(build.log_record())
    assert encoded(message, "grpc+gzip")[0] == message.SerializeToString()


def test_settings_are_laid_over_at_every_level() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merged(base, {"a": {"c": 4}, "e": 5}) == {"a": {"b": 1, "c": 4}, "d": 3, "e": 5}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}
