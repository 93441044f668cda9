"""Media types, gzip and the opening of a body."""

import gzip
import time
import zlib

import pytest

from audit_receiver.errors import (
    MalformedRequest,
    RequestTooLarge,
    UnsupportedEncoding,
    UnsupportedMediaType,
)
from audit_receiver.otlp import codec
from tests.kit import build

LIMITS = codec.Limits(max_bytes=1000, items=100)


@pytest.mark.parametrize(
    ("header", "media"),
    [
        ("application/x-protobuf", "protobuf"),
        ("application/json", "json"),
        ("application/json; charset=utf-8", "json"),
        ("APPLICATION/JSON", "json"),
        ("application/x-protobuf;x=1", "protobuf"),
        (" application/json ;", "json"),
    ],
)
def test_media_type(header: str, media: str) -> None:  # checklist H01, H02, H04
    assert codec.media_type(header) == media


@pytest.mark.parametrize("header", [None, "", "text/plain", "invalid", "application/protobuf"])
def test_another_media_type_is_refused_and_both_are_named(header: str | None) -> None:  # H05
    with pytest.raises(UnsupportedMediaType) as refused:
        codec.media_type(header)

    assert "application/json" in str(refused.value)
    assert "application/x-protobuf" in str(refused.value)


@pytest.mark.parametrize("coding", [None, "", "identity", "Identity", " "])
def test_no_coding_leaves_the_body_as_it_is(coding: str | None) -> None:
    assert codec.inflate(b"body", coding, LIMITS) == b"body"


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", " gzip "])
def test_gzip_by_all_its_names(coding: str) -> None:  # Z01, Z02
    assert codec.inflate(gzip.compress(b"body"), coding, LIMITS) == b"body"


def test_gzip_of_several_members() -> None:
    body = gzip.compress(b"one,") + gzip.compress(b"") + gzip.compress(b"two")

    assert codec.inflate(body, "gzip", LIMITS) == b"one,two"


def test_gzip_larger_than_every_step() -> None:
    data = bytes(range(256)) * 20_000
    limits = codec.Limits(len(data), 100)

    assert codec.inflate(gzip.compress(data, 1), "gzip", limits) == data
    stored = gzip.compress(data, 0)  # larger than the data: the wire limit counts too
    with pytest.raises(RequestTooLarge):
        codec.inflate(stored, "gzip", limits)


@pytest.mark.parametrize("coding", ["foo", "gzip, gzip", "deflate", "zstd", "br", "gzipp"])
def test_another_coding_is_refused_by_name(coding: str) -> None:  # Z06
    with pytest.raises(UnsupportedEncoding) as refused:
        codec.inflate(b"", coding, LIMITS)

    assert repr(coding) in str(refused.value)


_WHOLE = gzip.compress(b"a body that is long enough to be cut")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not gzip at all",
        zlib.compress(b"zlib, not gzip"),
        _WHOLE[:1],
        _WHOLE[:10],
        _WHOLE[:20],
        _WHOLE[:-8],
        _WHOLE[:-1],
        _WHOLE[:-8] + bytes(8),
        _WHOLE[:-4] + bytes(4),
        _WHOLE + b"trailing",
        _WHOLE + bytes(20),
        _WHOLE + _WHOLE[:-3],
    ],
    ids=[
        "empty", "other bytes", "zlib", "one byte", "header", "cut in the data", "no trailer",
        "cut in the trailer", "wrong checksum", "wrong length", "text after it", "zeros after it",
        "second member cut",
    ],
)  # fmt: skip
def test_broken_gzip_is_refused_as_gzip(body: bytes) -> None:  # Z07
    with pytest.raises(MalformedRequest, match="gzip"):
        codec.inflate(body, "gzip", LIMITS)


@pytest.mark.parametrize("cut", range(len(_WHOLE)))
def test_gzip_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(MalformedRequest, match="gzip"):
        codec.inflate(_WHOLE[:cut], "gzip", LIMITS)


def test_the_limit_itself_is_allowed_and_one_byte_more_is_not() -> None:  # Z08
    assert codec.inflate(bytes(1000), None, LIMITS) == bytes(1000)
    assert codec.inflate(gzip.compress(bytes(1000)), "gzip", LIMITS) == bytes(1000)
    with pytest.raises(RequestTooLarge, match="limit of 1000 bytes"):
        codec.inflate(bytes(1001), None, LIMITS)
    with pytest.raises(RequestTooLarge, match="inflated"):
        codec.inflate(gzip.compress(bytes(1001)), "gzip", LIMITS)


def test_a_bomb_stops_at_the_limit() -> None:  # Z09
    block = gzip.compress(bytes(1 << 24))
    bomb = block * 16  # 256 MiB out of 256 KiB
    began = time.perf_counter()

    with pytest.raises(RequestTooLarge):
        codec.inflate(bomb, "gzip", codec.Limits(1 << 24, 100))

    assert time.perf_counter() - began < 1


def test_a_body_of_countless_members_is_refused_fast() -> None:
    body = gzip.compress(b"") * 300_000
    began = time.perf_counter()

    with pytest.raises(RequestTooLarge, match="members"):
        codec.inflate(body, "gzip", codec.Limits(1 << 26, 100))

    assert time.perf_counter() - began < 2


def test_both_media_decode_to_the_same_request() -> None:
    message = build.request(build.span(), build.span("other"), schema_url="https://example.org/1")
    limits = codec.Limits(1 << 20, 100)

    protobuf = codec.decode("traces", message.SerializeToString(), "protobuf", limits)
    json = codec.decode("traces", build.json_bytes(message), "json", limits)

    assert protobuf == json
    assert [len(s.items) for g in protobuf.groups for s in g.scopes] == [2]
