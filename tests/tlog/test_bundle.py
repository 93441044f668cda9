"""Offline proofs: files that Go wrote are read; whatever was changed in one is refused."""

from typing import Any

import pytest

from audit_receiver.tlog.bundle import Proof
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import SignerKey, VerifierKey
from audit_receiver.tlog.proof import ProofError
from tests.kit import reference
from tests.tlog.vectors import cases, load

ORIGIN = "example.org/ledger/00112233aabbccdd"


@pytest.mark.parametrize("case", cases("proof/go.json", "files"))
def test_a_proof_file_that_go_wrote_holds_and_is_printed_as_it_is(case: dict[str, Any]) -> None:
    proof = Proof.parse(case["text"])
    assert (proof.index, proof.leaf) == (case["index"], str(case["index"]).encode())
    checkpoint = proof.verify(VerifierKey.parse(load("proof/go.json")["vkey"]))
    assert checkpoint.size == case["size"]
    assert str(proof) == case["text"]


@pytest.mark.parametrize("case", cases("proof/files.json", "refused"))
def test_a_wrong_proof_file_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProofError) as caught:
        Proof.parse(case["text"]).verify(VerifierKey.parse(load("proof/files.json")["vkey"]))
    assert case["reason"] in str(caught.value)


def test_refusals_are_many() -> None:
    assert len(cases("proof/files.json", "refused")) >= 25


def test_what_we_write_holds_under_the_reference() -> None:
    signer = SignerKey.generate(ORIGIN)
    data = [f'{{"seq":{seq}}}'.encode() for seq in range(11)]
    checkpoint = Checkpoint(ORIGIN, 11, reference.root(data))
    note = signed(checkpoint, signer.sign(checkpoint.text().encode()), signer.verifier)
    for index in range(11):
        proof = Proof(index, data[index], tuple(reference.path(index, data)), note)
        again = Proof.parse(str(proof))
        assert again == proof
        assert again.verify(signer.verifier) == checkpoint
        moved = Proof(index, data[index - 1], proof.path, note)
        with pytest.raises(ProofError, match=f"entry {index} is not in the tree of 11"):
            moved.verify(signer.verifier)


def test_a_proof_under_another_key_is_refused() -> None:
    case = load("proof/go.json")["files"][0]
    with pytest.raises(ProofError, match="no line is by a key that was asked for"):
        Proof.parse(case["text"]).verify(SignerKey.generate(ORIGIN).verifier)
