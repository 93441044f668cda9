"""Bundles as bytes: worked out by hand, and every way to be wrong."""

import gzip

import pytest

from audit_receiver.mirror import bundles
from audit_receiver.mirror.bundles import BundleError, SignedHead


def test_entries_have_a_length_of_two_bytes_each() -> None:
    assert bundles.encode_entries([b"ab", b"", b"x" * 258]) == b"\0\2ab\0\0\1\2" + b"x" * 258
    assert bundles.decode_entries(b"\0\2ab\0\0", 2) == [b"ab", b""]


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\3ab", b"\0\2ab\0", b"\0\2ab\0\1cd"], ids=repr)
def test_entries_cut_off_or_with_something_behind_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        bundles.decode_entries(data, 2 if len(data) > 4 else 1)


def test_bodies_have_four_bytes_and_none_is_all_ones() -> None:
    packed = bundles.encode_bodies(["é", None, ""])
    plain = b"\0\0\0\2\xc3\xa9" + b"\xff\xff\xff\xff" + b"\0\0\0\0"
    assert gzip.decompress(packed) == plain
    assert bundles.decode_bodies(packed, 3) == ["é", None, ""]
    assert bundles.encode_bodies(["é", None, ""]) == packed


@pytest.mark.parametrize(
    "data",
    [
        b"no gzip",
        gzip.compress(b"\0\0\0\2x"),
        gzip.compress(b"\0\0\0\1xy"),
        gzip.compress(b"\0\0\0\1\xff"),
        gzip.compress(b"\0\0\0\1x")[:-3],
        gzip.compress(b"\0\0\0\1x") + b"more",
    ],
    ids=["no-gzip", "short", "trailing", "not-utf-8", "cut-off", "behind"],
)
def test_bodies_in_any_other_form_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        bundles.decode_bodies(data, 1)


def test_heads_are_lines_in_order_and_within_their_sizes() -> None:
    heads = [SignedHead(257, bytes(64)), SignedHead(300, b"\1" * 64)]
    data = bundles.encode_heads(heads)
    assert data.startswith(b"257 AAAA")
    assert bundles.decode_heads(data, 256, 300) == heads
    assert bundles.decode_heads(b"", 256, 300) == []
    for first, end in ((257, 300), (256, 299)):
        with pytest.raises(BundleError):
            bundles.decode_heads(data, first, end)
    for wrong in (data[:-1], data + data, b"0" + data, b"257 AAAA\n", b"x\n"):
        with pytest.raises(BundleError):
            bundles.decode_heads(wrong, 256, 300)
