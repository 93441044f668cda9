"""What several tests of this room need: walks, and protobuf fields written by hand."""

from typing import Any

from audit_receiver.otlp import codec, walk
from audit_receiver.otlp.walk import Walk
from audit_receiver.otlp.wire import encode_varint
from audit_receiver.record.select import Rule
from tests.kit import build

LIMITS = codec.Limits(1 << 24, 1000)
PLAIN = {"http.request.method": "GET", "url.path": "/"}


def field(number: int, data: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return encode_varint(number << 3 | 2) + encode_varint(len(data)) + data


def walked(data: Any, signal: Any = None, rule: Rule | None = None) -> Walk:
    """A walk over a message, or over protobuf bytes."""
    if not isinstance(data, bytes):
        signal, data = build.signal_of(data), data.SerializeToString()
    request = codec.decode(signal, data, "protobuf", LIMITS)
    return walk.walk(signal, request, rule or Rule())


def one(item: Any, **shared: Any) -> Any:
    """The observation of one item."""
    (observation,) = walked(build.request(item, **shared)).observations
    return observation


def raw_log(data: bytes) -> Any:
    """The observation of a log record in protobuf bytes, made audit by an attribute."""
    record = data + field(6, field(1, b"audit.x") + b"\x12\x00")
    (observation,) = walked(field(1, field(2, field(2, record))), "logs").observations
    return observation
