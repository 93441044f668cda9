"""The golden vectors, judged by `verify.py`: what it accepts, and what it refuses."""

import base64
import json
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.tlog.vectors import cases, load

# RFC 8032, 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


class FakeDb:
    """No database: only what needs none is asked."""

    execute = None


ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_signatures_of_rfc_8032_hold_and_any_change_of_them_does_not(
    script: ModuleType, secret: str, public: str, message: str, signature: str
) -> None:
    key, text, signed = (bytes.fromhex(one) for one in (public, message, signature))
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(text) == signed
    assert script.is_signed(key, text, signed)
    assert not script.is_signed(key, text + b"x", signed)
    for place in (0, 31, 32, 63):
        changed = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
        assert not script.is_signed(key, text, changed)
    assert not script.is_signed(key, text, signed + b"\0")
    assert not script.is_signed(key, text, signed[:63])
    # The same number modulo the group's order, which RFC 8032 refuses (malleability).
    larger = int.from_bytes(signed[32:], "little") + ORDER
    assert not script.is_signed(key, text, signed[:32] + larger.to_bytes(32, "little"))


@pytest.mark.parametrize("case", cases("note/keys.json", "accepted"))
def test_a_verifier_key_is_read(script: ModuleType, case: dict[str, Any]) -> None:
    key = script.parse_key(case["vkey"])
    assert case["vkey"].startswith(f"{key.name}+{key.key_id.hex()}+")


@pytest.mark.parametrize("case", cases("note/keys.json", "refused"))
def test_what_is_no_verifier_key_is_refused(script: ModuleType, case: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        script.parse_key(case["vkey"])


def opened(script: ModuleType, case: dict[str, Any]) -> bool:
    """Whether a key that is asked for signed the checkpoint, under the name of its origin."""
    try:
        note = script.Checkpoint.parse(case["note"])
        keys = [script.parse_key(vkey) for vkey in case["vkeys"]]
        told = [note.is_by(key) for key in keys if key.name == note.origin]
        return any(told)
    except ValueError:
        return False


@pytest.mark.parametrize("case", cases("note/checkpoints.json", "accepted"))
def test_a_checkpoint_is_opened(script: ModuleType, case: dict[str, Any]) -> None:
    assert opened(script, case)
    note = script.Checkpoint.parse(case["note"])
    assert (note.origin, note.size, note.root.hex()) == (case["origin"], case["size"], case["root"])


@pytest.mark.parametrize("case", cases("note/checkpoints.json", "refused"))
def test_what_is_no_checkpoint_is_refused(script: ModuleType, case: dict[str, Any]) -> None:
    assert not opened(script, case)


@pytest.mark.parametrize("case", cases("canonical/texts.json", "cases"))
def test_canonical_text_is_told_from_other_json(script: ModuleType, case: dict[str, Any]) -> None:
    try:
        canonical = script.parse(base64.b64decode(case["base64"]).decode())[1]
    except ValueError:
        canonical = False
    assert canonical is (case["reason"] is None)


@pytest.mark.parametrize("case", cases("canonical/values.json", "cases"))
def test_the_text_of_every_value_is_canonical(script: ModuleType, case: dict[str, Any]) -> None:
    assert script.parse(case["text"])[1]


@pytest.mark.parametrize("case", cases("header/headers.json", "cases"))
def test_a_header_is_read_or_refused(script: ModuleType, case: dict[str, Any]) -> None:
    if case["reason"] in (None, "newer"):
        read = script.parse_header(case["header"])
        assert ("v" in read) is (case["reason"] is None)
        assert read["seq"] == json.loads(case["header"])["seq"]
        return
    with pytest.raises((ValueError, LookupError, TypeError)):
        script.parse_header(case["header"])


@pytest.mark.parametrize("case", cases("header/entries.json", "cases"))
def test_a_header_says_what_its_body_says(script: ModuleType, case: dict[str, Any]) -> None:
    header = script.parse_header(case["header"])
    assert script.relabelled(header, json.loads(case["body"])) == ""
    assert script.sha3(case["header"]) == case["hash"]


@pytest.mark.parametrize("case", cases("header/relabelled.json", "cases"))
def test_a_header_that_says_something_else_is_found(
    script: ModuleType, case: dict[str, Any]
) -> None:
    try:
        header = script.parse_header(case["header"])
    except ValueError:
        return  # its flags give it away already
    assert script.relabelled(header, json.loads(case["body"])) == case["field"]


SMALL = [case for case in load("tree/go.json")["roots"] if case[0] <= 5000]


@pytest.mark.parametrize(("size", "root"), SMALL, ids=[str(size) for size, _ in SMALL])
def test_the_tree_has_the_roots_of_other_programs(script: ModuleType, size: int, root: str) -> None:
    grown = script.Ledger(FakeDb(), None)
    for leaf in range(size):
        grown.push(str(leaf).encode())
    assert grown.root().hex() == root


@pytest.mark.parametrize("case", cases("chain/chain.json", "cases"))
def test_a_chain_breaks_where_the_vector_says(script: ModuleType, case: dict[str, Any]) -> None:
    ledger = script.Ledger(FakeDb(), None)
    for seq, (header, digest) in enumerate(case["entries"]):
        ledger.entry(seq, header, bytes.fromhex(digest), None)
    ledger.order()
    found = [one for one in ledger.findings if one["kind"] != "body_missing"]
    if "at" not in case:
        assert found == []
        return
    assert any(one["first"] in range(case["at"] - 1, case["at"] + 1) for one in found), found
