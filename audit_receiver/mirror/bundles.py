"""What the bundles hold, as bytes: headers (C2SP tlog-tiles), bodies and heads (our own).

entries: for each entry a big-endian uint16 length and the header.
bodies: gzip of, for each entry, a big-endian uint32 length and the body; 0xFFFFFFFF and nothing
    where there is no body.
heads: a line for each head, its size in decimal, a space, its signature in base64.
"""

import base64
import gzip
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from audit_receiver.errors import AuditReceiverError
from audit_receiver.tlog.note import NoteError, decode_base64

HASH_BYTES = 32
MOST_BODIES_BYTES = 1 << 30  # of one bundle, unfolded
_NONE = 0xFFFFFFFF
_GZIP_LEVEL = 6


class BundleError(AuditReceiverError):
    """An object of a mirror is not in its one form."""


class SignedHead(NamedTuple):
    """A head whose root is that of the tree, and whose epoch follows from its size."""

    size: int
    signature: bytes


def encode_entries(headers: Iterable[bytes]) -> bytes:
    """A bundle of headers."""
    return b"".join(len(header).to_bytes(2, "big") + header for header in headers)


def decode_entries(data: bytes, width: int) -> Sequence[bytes]:
    """The headers of a bundle of so many. Raises BundleError."""
    headers: list[bytes] = []
    at = 0
    for _ in range(width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise BundleError(f"a bundle of {width} entries ends inside entry {len(headers)}")
        headers.append(data[start:at])
    if at != len(data):
        raise BundleError(f"a bundle of {width} entries has {len(data) - at} bytes behind them")
    return headers


def encode_bodies(bodies: Iterable[str | None]) -> bytes:
    """A bundle of bodies; the same bodies give the same bytes."""
    parts = []
    for body in bodies:
        if body is None:
            parts.append(_NONE.to_bytes(4, "big"))
        else:
            raw = body.encode()
            parts += [len(raw).to_bytes(4, "big"), raw]
    return gzip.compress(b"".join(parts), _GZIP_LEVEL, mtime=0)


def decode_bodies(data: bytes, width: int) -> Sequence[str | None]:
    """The bodies of a bundle of so many. Raises BundleError."""
    plain = _unfolded(data)
    bodies: list[str | None] = []
    at = 0
    for _ in range(width):
        length = int.from_bytes(plain[at : at + 4], "big")
        start = at + 4
        at = start if length == _NONE else start + length
        if start > len(plain) or at > len(plain):
            raise BundleError(f"a bundle of {width} bodies ends inside body {len(bodies)}")
        try:
            bodies.append(None if length == _NONE else plain[start:at].decode())
        except UnicodeDecodeError as exc:
            raise BundleError(f"body {len(bodies)} of a bundle is not UTF-8") from exc
    if at != len(plain):
        raise BundleError(f"a bundle of {width} bodies has {len(plain) - at} bytes behind them")
    return bodies


def encode_heads(heads: Iterable[SignedHead]) -> bytes:
    """A bundle of heads, smallest first."""
    return "".join(
        f"{head.size} {base64.b64encode(head.signature).decode()}\n" for head in heads
    ).encode()


def decode_heads(data: bytes, first: int, end: int) -> Sequence[SignedHead]:
    """The heads of sizes first + 1 to end. Raises BundleError."""
    heads: list[SignedHead] = []
    before = first
    for line in data.split(b"\n")[:-1] if data else ():
        size, _, signature = line.decode("ascii", "replace").partition(" ")
        try:
            head = SignedHead(int(size), decode_base64(signature))
        except (ValueError, NoteError) as exc:
            raise BundleError(f"{line[:60]!r} is no head") from exc
        if not before < head.size <= end or len(head.signature) != 64 or str(head.size) != size:
            raise BundleError(f"{line[:60]!r} is no head of the sizes {before + 1} to {end}")
        before = head.size
        heads.append(head)
    if data and not data.endswith(b"\n"):
        raise BundleError("a bundle of heads does not end in a line")
    return heads


def decode_tile(data: bytes, width: int) -> Sequence[bytes]:
    """The hashes of a tile. Raises BundleError."""
    if len(data) != width * HASH_BYTES:
        raise BundleError(f"a tile of {width} hashes has {len(data)} bytes")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def _unfolded(data: bytes) -> bytes:
    unfolding = zlib.decompressobj(31)
    try:
        plain = unfolding.decompress(data, MOST_BODIES_BYTES)
    except zlib.error as exc:
        raise BundleError(f"a bundle of bodies is not gzip: {exc}") from exc
    if not unfolding.eof or unfolding.unused_data:
        raise BundleError("a bundle of bodies is cut off, too large, or has something behind it")
    return plain
