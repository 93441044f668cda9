"""The same payload by every door: gRPC, HTTP protobuf, HTTP JSON, each plain and gzip.

Messages are those of the real `opentelemetry-proto` package (`kit.build` makes them), so what is
sent never passes through the code under test.
"""

import base64
import gzip
import http.client
from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

from audit_receiver.v1.receipt_pb2 import Receipt
from tests.kit import build

FORMS = ("grpc", "grpc+gzip", "protobuf", "protobuf+gzip", "json", "json+gzip")

METHOD = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_GRPC_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a restarted server is dialled anew, at once
]


class Reply(NamedTuple):
    """What a sender got back. `code` is the HTTP status or the gRPC code's name."""

    code: int | str
    body: bytes
    headers: dict[str, str]  # HTTP headers, or gRPC trailing metadata that is text
    binary: dict[str, bytes]  # gRPC trailing metadata that is bytes
    receipt: Receipt | None
    detail: str = ""

    @property
    def acknowledged(self) -> bool:
        """True if the sender may forget the records."""
        return self.code in (200, "OK")


def encoded(message: Message, form: str) -> tuple[bytes, dict[str, str]]:
    """Body and HTTP headers of one export in `form` (for gRPC the message's bytes alone)."""
    json_form = form.startswith("json")
    body = build.json_bytes(message) if json_form else message.SerializeToString()
    headers = {"Content-Type": "application/json" if json_form else "application/x-protobuf"}
    if form.endswith("+gzip") and not form.startswith("grpc"):
        body = gzip.compress(body, 6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return body, headers


class Sender:
    """Keeps one HTTP connection and one gRPC channel to a receiver; one thread may use it."""

    def __init__(self, http_endpoint: str, grpc_endpoint: str, timeout_seconds: float = 30) -> None:
        self._timeout = timeout_seconds
        self._http = http.client.HTTPConnection(http_endpoint, timeout=timeout_seconds)
        self._channel = grpc.insecure_channel(grpc_endpoint, options=_GRPC_OPTIONS)

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both connections."""
        self._http.close()
        self._channel.close()

    def send(self, message: Message, form: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Export `message` in `form`, one of FORMS. Broken HTTP raises OSError or HTTPException."""
        body, fields = encoded(message, form)
        if form.startswith("grpc"):
            return self.call(
                METHOD[build.signal_of(message)], body, form.endswith("+gzip"), headers
            )
        path = "/v1/" + build.signal_of(message)
        return self.post(path, body, {**fields, **(headers or {})})

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> Reply:
        """One HTTP request over the kept connection, which is dialled anew after trouble."""
        try:
            self._http.request(method, path, body, dict(headers))
            response = self._http.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            raise
        fields = {name.lower(): value for name, value in response.getheaders()}
        receipt = fields.get("audit-receipt")
        return Reply(
            response.status,
            answer,
            fields,
            {},
            Receipt.FromString(base64.b64decode(receipt, validate=True)) if receipt else None,
        )

    def call(
        self, method: str, body: bytes, gzipped: bool, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One gRPC call over raw bytes; failures come back as a Reply too."""
        export = self._channel.unary_unary(method, _identity, _identity)
        metadata = tuple((name.lower(), value) for name, value in (headers or {}).items())
        compression = grpc.Compression.Gzip if gzipped else grpc.Compression.NoCompression
        try:
            answer, call = export.with_call(
                body, timeout=self._timeout, metadata=metadata, compression=compression
            )
        except grpc.RpcError as error:
            return _grpc_reply(error, b"")
        return _grpc_reply(call, answer)


def _identity(data: bytes) -> bytes:
    return data


def _grpc_reply(call: Any, body: bytes) -> Reply:
    trailers = list(call.trailing_metadata() or ())
    binary = {item.key: item.value for item in trailers if item.key.endswith("-bin")}
    text = {item.key: item.value for item in trailers if not item.key.endswith("-bin")}
    receipt = binary.get("audit-receipt-bin")
    return Reply(
        call.code().name,
        body,
        text,
        binary,
        Receipt.FromString(receipt) if receipt else None,  # grpcio undoes the base64 of `-bin`
        call.details() or "",
    )
