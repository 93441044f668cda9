"""Which records are one and the same (DESIGN 3.7)."""

from functools import lru_cache
from hashlib import sha3_256, sha256
from typing import Any

import orjson

from audit_receiver.record import canonical

# What the sender said. `audit` and `subject` derive from it under the configuration, which may
# change between a send and a resend; salts, peer and duplicate_of are ours.
CONTENT = ("attributes", "attributes_raw", "kind", "otlp", "resource", "scope")


def of_record(service: str, record_id: str) -> bytes:
    """The identity of a record that names itself."""
    return canonical.encode_strings(["record", service, record_id])


def of_span(service: str, trace_id: str, span_id: str) -> bytes:
    """The identity of a span with two valid ids."""
    return _of_spans(service) + trace_id.encode() + b'","' + span_id.encode() + b'"]'


@lru_cache(1024)
def _of_spans(service: str) -> bytes:
    """The identity of a service's spans up to the ids, which are hex digits and need no escape."""
    return canonical.encode_strings(["span", service, ""])[:-2]


def of_content(content_text: bytes) -> bytes:
    """The identity of a record without one of its own: the digest of what it says."""
    return canonical.encode(["content", sha3_256(content_text).hexdigest()])


def tag(dedup_key: bytes, identity: bytes) -> str:
    """The header's `id`: the first 8 bytes of HMAC-SHA-256 over the identity, 16 hex digits."""
    begun, ending = _hmac(dedup_key)
    inner, outer = begun.copy(), ending.copy()
    inner.update(identity)
    outer.update(inner.digest())
    digest: str = outer.hexdigest()
    return digest[:16]


@lru_cache(8)
def _hmac(key: bytes) -> tuple[Any, Any]:
    """HMAC-SHA-256 (RFC 2104) with its key already taken in: the inner and the outer hash.

    The library's one-shot HMAC lets go of the interpreter at each call. The writer would then wait
    for it, record by record, while the doors are busy: measured, half of its speed.
    """
    block = (sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    return (
        sha256(bytes(byte ^ 0x36 for byte in block)),
        sha256(bytes(byte ^ 0x5C for byte in block)),
    )


def content(body: dict[str, Any]) -> bytes:
    """The canonical text of what the sender said; `audit` and `log` are two ways of one record."""
    said = {name: body[name] for name in CONTENT if name in body}
    if said["kind"] == "audit":
        said["kind"] = "log"
    return canonical.encode(said)


def same_content(one: str, other: str) -> bool:
    """Whether two bodies say the same, whoever sent them and whenever."""
    return content(orjson.loads(one)) == content(orjson.loads(other))
