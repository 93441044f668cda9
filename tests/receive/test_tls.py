"""TLS at both doors, with certificates of the tests' own (receive/tls.py)."""

import asyncio
import shutil
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from audit_receiver.errors import ConfigError
from audit_receiver.receive import tls
from audit_receiver.receive.tls import Files, certificate
from tests.kit.authority import Authority, Pair

SPIFFE = "spiffe://example.org/payments"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def test_what_is_recorded_of_a_certificate(authority: Authority) -> None:
    pair = authority.issue("client", x509.UniformResourceIdentifier(SPIFFE), x509.DNSName("a.b"))
    pem = pair.cert.read_bytes()
    subject, names, digest = certificate(pem)
    assert subject == "CN=client"
    assert names == (f"uri:{SPIFFE}", "dns:a.b")
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert certificate(der) == (subject, names, digest)
    assert len(digest) == 64


@pytest.mark.parametrize("broken", ["missing", "other-key", "no-pem", "swapped"])
def test_files_that_cannot_be_used_stop_the_start(authority: Authority, broken: str) -> None:
    good, other = authority.issue("good"), authority.issue("other")
    files = {
        "missing": Files(good.cert.with_name("none.pem"), good.key),
        "other-key": Files(good.cert, other.key),
        "no-pem": Files(Path(__file__), good.key),
        "swapped": Files(good.key, good.cert),
    }[broken]
    with pytest.raises(ConfigError, match="belong together"):
        tls.Renewing(files)


def test_renewed_files_are_taken_and_broken_ones_are_not(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.0)
    pair, newer = authority.issue("server"), authority.issue("newer")
    renewing = tls.Renewing(Files(pair.cert, pair.key))
    before = renewing.context
    assert not renewing.renewed()
    shutil.copy(newer.cert, pair.cert)  # half of the renewal
    assert not renewing.renewed()
    assert renewing.context is before
    shutil.copy(newer.key, pair.key)
    assert renewing.renewed()
    assert renewing.context is not before


async def served_certificate(context: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Handshake over a real socket; the certificate that the server shows."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.write(b"x")
        assert await reader.read() == b"x"
        writer.close()
    return shown


async def test_a_renewed_certificate_and_authority_are_served_without_a_restart(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.0)
    pair, client = authority.issue("server"), authority.issue("client")
    trusted = tmp_path / "clients.pem"
    shutil.copy(authority.cert, trusted)
    context = tls.for_http(Files(pair.cert, pair.key, trusted))
    first = await served_certificate(context, trusting(authority, client))
    other = Authority(tmp_path / "other", "other authority")
    newer = other.issue("server")
    for old, new in ((pair.cert, newer.cert), (pair.key, newer.key), (trusted, other.cert)):
        shutil.copy(new, old)
    second = await served_certificate(context, trusting(other, other.issue("client")))
    assert certificate(first)[2] != certificate(second)[2]
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        await served_certificate(context, trusting(other, client))  # of the old authority


def trusting(authority: Authority, own: Pair | None = None) -> ssl.SSLContext:
    """A client's context."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    return context


async def test_tls_1_2_is_refused_where_1_3_is_asked_for(authority: Authority) -> None:
    pair = authority.issue("server")
    context = tls.for_http(Files(pair.cert, pair.key, min_version="1.3"))
    old = trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await served_certificate(context, old)
    await served_certificate(context, trusting(authority))


async def test_grpc_serves_renewed_certificates(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.0)
    pair = authority.issue("server")
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", tls.for_grpc(Files(pair.cert, pair.key)))
    await server.start()
    try:
        await ready(port, authority)
        other = Authority(tmp_path / "other", "other authority")
        newer = other.issue("server")
        shutil.copy(newer.cert, pair.cert)
        shutil.copy(newer.key, pair.key)
        await ready(port, other)
    finally:
        await server.stop(0)


async def ready(port: int, authority: Authority, own: Pair | None = None) -> Any:
    """Connect with TLS; fails if there is no connection within some seconds."""
    pair = (own.key.read_bytes(), own.cert.read_bytes()) if own else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.cert.read_bytes(), *pair)
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        await asyncio.wait_for(channel.channel_ready(), 5)
