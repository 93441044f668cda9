"""The chain: SHA3-256 over header texts, as openssl computes it, and where a chain breaks."""

import json
from hashlib import sha3_256
from typing import Any

import pytest

from audit_receiver.tlog.chain import GENESIS_PREV, entry_hash
from tests.tlog.vectors import cases


def first_break(entries: list[list[str]]) -> tuple[int, str] | None:
    """Where the chain does not hold and why, as the format document tells a reader to check it."""
    prev = GENESIS_PREV
    for seq, (header, digest) in enumerate(entries):
        if entry_hash(header.encode()).hex() != digest:
            return seq, "hash"
        fields = json.loads(header)
        if fields["seq"] != seq:
            return seq, "seq"
        if fields["prev"] != prev:
            return seq, "prev"
        prev = digest
    return None


@pytest.mark.parametrize("case", cases("chain/chain.json", "cases"))
def test_a_chain_holds_or_breaks_where_the_vector_says(case: dict[str, Any]) -> None:
    expected = (case["at"], case["reason"]) if "at" in case else None
    assert first_break(case["entries"]) == expected


def test_most_vectors_are_refusals() -> None:
    refused = ["at" in case.values[0] for case in cases("chain/chain.json", "cases")]
    assert sum(refused) >= 14


def test_the_hash_is_sha3_and_not_keccak() -> None:
    # FIPS 202 example: SHA3-256 of the empty message.
    empty = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"
    assert entry_hash(b"").hex() == empty
    assert sha3_256(b"").hexdigest() == empty


def test_genesis_continues_64_zeros() -> None:
    assert GENESIS_PREV == "0" * 64
