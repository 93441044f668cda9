"""Media types, gzip and the opening of a body."""

import gzip

import pytest

from audit_receiver.errors import (
    RequestTooLarge,
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


def test_the_limit_itself_is_allowed_and_one_byte_more_is_not() -> None:  # Z08
    assert codec.inflate(bytes(1000), None, LIMITS) == bytes(1000)
    assert codec.inflate(gzip.compress(bytes(1000)), "gzip", LIMITS) == bytes(1000)
    with pytest.raises(RequestTooLarge, match="limit of 1000 bytes"):
        codec.inflate(bytes(1001), None, LIMITS)
    with pytest.raises(RequestTooLarge, match="inflated"):
        codec.inflate(gzip.compress(bytes(1001)), "gzip", LIMITS)


def test_both_media_decode_to_the_same_request() -> None:
    message = build.request(build.span(), build.span("other"), schema_url="https://example.org/1")
    limits = codec.Limits(1 << 20, 100)

    protobuf = codec.decode("traces", message.SerializeToString(), "protobuf", limits)
    json = codec.decode("traces", build.json_bytes(message), "json", limits)

    assert protobuf == json
    assert [len(s.items) for g in protobuf.groups for s in g.scopes] == [2]
