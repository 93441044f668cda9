"""Senders reduced to bytes on sockets, so that the load costs little beside what it measures.

Each client keeps one connection and one request in flight, as an exporter does. HTTP/1.1 and the
few HTTP/2 frames that a unary gRPC call needs are written out by hand: a Python gRPC client would
cost as much as the server. HEADER_TABLE_SIZE 0 makes the server spell out every trailer
(RFC 7541, 4.2).
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any

PATH = "/v1/traces"
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class HttpClient(asyncio.Protocol):
    """One keep-alive connection of OTLP/HTTP protobuf; calls `answered(self, code)` each time."""

    def __init__(self, endpoint: str, answered: Callable[["HttpClient", str], None]) -> None:
        self.sent_at = 0.0
        self._answered = answered
        self._head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {endpoint}\r\n"
            "Content-Type: application/x-protobuf\r\nContent-Length: "
        ).encode()
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._transport.is_closing() or exc is not None:
            self._answered(self, "closed")

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def send(self, body: bytes) -> None:
        """Send one request; the answer comes to `answered`."""
        self._transport.write(b"".join((self._head, b"%d\r\n\r\n" % len(body), body)))

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        end = received.find(b"\r\n\r\n")
        if end >= 0:
            at = received.lower().find(b"content-length:", 0, end)
            length = int(received[at + 15 : received.index(b"\r", at)]) if at >= 0 else 0
            if len(received) >= end + 4 + length:
                self._received = b""
                self._answered(self, received[9:12].decode())
                return
        self._received = received


# HTTP/2 (RFC 9113): frame types and flags that occur.
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_LARGE = 0x7FFFFFFF


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _field(name: bytes, value: str) -> bytes:
    return name + bytes((len(value),)) + value.encode()  # literal, not indexed, no Huffman code


class GrpcClient(asyncio.Protocol):
    """One HTTP/2 connection of unary gRPC calls; calls `answered(self, code)` each time."""

    def __init__(self, endpoint: str, answered: Callable[["GrpcClient", str], None]) -> None:
        self.sent_at = 0.0
        self._answered = answered
        self._headers = b"".join(
            (
                b"\x83\x86",  # :method POST, :scheme http
                _field(b"\x04", METHOD),  # :path
                _field(b"\x01", endpoint),  # :authority
                _field(b"\x0f\x10", "application/grpc"),  # content-type
                _field(b"\x00\x02te", "trailers"),
            )
        )
        self._received = bytearray()
        self._stream = -1
        self._pending = memoryview(b"")
        self._window, self._stream_window, self._initial_window = 65_535, 65_535, 65_535
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        settings = struct.pack(">HIHIHI", 0x1, 0, 0x2, 0, 0x4, _LARGE)
        self._transport.write(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, settings)
            + _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _LARGE - 65_535))
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._transport.is_closing() or exc is not None:
            self._answered(self, "closed")

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def send(self, body: bytes) -> None:
        """Start one call; its status comes to `answered`."""
        self._stream += 2
        self._stream_window = self._initial_window
        self._pending = memoryview(b"\x00" + struct.pack(">I", len(body)) + body)
        self._push(_frame(_HEADERS, _END_HEADERS, self._stream, self._headers))

    def _push(self, out: bytes = b"") -> None:
        """Send as much of the message as the two windows let through."""
        frames = [out]
        while self._pending:
            size = min(len(self._pending), self._window, self._stream_window, 16_384)
            if size <= 0:
                break
            last = _END_STREAM if size == len(self._pending) else 0
            frames.append(_frame(_DATA, last, self._stream, bytes(self._pending[:size])))
            self._pending = self._pending[size:]
            self._window -= size
            self._stream_window -= size
        self._transport.write(b"".join(frames))

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        at = 0
        while len(received) - at >= 9:
            length = int.from_bytes(received[at : at + 3], "big")
            if len(received) - at < 9 + length:
                break
            kind, flags = received[at + 3], received[at + 4]
            stream = int.from_bytes(received[at + 5 : at + 9], "big") & _LARGE
            payload = bytes(received[at + 9 : at + 9 + length])
            at += 9 + length
            self._handle(kind, flags, stream, payload)
        del received[:at]

    def _handle(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _HEADERS:
            if flags & _END_STREAM:
                at = payload.find(b"grpc-status")
                size = payload[at + 11]
                self._answered(self, payload[at + 12 : at + 12 + size].decode())
        elif kind == _WINDOW_UPDATE:
            step = int.from_bytes(payload, "big")
            if stream == 0:
                self._window += step
            elif stream == self._stream:
                self._stream_window += step
            if self._pending:
                self._push()
        elif kind == _SETTINGS and not flags & _ACK:
            for key, value in struct.iter_unpack(">HI", payload):
                if key == 0x4:
                    self._stream_window += value - self._initial_window
                    self._initial_window = value
            self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind in (_RST_STREAM, _GOAWAY):
            self._answered(self, f"frame {kind}")
