"""One export request to an OTLP endpoint, over HTTP or gRPC, directly and once."""

import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import grpc

from audit_receiver.errors import AuditReceiverError

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]
_MOST_SAID = 300


class NotSent(AuditReceiverError):
    """The endpoint did not take the request."""


class Endpoint(NamedTuple):
    """Where to send: scheme, host:port, path, and how."""

    scheme: str
    address: str
    path: str
    transport: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}{self.path} over {self.transport}"


def endpoint(text: str, transport: str | None, signal: str) -> Endpoint:
    """Read HOST:PORT or a URL; without `transport` port 4317 is gRPC. Raises ValueError."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text} is no endpoint; write HOST:PORT or http://HOST:PORT")
    transport = transport or ("grpc" if parts.port == 4317 else "http")
    port = parts.port or (4317 if transport == "grpc" else 4318)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if transport == "grpc":
        return Endpoint(parts.scheme, f"{host}:{port}", "", transport)
    path = parts.path.rstrip("/")
    if not path.endswith(f"/v1/{signal}"):
        path += f"/v1/{signal}"
    return Endpoint(parts.scheme, f"{host}:{port}", path, transport)


def send(
    to: Endpoint,
    message: Any,
    signal: str,
    headers: dict[str, str],
    authority: Path | None,
    timeout_seconds: float,
) -> None:
    """Send once; returns when the endpoint says that it has it. Raises NotSent."""
    body = message.SerializeToString()
    roots = authority.read_bytes() if authority else None
    if to.transport == "grpc":
        _grpc(to, body, signal, headers, roots, timeout_seconds)
    else:
        _http(to, body, headers, roots, timeout_seconds)


def _http(
    to: Endpoint, body: bytes, headers: dict[str, str], roots: bytes | None, timeout: float
) -> None:
    request = urllib.request.Request(
        f"{to.scheme}://{to.address}{to.path}",
        data=body,
        headers={"Content-Type": "application/x-protobuf", **headers},
        method="POST",
    )
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if to.scheme == "https":
        context = ssl.create_default_context(cadata=roots.decode() if roots else None)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            response.read()
    except urllib.error.HTTPError as exc:
        said = exc.read(_MOST_SAID).decode("utf-8", "replace").strip()
        raise NotSent(f"{to}: answered {exc.code} {exc.reason} {said}".rstrip()) from exc
    except (OSError, HTTPException) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise NotSent(f"{to}: cannot be reached: {reason}") from exc


def _grpc(
    to: Endpoint,
    body: bytes,
    signal: str,
    headers: dict[str, str],
    roots: bytes | None,
    timeout: float,
) -> None:
    secure = to.scheme == "https"
    channel = (
        grpc.secure_channel(to.address, grpc.ssl_channel_credentials(roots), _OPTIONS)
        if secure
        else grpc.insecure_channel(to.address, _OPTIONS)
    )
    with channel:
        call = channel.unary_unary(_METHODS[signal])
        metadata = tuple((name.lower(), said) for name, said in headers.items())
        try:
            call(body, timeout=timeout, metadata=metadata)
        except grpc.RpcError as exc:
            said = f"{exc.code().name} {exc.details()}"[:_MOST_SAID]
            raise NotSent(f"{to}: {said}") from exc
