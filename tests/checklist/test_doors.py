"""Checklist E06, E07, G12, H16, Z12: credentials, TLS, other places, over real sockets."""

import gzip
import http.client
import os
import socket
import ssl
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from google.rpc.status_pb2 import Status

from tests.checklist.door import Door, fresh_action, log_request, span_request
from tests.e2e.oracle import events, rows, settle
from tests.kit.authority import Authority, Pair
from tests.kit.senders import METHOD
from tests.kit.server import Server, merged, run_cli
from tests.kit.wire import PROTOBUF, status_of

MIB = 1 << 20
SPIFFE = "spiffe://example.org/payments"


def started(folder: Path, door: dict[str, Any], **otlp: Any) -> Server:
    """A receiver whose both doors have these keys besides their endpoints."""
    protocols = {"grpc": dict(door), "http": dict(door)}
    return Server(folder, {"receivers": {"otlp": {"protocols": protocols, **otlp}}}).start()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, dict[str, str]]]:
    """A receiver that asks for tokens, made with the command line; and these by name."""
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "tokens"
    secrets = {}
    for name, role in (("payments", "ingest"), ("console", "read")):
        done = run_cli("token", name, "--role", role, "--append", file, cwd=folder)
        assert done.returncode == 0, done.stderr
        secrets[name] = done.stdout.strip()
    assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0
    server = started(folder, {"auth": {"tokens_file": str(file)}})
    yield Door(server), secrets
    settle(server)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def test_e06_a_known_token_is_let_in_and_its_name_is_recorded(
    guarded: tuple[Door, dict[str, str]],
) -> None:
    door, secrets = guarded
    action = fresh_action()
    with door.sender() as sender:
        for form in ("protobuf", "grpc", "json+gzip", "grpc+gzip"):
            reply = sender.send(span_request(action), form, bearer(secrets["payments"]))
            assert reply.acknowledged, reply
    found = door.stored(action)
    assert [row["body"]["peer"]["token"] for row in found] == ["payments"] * 4
    text = door.server.ledger.read_bytes()
    assert secrets["payments"].encode() not in text


@pytest.mark.parametrize("token", [None, "", "art_unknown"])
def test_e06_no_or_an_unknown_token_is_401(
    guarded: tuple[Door, dict[str, str]], token: str | None
) -> None:
    door, _ = guarded
    action = fresh_action()
    headers = {} if token is None else bearer(token)
    answer = door.post(span_request(action).SerializeToString(), **headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert status_of(answer)[0] == 16
    with door.sender() as sender:
        reply = sender.send(span_request(action), "grpc", headers)
    assert reply.code == "UNAUTHENTICATED"
    assert Status.FromString(reply.binary["grpc-status-details-bin"]).code == 16
    assert door.stored(action) == []


def test_e06_a_token_that_may_not_send_is_403(guarded: tuple[Door, dict[str, str]]) -> None:
    door, secrets = guarded
    headers = bearer(secrets["console"])
    answer = door.post(b"", **headers)
    assert (answer.status, status_of(answer)[0]) == (403, 7)
    with door.sender() as sender:
        assert sender.send(span_request("x"), "grpc", headers).code == "PERMISSION_DENIED"


def test_e06_strangers_are_counted_in_the_heartbeat(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    assert run_cli("token", "a", "--append", file, cwd=tmp_path).returncode == 0
    server = started(tmp_path, {"auth": {"tokens_file": str(file)}})
    for _ in range(3):
        assert Door(server).post(b"").status == 401
    settle(server)
    assert sum(beat["unauthenticated"] for beat in events(server.ledger, "heartbeat")) == 3


def test_e06_a_token_is_taken_back_and_another_given_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    first = run_cli("token", "first", "--append", file, cwd=tmp_path).stdout.strip()
    server = started(tmp_path, {"auth": {"tokens_file": str(file)}})
    door = Door(server)
    assert door.post(b"", **bearer(first)).status == 200
    file.unlink()
    second = run_cli("token", "second", "--append", file, cwd=tmp_path).stdout.strip()
    wait_for(lambda: door.post(b"", **bearer(second)).status == 200)
    assert door.post(b"", **bearer(first)).status == 401
    settle(server)


def test_e06_a_required_header_is_asked_for_and_kept(tmp_path: Path) -> None:
    server = started(tmp_path, {}, require_headers=["X-Audit-Pipeline"])
    door, action = Door(server), fresh_action()
    answer = door.post(b"")
    assert answer.status == 403
    assert "x-audit-pipeline" in status_of(answer)[1]
    with door.sender() as sender:
        for form in ("grpc", "protobuf"):
            assert sender.send(span_request(action), form).code in (403, "PERMISSION_DENIED")
            reply = sender.send(span_request(action), form, {"X-Audit-Pipeline": "eu"})
            assert reply.acknowledged
    peers = [row["body"]["peer"]["headers"] for row in door.stored(action)]
    assert peers == [{"x-audit-pipeline": "eu"}] * 2
    settle(server)


def test_z12_nothing_of_a_stranger_is_read_or_inflated(
    guarded: tuple[Door, dict[str, str]],
) -> None:
    door, _ = guarded
    bomb = gzip.compress(bytes(400 * MIB), 1)
    before = door.server.memory_bytes("VmHWM")
    with door.wire() as wire:  # the body never comes
        wire.write(
            b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
        )
        assert wire.read().status == 401
    with door.sender() as sender:
        assert sender.call(METHOD["logs"], bytes(400 * MIB), True).code == "UNAUTHENTICATED"
    assert door.server.memory_bytes("VmHWM") - before < 40 * MIB


def test_h16_other_url_paths(tmp_path: Path) -> None:
    paths = {"logs_url_path": "/audit/logs", "traces_url_path": "/audit/traces"}
    protocols = {"http": paths, "grpc": {}}
    server = Server(tmp_path, {"receivers": {"otlp": {"protocols": protocols}}}).start()
    door, action = Door(server), fresh_action()
    body = log_request(action).SerializeToString()
    answer = door.post(body, "/v1/logs")
    assert answer.status == 404
    assert "/audit/logs" in status_of(answer)[1]
    assert door.post(body, "/audit/logs").status == 200
    assert door.post(b"", "/audit/traces/").status == 200
    assert len(door.stored(action)) == 1
    settle(server)


# ---- TLS ----------------------------------------------------------------------------------------


class Secure:
    """A receiver with TLS at both doors, and clients with or without a certificate."""

    def __init__(self, folder: Path, mutual: bool) -> None:
        self.authority = Authority(folder / "ca")
        self.pair = self.authority.issue("server")
        tls = {"cert_file": str(self.pair.cert), "key_file": str(self.pair.key)}
        if mutual:
            tls["client_ca_file"] = str(self.authority.cert)
        self.server = started(folder, {"tls": tls})
        self.door = Door(self.server)

    def http(self, body: bytes, own: Pair | None = None, authority: Authority | None = None) -> int:
        """One HTTPS export; its status."""
        context = ssl.create_default_context(cafile=str((authority or self.authority).cert))
        if own is not None:
            context.load_cert_chain(own.cert, own.key)
        connection = http.client.HTTPSConnection(self.server.http, timeout=10, context=context)
        try:
            connection.request("POST", "/v1/logs", body, {"Content-Type": PROTOBUF})
            return connection.getresponse().status
        finally:
            connection.close()

    def grpc(self, body: bytes, own: Pair | None = None, authority: Authority | None = None) -> str:
        """One gRPC export with TLS; its code."""
        pair = (own.key.read_bytes(), own.cert.read_bytes()) if own else (None, None)
        roots = (authority or self.authority).cert.read_bytes()
        options = [("grpc.use_local_subchannel_pool", 1)]
        credentials = grpc.ssl_channel_credentials(roots, *pair)
        with grpc.secure_channel(self.server.grpc, credentials, options) as channel:
            try:
                channel.unary_unary(METHOD["logs"])(body, timeout=5)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "OK"


def test_g12_e07_tls_is_served_and_plain_text_is_not(tmp_path: Path) -> None:
    secure, action = Secure(tmp_path, mutual=False), fresh_action()
    assert "(TLS)" in secure.server.stderr
    assert secure.http(log_request(action).SerializeToString()) == 200
    assert secure.grpc(log_request(action).SerializeToString()) == "OK"
    assert len(secure.door.stored(action)) == 2
    with secure.door.sender() as sender:
        assert sender.send(log_request(action), "grpc").code == "UNAVAILABLE"
        with pytest.raises((OSError, http.client.HTTPException)):
            sender.send(log_request(action), "protobuf")
    other = Authority(tmp_path / "other")
    with pytest.raises(ssl.SSLError):
        secure.http(b"", authority=other)
    settle(secure.server)


def test_e07_only_a_sender_with_a_certificate_of_the_authority_is_let_in(tmp_path: Path) -> None:
    secure, action = Secure(tmp_path, mutual=True), fresh_action()
    known = secure.authority.issue("payments", x509.UniformResourceIdentifier(SPIFFE))
    stranger = Authority(tmp_path / "other").issue("payments")
    for own in (None, stranger):
        with pytest.raises((OSError, http.client.HTTPException)):
            secure.http(log_request(action).SerializeToString(), own)
        assert secure.grpc(log_request(action).SerializeToString(), own) == "UNAVAILABLE"
    assert secure.http(log_request(action).SerializeToString(), known) == 200
    assert secure.grpc(log_request(action).SerializeToString(), known) == "OK"
    certificates = [row["body"]["peer"]["certificate"] for row in secure.door.stored(action)]
    assert len(certificates) == 2
    assert certificates[0] == certificates[1]
    assert certificates[0]["subject"] == "CN=payments"
    assert certificates[0]["names"] == [f"uri:{SPIFFE}"]
    settle(secure.server)


def test_g12_renewed_certificates_are_served_without_a_restart(tmp_path: Path) -> None:
    secure = Secure(tmp_path, mutual=False)
    assert secure.http(b"") == 200
    newer_authority = Authority(tmp_path / "newer")
    newer = newer_authority.issue("server")
    os.replace(newer.key, secure.pair.key)
    os.replace(newer.cert, secure.pair.cert)

    def renewed() -> bool:
        try:
            return secure.http(b"", authority=newer_authority) == 200
        except ssl.SSLError:
            return False

    wait_for(renewed)
    wait_for(lambda: secure.grpc(b"", authority=newer_authority) == "OK")
    settle(secure.server)


@pytest.mark.parametrize("broken", ["cert_file", "tokens_file"])
def test_files_that_are_missing_stop_the_start_with_words(tmp_path: Path, broken: str) -> None:
    none = str(tmp_path / "none")
    door = (
        {"tls": {"cert_file": none, "key_file": none}}
        if broken == "cert_file"
        else {"auth": {"tokens_file": none}}
    )
    protocols = {"http": door, "grpc": {}}
    server = Server(tmp_path, {"receivers": {"otlp": {"protocols": protocols}}}).launch()
    assert server.wait() == 2
    assert none in server.stderr
    assert "Traceback" not in server.stderr


# ---- other places -------------------------------------------------------------------------------


def test_g12_unix_sockets_and_several_endpoints(tmp_path: Path) -> None:
    short = Path(tempfile.mkdtemp(prefix="ar-"))  # pytest's folders are too long for a socket
    web, rpc = short / "h.sock", short / "g.sock"
    server = Server(tmp_path)
    protocols = {
        "http": {"endpoint": [server.http, f"unix:{web}"]},
        "grpc": {"endpoint": [server.grpc, f"unix:{rpc}"]},
    }
    server.config = merged(server.config, {"receivers": {"otlp": {"protocols": protocols}}})
    try:
        for again in (False, True):
            if again:  # over the sockets that a killed service left behind
                server.kill()
            server.start()
            action, door = fresh_action(), Door(server)
            assert stat.S_IMODE(web.stat().st_mode) == stat.S_IMODE(rpc.stat().st_mode) == 0o660
            body = log_request(action).SerializeToString()
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(web))
                connection.sendall(
                    b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body) + body
                )
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
            with grpc.insecure_channel(f"unix:{rpc}") as channel:
                channel.unary_unary(METHOD["logs"])(log_request(action).SerializeToString())
            assert door.post(log_request(action).SerializeToString(), "/v1/logs").status == 200
            assert len(door.stored(action)) == 3
        settle(server)
        assert not web.exists()
        assert not rpc.exists()
    finally:
        for path in (web, rpc):
            path.unlink(missing_ok=True)
        short.rmdir()


def test_g12_ipv6(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.http, server.grpc = (
        place.replace("127.0.0.1", "[::1]") for place in (server.http, server.grpc)
    )
    protocols = {"http": {"endpoint": server.http}, "grpc": {"endpoint": server.grpc}}
    server.config = merged(server.config, {"receivers": {"otlp": {"protocols": protocols}}})
    server.start()
    action = fresh_action()
    with server.sender() as sender:
        for form in ("protobuf", "grpc"):
            assert sender.send(log_request(action), form).acknowledged
    assert len(rows(server.ledger, "SELECT 1 FROM audit_logs WHERE action = ?", (action,))) == 2
    settle(server)


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again and again, for ten seconds."""
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.1)
