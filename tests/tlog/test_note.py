"""Signed notes: golden vectors from Go and openssl, their mutants, and openssl as the judge."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.tlog.note import Note, NoteError, NoteSignature, SignerKey, VerifierKey
from tests.tlog.vectors import cases

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
NAME = "example.org/ledger/00112233aabbccdd"

# The example printed in C2SP's tlog-checkpoint; whose key it is signed with is not told.
SPECIFIED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
    "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def keys(case: dict[str, Any]) -> list[VerifierKey]:
    return [VerifierKey.parse(text) for text in case["vkeys"]]


@pytest.mark.parametrize("case", cases("note/keys.json", "accepted"))
def test_a_verifier_key_is_read_and_printed_as_it_is(case: dict[str, Any]) -> None:
    key = VerifierKey.parse(case["vkey"])
    assert str(key) == case["vkey"]
    assert VerifierKey.parse(case["vkey"] + "\n") == key  # a file ends in a newline


@pytest.mark.parametrize("case", cases("note/keys.json", "refused"))
def test_a_malformed_verifier_key_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(NoteError) as caught:
        VerifierKey.parse(case["vkey"])
    assert case["reason"] in str(caught.value)


@pytest.mark.parametrize("case", cases("note/notes.json", "accepted"))
def test_a_note_of_somebody_else_is_read_verified_and_printed_as_it_is(
    case: dict[str, Any],
) -> None:
    note = Note.parse(case["note"])
    assert note.signed_by(keys(case)) == keys(case)[0]
    assert str(note) == case["note"]


def test_the_example_of_the_specification_is_read_and_printed_as_it_is() -> None:
    note = Note.parse(SPECIFIED)
    assert str(note) == SPECIFIED
    [line] = note.signatures
    assert (line.name, len(line.signature)) == ("example.com/behind-the-sofa", 64)
    assert line.key_id.to_bytes(4, "big") == bytes.fromhex("033de0ae")


@pytest.mark.parametrize("case", cases("note/notes.json", "refused"))
def test_a_wrong_note_is_refused(case: dict[str, Any]) -> None:
    if case["reason"] == "no signature":
        assert Note.parse(case["note"]).signed_by(keys(case)) is None
        return
    with pytest.raises(NoteError) as caught:
        Note.parse(case["note"]).signed_by(keys(case))
    assert case["reason"] in str(caught.value)


def test_refusals_are_many() -> None:
    assert len(cases("note/keys.json", "refused")) >= 20
    assert len(cases("note/notes.json", "refused")) >= 25


@openssl
def test_what_we_sign_openssl_verifies(tmp_path: Path) -> None:
    signer = SignerKey.generate(NAME)
    text = b"a text\n"
    (tmp_path / "key.pem").write_bytes(signer.to_pem())
    (tmp_path / "text").write_bytes(text)
    (tmp_path / "signature").write_bytes(signer.sign(text))
    _openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem", folder=tmp_path)
    verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin"]
    verify += ["-in", "text", "-sigfile", "signature"]
    assert "Verified Successfully" in _openssl(*verify, folder=tmp_path)
    (tmp_path / "text").write_bytes(text + b"more\n")
    with pytest.raises(subprocess.CalledProcessError):
        _openssl(*verify, folder=tmp_path)


@openssl
def test_a_key_that_openssl_made_is_read_and_written_as_it_is(tmp_path: Path) -> None:
    _openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem", folder=tmp_path)
    pem = (tmp_path / "key.pem").read_bytes()
    signer = SignerKey.from_pem(NAME, pem)
    assert signer.to_pem() == pem
    der = ("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der")
    _openssl(*der, folder=tmp_path)
    assert (tmp_path / "public.der").read_bytes()[-32:] == signer.verifier.public


@openssl
@pytest.mark.parametrize(
    "command",
    [
        ("genpkey", "-algorithm", "ed448", "-out", "key.pem"),
        ("genpkey", "-algorithm", "x25519", "-out", "key.pem"),
        ("genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", "key.pem"),
    ],
    ids=["ed448", "x25519", "encrypted"],
)
def test_another_private_key_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    _openssl(*command, folder=tmp_path)
    with pytest.raises(NoteError, match="private key is not an"):
        SignerKey.from_pem(NAME, (tmp_path / "key.pem").read_bytes())


@pytest.mark.parametrize("pem", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(NoteError, match="not an unencrypted PKCS#8 PEM file"):
        SignerKey.from_pem(NAME, pem)


def test_a_key_verifies_its_own_signatures_only() -> None:
    one, other = SignerKey.generate(NAME), SignerKey.generate(NAME)
    signature = one.sign(b"text")
    assert one.verifier.verify(b"text", signature)
    assert not other.verifier.verify(b"text", signature)
    assert not one.verifier.verify(b"texT", signature)
    for wrong in (b"", signature[:-1], signature + b"x", bytes(64)):
        assert not one.verifier.verify(b"text", wrong)


def test_two_keys_of_one_name_are_told_apart_by_their_id() -> None:
    one, other = SignerKey.generate(NAME), SignerKey.generate(NAME)
    text = "text\n"
    lines = tuple(
        NoteSignature(NAME, key.verifier.key_id, key.sign(text.encode())) for key in (one, other)
    )
    note = Note.parse(str(Note(text, lines)))
    assert note.signed_by([other.verifier]) == other.verifier
    assert note.signed_by([one.verifier, other.verifier]) == one.verifier
    assert note.signed_by([SignerKey.generate(NAME).verifier]) is None


def test_a_note_beyond_a_million_characters_is_refused_unread() -> None:
    with pytest.raises(NoteError, match="longer than a million"):
        Note.parse("x" * 1_000_001)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b"])
def test_a_name_that_cannot_stand_in_a_line_is_refused(name: str) -> None:
    with pytest.raises(NoteError, match="cannot name a key"):
        SignerKey.generate(name)


def _openssl(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout
