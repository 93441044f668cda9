"""Receipts, as proto/ defines them."""

import base64
import binascii
from typing import Any

import pytest

from audit_receiver.otlp import receipt

HEAD: dict[str, Any] = {
    "tree_size": 8,
    "root": bytes(range(32)),
    "signature": bytes(64),
    "key_id": 0xDEADBEEF,
    "origin": "ledger/0123456789abcdef",
}


def test_a_receipt_says_what_was_stored() -> None:
    data = receipt.encode(first_seq=5, last_seq=7, **HEAD, stored=3, duplicates=1, skipped=2)

    read = receipt.decode(data)
    assert (read.first_seq, read.last_seq, read.tree_size) == (5, 7, 8)
    assert (read.root, read.signature) == (bytes(range(32)), bytes(64))
    assert (read.key_id, read.origin) == (0xDEADBEEF, "ledger/0123456789abcdef")
    assert (read.stored, read.duplicates, read.skipped) == (3, 1, 2)
    # By hand: field 1 varint 5, field 2 varint 7, field 3 varint 8, field 4 of 32 bytes.
    assert data.startswith(b"\x08\x05\x10\x07\x18\x08\x22\x20" + bytes(range(32)))


def test_a_receipt_without_entries_has_no_positions() -> None:
    data = receipt.encode(first_seq=None, last_seq=None, **HEAD, stored=0, duplicates=4, skipped=0)

    assert not receipt.decode(data).HasField("first_seq")
    assert not receipt.decode(data).HasField("last_seq")


def test_position_zero_is_a_position() -> None:
    data = receipt.encode(first_seq=0, last_seq=0, **HEAD, stored=1, duplicates=0, skipped=0)

    assert receipt.decode(data).HasField("first_seq")


def test_the_header_is_base64() -> None:
    assert receipt.to_header(b"\xfb\xff\x00") == "+/8A"
    assert receipt.from_header("+/8A") == b"\xfb\xff\x00"
    assert base64.b64decode(receipt.to_header(b"x" * 200)) == b"x" * 200


@pytest.mark.parametrize("value", ["+/8", "+/8A\n*", "é"])
def test_another_header_is_refused(value: str) -> None:
    with pytest.raises((binascii.Error, ValueError)):
        receipt.from_header(value)
