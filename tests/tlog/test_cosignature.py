"""Cosignatures and submissions against Go's libraries, openssl, and what the protocol refuses."""

from typing import Any

import pytest

from audit_receiver.tlog.cosignature import (
    Cosigner,
    CosignerKey,
    cosignatures,
    message,
    parse_lines,
)
from audit_receiver.tlog.merkle import fold, leaf_hash
from audit_receiver.tlog.note import Note, NoteError, SignerKey
from audit_receiver.tlog.proof import ProofError, prove_consistency, verify_consistency
from audit_receiver.tlog.submission import Submission, SubmissionError, head_of
from tests.tlog.vectors import cases, load

GO = load("cosignature/go.json")
WITNESSES = [CosignerKey.parse(text) for text in GO["witnesses"]]
LEAVES = [leaf_hash(str(i).encode()) for i in range(1000)]
SPECIFIED = (  # the example of C2SP tlog-cosignature
    "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
)


@pytest.mark.parametrize("case", cases("cosignature/go.json", "cosigned"))
def test_cosignatures_made_by_go_hold_with_their_times(case: dict[str, Any]) -> None:
    found = cosignatures(Note.parse(case["note"]), WITNESSES)
    assert {one.key.name: one.unix_seconds for one in found} == case["times"]


def test_a_line_of_a_post_quantum_key_is_left_alone() -> None:
    case = GO["cosigned"][2]
    assert "witness.example/pq" in case["note"]
    assert list(case["times"]) == ["witness.example/two"]


@pytest.mark.parametrize("case", cases("cosignature/notes.json", "accepted"))
def test_what_openssl_signed_is_a_cosignature_and_what_we_sign_is_the_same(
    case: dict[str, Any],
) -> None:
    note = Note.parse(case["note"])
    [found] = cosignatures(note, WITNESSES)
    assert (found.key, found.unix_seconds) == (WITNESSES[0], case["time"])
    signer = SignerKey.from_pem("witness.example/one", _pem(bytes.fromhex(GO["seed"])))
    assert Cosigner(signer).cosign(note.text, case["time"]) == note.signatures[1]


@pytest.mark.parametrize("case", cases("cosignature/notes.json", "refused"))
def test_a_wrong_cosignature_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(NoteError) as caught:
        cosignatures(Note.parse(case["note"]), WITNESSES)
    assert case["reason"] in str(caught.value)


def test_a_cosignature_serves_no_other_witness_and_nobody_who_is_not_asked_for() -> None:
    note = Note.parse(GO["cosigned"][0]["note"])
    assert cosignatures(note, WITNESSES[1:]) == ()
    line = note.signatures[1]
    two = WITNESSES[1]
    claimed = type(line)(two.name, two.key_id, line.signature)
    with pytest.raises(NoteError, match="does not verify"):
        cosignatures(Note(note.text, (claimed,)), WITNESSES)


def test_of_two_lines_by_one_witness_the_first_counts_once() -> None:
    cosigner = Cosigner(SignerKey.generate("w"))
    lines = (cosigner.cosign("a\n", 5), cosigner.cosign("a\n", 9))
    [found] = cosignatures(Note("a\n", lines), [cosigner.verifier])
    assert found.unix_seconds == 5


def test_the_signed_message_is_that_of_the_specification() -> None:
    assert message("\n".join(SPECIFIED.split("\n")[2:]), 1679315147) == SPECIFIED.encode()


@pytest.mark.parametrize("seconds", [0, -1, 2**63])
def test_no_time_is_signed_that_a_cosignature_cannot_state(seconds: int) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        Cosigner(SignerKey.generate("w")).cosign("a\n", seconds)


@pytest.mark.parametrize("case", cases("cosignature/keys.json", "accepted"))
def test_keys_of_witnesses_are_read_and_written(case: dict[str, Any]) -> None:
    assert str(CosignerKey.parse(case["vkey"] + "\n")) == case["vkey"]


@pytest.mark.parametrize("case", cases("cosignature/keys.json", "refused"))
def test_what_is_no_witness_key_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(NoteError) as caught:
        CosignerKey.parse(case["vkey"])
    assert case["reason"] in str(caught.value)


@pytest.mark.parametrize("case", cases("cosignature/go.json", "consistency"))
def test_consistency_proofs_are_those_of_sumdb_tlog_in_both_directions(
    case: dict[str, Any],
) -> None:
    path = [bytes.fromhex(text) for text in case["path"]]
    roots = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
    verify_consistency(case["old"], case["new"], *roots, path)
    made = prove_consistency(case["old"], case["new"], lambda lo, hi: fold(LEAVES[lo:hi]))
    assert made == path
    with pytest.raises(ProofError):
        verify_consistency(case["old"], case["new"], roots[0], bytes(32), path)


@pytest.mark.parametrize("case", cases("cosignature/submissions.json", "accepted"))
def test_a_submission_is_read_and_written(case: dict[str, Any]) -> None:
    found = Submission.parse(case["text"])
    assert (found.old, len(found.path)) == (case["old"], case["hashes"])
    assert str(found) == case["text"]


@pytest.mark.parametrize("case", cases("cosignature/submissions.json", "refused"))
def test_what_is_no_submission_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(SubmissionError) as caught:
        Submission.parse(case["text"])
    assert case["reason"] in str(caught.value)


def test_heads_of_other_peoples_logs_are_read_with_their_extension_lines() -> None:
    root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    head = head_of(f"go.sum database tree\n7\n{root}\nmore\n")
    assert (head.origin, head.size) == ("go.sum database tree", 7)
    for wrong in (
        f"a\n7\n{root}",
        f"a\n07\n{root}\n",
        f"a\n7\n{root}\n\nb\n",
        "a\n7\nAA==\n",
        "a\n7\n",
    ):
        with pytest.raises(SubmissionError):
            head_of(wrong)


def test_an_answer_is_signature_lines_and_nothing_else() -> None:
    line = Cosigner(SignerKey.generate("w")).cosign("a\n", 5)
    assert parse_lines(f"{line}{line}") == [line, line]
    for wrong in ("", str(line).rstrip("\n"), f"{line}\n", f"x{line}"):
        with pytest.raises(NoteError):
            parse_lines(wrong)


def _pem(seed: bytes) -> bytes:
    import base64

    pkcs8 = bytes.fromhex("302e020100300506032b657004220420") + seed  # RFC 8410
    body = base64.b64encode(pkcs8).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n".encode()
