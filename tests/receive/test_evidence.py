"""What is kept of a request that cannot be decoded, where secrets must not be."""

import gzip
import zlib

import pytest

from audit_receiver.receive.evidence import EVIDENCE_BYTES, head
from audit_receiver.record.redact import Matcher

SECRET = b'{"key": "user.password", "value": "hunter2"}' + bytes(range(256)) * 8
HARMLESS = b"not a request at all " + bytes(range(256)) * 8


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


PACKED = {
    None: bytes,
    "identity": bytes,
    "GZIP": gzip.compress,
    "zlib": zlib.compress,
    "deflate": zlib.compress,
    "deflate ": raw,
}


@pytest.mark.parametrize("coding", PACKED, ids=str)
@pytest.mark.parametrize("cut", [None, 300], ids=["whole", "cut off"])
def test_the_beginning_is_kept_unless_it_says_a_secret(coding: str | None, cut: int | None) -> None:
    secret, harmless = PACKED[coding](SECRET)[:cut], PACKED[coding](HARMLESS)[:cut]
    assert head(secret, coding, Matcher()) is None
    assert head(harmless, coding, Matcher()) == harmless[:EVIDENCE_BYTES]
    assert head(secret, coding, None) == secret[:EVIDENCE_BYTES], "without rules"


@pytest.mark.parametrize("coding", ["zstd", "snappy", "lz4", "br"])
def test_what_cannot_be_looked_into_is_left_out(coding: str) -> None:
    assert head(HARMLESS, coding, Matcher()) is None
    assert head(HARMLESS, coding, None) == HARMLESS[:EVIDENCE_BYTES]


def test_what_unfolds_is_left_out() -> None:
    assert head(gzip.compress(bytes(1 << 22)), "gzip", Matcher()) is None


def test_what_only_says_that_it_is_packed_says_what_it_says() -> None:
    assert head(b"no gzip, no more", "gzip", Matcher()) == b"no gzip, no more"
    assert head(b"no gzip, api-key: x", "gzip", Matcher()) is None
