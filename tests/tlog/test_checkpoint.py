"""Checkpoints: the one form of a tree head, and whose signature is on it."""

from typing import Any

import pytest

from audit_receiver.tlog.checkpoint import (
    Checkpoint,
    CheckpointError,
    check_origin,
    head_text,
    open_checkpoint,
    signed,
)
from audit_receiver.tlog.note import SignerKey, VerifierKey
from tests.tlog.vectors import cases

ORIGIN = "example.org/ledger/00112233aabbccdd"


@pytest.mark.parametrize("case", cases("note/checkpoints.json", "accepted"))
def test_a_checkpoint_that_go_or_openssl_signed_is_opened(case: dict[str, Any]) -> None:
    keys = [VerifierKey.parse(text) for text in case["vkeys"]]
    checkpoint = open_checkpoint(case["note"], keys)
    expected = Checkpoint(case["origin"], case["size"], bytes.fromhex(case["root"]))
    assert checkpoint == expected
    assert case["note"].startswith(checkpoint.text() + "\n")


@pytest.mark.parametrize("case", cases("note/checkpoints.json", "refused"))
def test_a_wrong_checkpoint_is_refused(case: dict[str, Any]) -> None:
    keys = [VerifierKey.parse(text) for text in case["vkeys"]]
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(case["note"], keys)
    assert case["reason"] in str(caught.value)


def test_refusals_are_many() -> None:
    assert len(cases("note/checkpoints.json", "refused")) >= 20


def test_head_text_is_three_lines() -> None:
    assert head_text("o", 12, bytes(32)) == "o\n12\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


def test_a_note_made_from_a_stored_signature_opens() -> None:
    signer = SignerKey.generate(ORIGIN)
    checkpoint = Checkpoint(ORIGIN, 7, bytes(range(32)))
    signature = signer.sign(head_text(ORIGIN, 7, bytes(range(32))).encode())
    note = signed(checkpoint, signature, signer.verifier)
    assert open_checkpoint(note, [signer.verifier]) == checkpoint


def test_a_signature_over_another_size_does_not_make_a_checkpoint() -> None:
    signer = SignerKey.generate(ORIGIN)
    signature = signer.sign(head_text(ORIGIN, 8, bytes(32)).encode())
    note = signed(Checkpoint(ORIGIN, 7, bytes(32)), signature, signer.verifier)
    with pytest.raises(CheckpointError, match="does not verify"):
        open_checkpoint(note, [signer.verifier])


def test_a_key_of_another_name_cannot_speak_for_an_origin() -> None:
    signer = SignerKey.generate("example.org/other")
    checkpoint = Checkpoint(ORIGIN, 7, bytes(32))
    note = signed(checkpoint, signer.sign(checkpoint.text().encode()), signer.verifier)
    with pytest.raises(CheckpointError, match=r"signed by example\.org/other, but the origin is"):
        open_checkpoint(note, [signer.verifier])


@pytest.mark.parametrize("origin", ["a", "A-Z.a_z~0-9/x", "a" * 200])
def test_an_origin_of_the_allowed_characters_is_accepted(origin: str) -> None:
    check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    ["", "a" * 201, "a b", "a+b", "a\n", "\u00e4", "a\x00", "a:b", "a?b", "a%20b", "\u0661"],
)
def test_another_origin_is_refused(origin: str) -> None:
    with pytest.raises(CheckpointError, match="is no origin"):
        check_origin(origin)
