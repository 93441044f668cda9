"""`checkpoint`, `prove`, `verify --proof`: signed by the ledger's key, checked by other means."""

import base64
import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, Tree, copy_of, vkey_text
from tests.kit.lab import LedgerLab, crash, draft

Command = Callable[..., Result]


def _headers(path: Path) -> list[bytes]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT header FROM entry ORDER BY seq").fetchall()
    connection.close()
    return [text.encode() for (text,) in rows]


# ---- checkpoint ----------------------------------------------------------------------------------


def test_a_checkpoint_is_the_signed_head_of_all_entries(
    command: Command, populated: Populated
) -> None:
    result = command("checkpoint", populated.path)
    assert (result.code, result.err) == (0, "")
    origin, size, root, blank, signed, end = result.out.split("\n")
    assert (blank, end) == ("", "")
    headers = _headers(populated.path)
    assert int(size) == len(headers)
    assert base64.b64decode(root) == Tree(headers).root(0, len(headers))
    dash, name, encoded = signed.split(" ")
    assert (dash, name) == ("—", origin)
    data = base64.b64decode(encoded)
    key_name, key_id, key = populated.vkey.read_text().strip().split("+", 2)
    assert (key_name, bytes.fromhex(key_id)) == (origin, data[:4])
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    public.verify(data[4:], f"{origin}\n{size}\n{root}\n".encode())


def test_openssl_verifies_a_checkpoint(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    text, _, lines = command("checkpoint", populated.path).out.partition("\n\n")
    (tmp_path / "note").write_text(text + "\n")
    (tmp_path / "sig").write_bytes(base64.b64decode(lines.split(" ")[2])[4:])
    raw = base64.b64decode(populated.vkey.read_text().strip().split("+", 2)[2])[1:]
    der = bytes.fromhex("302a300506032b6570032100") + raw  # RFC 8410, SubjectPublicKeyInfo
    (tmp_path / "key").write_bytes(der)
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key"]
    done = subprocess.run(
        [*words, "-rawin", "-in", "note", "-sigfile", "sig"],
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_needs_no_private_key_and_changes_nothing(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    before = hashlib.sha256(copy.read_bytes()).hexdigest()
    os.chmod(copy, 0o400)
    result = command("checkpoint", copy)
    assert result.out == populated.notes[populated.size].read_text()
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == before
    assert sorted(os.listdir(tmp_path)) == ["copy.db", "copy.vkey"]


def test_it_works_on_a_live_and_on_a_crashed_ledger(command: Command, lab: LedgerLab) -> None:
    lab.append(draft("r1"))
    live = command("checkpoint", lab.path)
    assert live.out.split("\n")[1] == str(lab.appender.tip.size)
    crash(lab.appender)
    assert command("checkpoint", lab.path).out == live.out


def test_an_existing_file_is_not_replaced(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    target = tmp_path / "note.txt"
    assert command("checkpoint", populated.path, "--output", target).code == 0
    told = target.read_text()
    result = command("checkpoint", populated.path, "--output", target)
    assert result.code == 2
    assert "exists already" in result.err
    assert target.read_text() == told


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE head SET signature = zeroblob(64)", "not signed by its key"),
        ("UPDATE head SET root = zeroblob(32)", "not signed by its key"),
        ("UPDATE head SET signature = 'x'", "not signed by its key"),
        ("DELETE FROM head", "has no signed head"),
        ("UPDATE entry SET body = '{}' WHERE seq = 0", "does not have the body"),
    ],
)
@pytest.mark.parametrize("words", [["checkpoint"], ["prove", "5"]])
def test_a_head_that_does_not_hold_is_not_handed_out(
    command: Command, populated: Populated, tmp_path: Path, sql: str, told: str, words: list[str]
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        attacker.db.execute(sql)
    result = command(words[0], copy, *words[1:])
    assert (result.code, result.out) == (1, "")
    assert told in result.err


def test_a_key_that_was_replaced_beside_the_ledger_is_said(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    origin = populated.vkey.read_text().partition("+")[0]
    copy.with_suffix(".vkey").write_text(vkey_text(Ed25519PrivateKey.generate(), origin) + "\n")
    result = command("checkpoint", copy)
    assert result.code == 1
    assert "One of them was replaced" in result.err


# ---- prove and verify --proof --------------------------------------------------------------------


@pytest.mark.parametrize("seq", [0, 1, 255, 256, 511, 512, 568, 569])
def test_a_proof_of_any_entry_verifies_without_the_ledger(
    command: Command, populated: Populated, tmp_path: Path, seq: int
) -> None:
    proof = tmp_path / "entry.tlog-proof"
    result = command("prove", populated.path, str(seq), "--output", proof)
    assert (result.code, result.out) == (0, "")
    result = command("verify", "--proof", proof, "--vkey", populated.vkey, "--format", "json")
    assert result.code == 0
    told = result.json()
    assert told["verdict"] == "intact"
    assert (told["index"], told["size"]) == (seq, populated.size)
    assert told["header"] == json.loads(_headers(populated.path)[seq])
    key = populated.vkey.read_text().strip()
    text = command("verify", "--proof", proof, "--vkey", key)
    assert text.code == 0
    assert text.out.startswith(f"HOLDS: entry {seq} is in the tree of 570 entries")


def test_a_proof_is_what_rfc_6962_says(command: Command, populated: Populated) -> None:
    """The path folded by hand, from the leaf to the root of the note."""
    seq = 300
    head, _, note = command("prove", populated.path, str(seq)).out.partition("\n\n")
    magic, extra, index, *path = head.split("\n")
    assert (magic, index) == ("c2sp.org/tlog-proof@v1", f"index {seq}")
    leaf = base64.b64decode(extra.removeprefix("extra "))
    assert leaf == _headers(populated.path)[seq]
    headers = _headers(populated.path)
    tree, size = Tree(headers), len(headers)
    expected, lo, hi = [], 0, size
    while hi - lo > 1:  # RFC 6962, 2.1.1, from the root down
        split = 1
        while split * 2 < hi - lo:
            split *= 2
        middle = lo + split
        expected.append(tree.root(middle, hi) if seq < middle else tree.root(lo, middle))
        lo, hi = (lo, middle) if seq < middle else (middle, hi)
    assert [base64.b64decode(line) for line in path] == expected[::-1]
    assert note.startswith(populated.notes[populated.size].read_text()), "and the log key's line"


def _mutants(text: str) -> dict[str, str]:
    lines = text.split("\n")
    flipped = base64.b64encode(bytes(32)).decode()
    return {
        "another index": text.replace("index 300", "index 301"),
        "another leaf": text.replace(
            lines[1], "extra " + base64.b64encode(b'{"seq":300}').decode()
        ),
        "changed hash": text.replace(lines[3], flipped),
        "swapped hashes": "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]),
        "one hash less": "\n".join([*lines[:3], *lines[4:]]),
        "one hash more": "\n".join([*lines[:3], flipped, *lines[3:]]),
        "another size": text.replace("\n570\n", "\n571\n"),
        "no signature": text[: text.index("—")],
    }


@pytest.mark.parametrize("name", _mutants("c\nextra x\nindex 300\na\nb\n\n—").keys())
def test_a_proof_that_was_changed_does_not_hold(
    command: Command, populated: Populated, tmp_path: Path, name: str
) -> None:
    text = command("prove", populated.path, "300").out
    changed = _mutants(text)[name]
    assert changed != text
    proof = tmp_path / "changed.tlog-proof"
    proof.write_text(changed)
    result = command("verify", "--proof", proof, "--vkey", populated.vkey, "--format", "json")
    assert result.code == 1
    assert result.json()["verdict"] == "tampered"
    assert command("verify", "--proof", proof, "--vkey", populated.vkey).out.startswith("DOES NOT")


@pytest.mark.parametrize("leaf", [b'{"seq":5}', b"[]", b"no json"])
def test_a_proven_text_that_is_not_the_header_of_that_entry_does_not_hold(
    command: Command, tmp_path: Path, leaf: bytes
) -> None:
    """Signed by the right key, in the tree, and still not what it is said to be."""
    key = Ed25519PrivateKey.generate()
    root = base64.b64encode(hashlib.sha256(b"\0" + leaf).digest()).decode()
    head = f"x/1\n1\n{root}\n"
    vkey = vkey_text(key, "x/1")
    signature = bytes.fromhex(vkey.split("+")[1]) + key.sign(head.encode())
    note = f"{head}\n— x/1 {base64.b64encode(signature).decode()}\n"
    extra = base64.b64encode(leaf).decode()
    proof = tmp_path / "p"
    proof.write_text(f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex 0\n\n{note}")
    result = command("verify", "--proof", proof, "--vkey", vkey, "--format", "json")
    assert (result.code, result.json()["verdict"]) == (1, "tampered")
    assert "what is proven is no" in result.json()["message"]


@pytest.mark.parametrize("content", [b"", b"not a proof", b"\xff\xfe", b"c2sp.org/tlog-proof@v1\n"])
def test_what_is_no_proof_cannot_be_judged(
    command: Command, populated: Populated, tmp_path: Path, content: bytes
) -> None:
    proof = tmp_path / "odd"
    proof.write_bytes(content)
    result = command("verify", "--proof", proof, "--vkey", populated.vkey)
    assert result.code == 2
    assert result.out.startswith("COULD NOT JUDGE")


def test_a_proof_under_another_key_cannot_be_judged(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    proof = tmp_path / "p"
    command("prove", populated.path, "3", "--output", proof)
    origin = populated.vkey.read_text().partition("+")[0]
    other = vkey_text(Ed25519PrivateKey.generate(), origin)
    result = command("verify", "--proof", proof, "--vkey", other)
    assert result.code == 2
    assert "If that is the first key, give --keys FILE" in result.out


def test_an_entry_that_was_changed_cannot_be_proven(
    command: Command, populated: Populated, tmp_path: Path
) -> None:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as attacker:
        attacker.edit_header(100, lambda header: header.update(flags=["sampled"]))
    result = command("prove", copy, "100")
    assert (result.code, result.out) == (1, "")
    assert "cannot be proven" in result.err
    assert command("prove", copy, "400").code == 0, "others still can: their path is stored"


@pytest.mark.parametrize("seq", ["570", "99999999999", "-1", "x"])
def test_an_entry_that_does_not_exist_is_said(
    command: Command, populated: Populated, seq: str
) -> None:
    result = command("prove", populated.path, seq)
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize(
    "words",
    [
        ["--proof", "PROOF"],
        ["--proof", "PROOF", "--vkey", "nonsense"],
        ["--proof", "PROOF", "--vkey", "KEY", "LEDGER"],
        ["--proof", "PROOF", "--vkey", "KEY", "--checkpoint", "PROOF"],
        ["--proof", "no-such-file", "--vkey", "KEY"],
    ],
)
def test_wrong_use_of_a_proof_is_said(
    command: Command, populated: Populated, tmp_path: Path, words: list[str]
) -> None:
    proof = tmp_path / "p"
    command("prove", populated.path, "3", "--output", proof)
    places = {"PROOF": proof, "KEY": populated.vkey, "LEDGER": populated.path}
    result = command("verify", *(str(places.get(word, word)) for word in words))
    assert (result.code, result.out) == (2, "")
    assert result.err
