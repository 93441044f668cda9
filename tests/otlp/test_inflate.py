"""Content codings undone (checklist Z): every coding, every way to be broken, every bomb."""

import gzip
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import lz4.frame
import pytest
import snappy
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_receiver.errors import MalformedRequest, RequestTooLarge, UnsupportedEncoding
from audit_receiver.otlp.inflate import CODINGS, inflate

MIB = 1 << 20
LIMIT = 1000
TEXT = b"a body that is long enough to be cut, " * 3


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def snappy_framed(data: bytes) -> bytes:
    packed: bytes = snappy.StreamCompressor().compress(data)
    return packed or b"\xff\x06\0\0sNaPpY"


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    "snappy": snappy.compress,
    "x-snappy-framed": snappy_framed,
    "lz4": lambda data: lz4.frame.compress(data, content_checksum=True),
}
FRAMED = [name for name in PACK if name != "snappy"]  # what can stand there several times


def test_there_is_an_encoder_for_every_coding() -> None:
    assert tuple(PACK) == CODINGS


@pytest.mark.parametrize("coding", PACK)
def test_every_coding_comes_back(coding: str) -> None:  # Z01, Z03, Z04, Z05
    for data in (b"", b"x", TEXT, random.Random(1).randbytes(3 * MIB) + bytes(2 * MIB)):
        assert inflate(PACK[coding](data), coding, 8 * MIB) == data


@pytest.mark.parametrize("coding", ["GZIP", "x-gzip", " gzip ", "X-GZip"])
def test_gzip_by_all_its_names(coding: str) -> None:  # Z02
    assert inflate(gzip.compress(TEXT), coding, LIMIT) == TEXT


def test_deflate_without_the_zlib_part() -> None:
    assert inflate(raw_deflate(TEXT), "deflate", LIMIT) == TEXT


def test_framed_data_may_be_called_snappy() -> None:  # Z05
    assert inflate(snappy_framed(TEXT), "snappy", LIMIT) == TEXT


@pytest.mark.parametrize("coding", FRAMED)
def test_several_frames_are_one_body(coding: str) -> None:
    body = PACK[coding](b"one,") + PACK[coding](b"") + PACK[coding](b"two")
    assert inflate(body, coding, LIMIT) == b"one,two"


@pytest.mark.parametrize("coding", ["foo", "gzip, gzip", "br", "gzipp", "x-zstd", "zstd, gzip"])
def test_another_coding_is_refused_by_name_naming_those_served(coding: str) -> None:  # Z06
    with pytest.raises(UnsupportedEncoding) as refused:
        inflate(b"", coding, LIMIT)
    assert repr(coding) in str(refused.value)
    assert ", ".join(CODINGS) in str(refused.value)


@pytest.mark.parametrize("coding", PACK)
def test_a_body_cut_anywhere_is_refused(coding: str) -> None:  # Z07
    whole = PACK[coding](TEXT)
    ends = {0, 10} if coding == "x-snappy-framed" else set()  # the identifier alone is a stream
    for cut in range(len(whole)):
        if cut in ends and cut:
            continue
        with pytest.raises(MalformedRequest, match=coding):
            inflate(whole[:cut], coding, LIMIT)


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize(
    "body", [b"not packed at all", b"\0" * 40, b"\xff" * 40], ids=["text", "zeros", "ones"]
)
def test_other_bytes_are_refused(coding: str, body: bytes) -> None:
    with pytest.raises(MalformedRequest, match=coding):
        inflate(body, coding, LIMIT)


@pytest.mark.parametrize("coding", FRAMED)
def test_what_follows_a_frame_has_to_be_one(coding: str) -> None:
    with pytest.raises(MalformedRequest, match=coding):
        inflate(PACK[coding](TEXT) + b"trailing", coding, LIMIT)


@pytest.mark.parametrize("coding", ["gzip", "zlib", "zstd", "x-snappy-framed", "lz4"])
def test_a_checksum_that_is_wrong_is_refused(coding: str) -> None:
    body = bytearray(PACK[coding](TEXT))
    place = 15 if coding == "x-snappy-framed" else len(body) - (6 if coding == "gzip" else 2)
    body[place] ^= 1
    with pytest.raises(MalformedRequest, match=coding):
        inflate(bytes(body), coding, LIMIT)


@pytest.mark.parametrize("coding", PACK)
def test_the_limit_itself_is_allowed_and_one_byte_more_is_not(coding: str) -> None:  # Z08
    assert inflate(PACK[coding](bytes(LIMIT)), coding, LIMIT) == bytes(LIMIT)
    with pytest.raises(RequestTooLarge, match="limit of 1000 bytes"):
        inflate(PACK[coding](bytes(LIMIT + 1)), coding, LIMIT)


@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_stops_at_the_limit_in_bounded_memory(coding: str) -> None:  # Z09
    bomb = PACK[coding](bytes(200 * MIB))
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(RequestTooLarge):
            inflate(bomb, coding, 16 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - began < 1.5
    assert peak < 40 * MIB


@pytest.mark.parametrize(
    ("coding", "frame"),
    [
        ("gzip", gzip.compress(b"")),
        ("zstd", zstd.compress(b"")),
        ("zstd", b"\x50\x2a\x4d\x18\0\0\0\0"),  # skippable (RFC 8878, 3.1.2)
        ("lz4", lz4.frame.compress(b"")),
        ("lz4", b"\x50\x2a\x4d\x18\0\0\0\0"),
        ("x-snappy-framed", b"\xff\x06\0\0sNaPpY"),
        ("x-snappy-framed", b"\xff\x06\0\0sNaPpY" + b"\xfe\0\0\0"),  # padding
    ],
    ids=["gzip", "zstd", "zstd-skippable", "lz4", "lz4-skippable", "snappy", "snappy-padding"],
)
def test_countless_empty_frames_are_refused_fast(coding: str, frame: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(RequestTooLarge, match="more than 10000"):
        inflate(frame * 300_000, coding, 64 * MIB)
    assert time.perf_counter() - began < 2


def test_many_frames_before_much_data_do_not_copy_it_again_and_again() -> None:
    body = zstd.compress(b"") * 9_000 + zstd.compress(random.Random(2).randbytes(32 * MIB))
    began = time.perf_counter()
    assert len(inflate(body, "zstd", 64 * MIB)) == 32 * MIB
    assert time.perf_counter() - began < 2


def test_a_window_of_zstd_beyond_32_mib_is_refused_before_it_is_made() -> None:
    options = {zstd.CompressionParameter.window_log: 27}
    packer = zstd.ZstdCompressor(options=options)  # streaming: the window is not cut to the size
    body = packer.compress(b"x") + packer.flush()
    with pytest.raises(MalformedRequest, match="zstd"):
        inflate(body, "zstd", 64 * MIB)


def test_a_block_of_snappy_that_lies_about_its_length_is_refused() -> None:
    block = snappy.compress(TEXT)
    assert block[0] == len(TEXT)
    for length in (len(TEXT) - 1, len(TEXT) + 1, 127):
        with pytest.raises(MalformedRequest, match="snappy"):
            inflate(bytes([length]) + block[1:], "snappy", LIMIT)
    with pytest.raises(RequestTooLarge):
        inflate(b"\xff\xff\xff\xff\x0f" + block[1:], "snappy", 64 * MIB)


@pytest.mark.parametrize("kind", [0x02, 0x7F])
def test_a_reserved_chunk_of_snappy_is_refused_and_a_skippable_one_is_not(kind: int) -> None:
    stream = snappy_framed(TEXT)
    assert inflate(stream + b"\x80\x02\0\0xx", "snappy", LIMIT) == TEXT
    with pytest.raises(MalformedRequest, match="reserved"):
        inflate(stream + bytes([kind]) + b"\x02\0\0xx", "snappy", LIMIT)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PACK)), st.binary(max_size=200), st.data())
def test_changed_streams_give_bytes_or_one_of_the_errors(
    coding: str, data: bytes, draw: st.DataObject
) -> None:
    body = bytearray(PACK[coding](data))
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.integers(0, len(body) - 1))
        body[place] = draw.draw(st.integers(0, 255))
    with suppress(MalformedRequest, RequestTooLarge):
        assert len(inflate(bytes(body), coding, LIMIT)) <= LIMIT


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PACK)), st.binary(min_size=1, max_size=400))
def test_any_bytes_give_bytes_or_one_of_the_errors(coding: str, body: bytes) -> None:
    with suppress(MalformedRequest, RequestTooLarge):
        assert len(inflate(body, coding, LIMIT)) <= LIMIT
