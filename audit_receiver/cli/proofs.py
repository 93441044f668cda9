"""Checking an offline proof: one entry, one checkpoint, one key, and no ledger."""

import sys
from pathlib import Path
from typing import Any

import click

from audit_receiver.cli.output import safe
from audit_receiver.tlog import keychain
from audit_receiver.tlog.bundle import Proof
from audit_receiver.tlog.keychain import KeyChain
from audit_receiver.tlog.note import Note, NoteError, VerifierKey
from audit_receiver.tlog.proof import ProofError

HOLDS, DOES_NOT_HOLD, CANNOT_JUDGE = 0, 1, 2
_TOLD = ("kind", "time", "received", "service", "action", "outcome", "body")


def check(path: Path, key: VerifierKey, keys: Path | None, form: str) -> int:
    """Judge a proof file and print the result; returns the exit code.

    `keys` is the file of `prove --keys`, which leads from the first key to later ones.
    """
    result = judge(path.read_bytes(), key, None if keys is None else keys.read_bytes())
    if form == "json":
        import orjson

        text = orjson.dumps(result, option=orjson.OPT_INDENT_2)
        sys.stdout.buffer.write(text + b"\n")
        sys.stdout.buffer.flush()
    else:
        for line in _in_words(path, result):
            click.echo(line)
    return {"intact": HOLDS, "tampered": DOES_NOT_HOLD, "undecided": CANNOT_JUDGE}[
        result["verdict"]
    ]


def judge(content: bytes, key: VerifierKey, keys: bytes | None = None) -> dict[str, Any]:
    """The result as a JSON-ready object. `key` is the first key, or the log key."""
    result: dict[str, Any] = {"verdict": "undecided", "message": "", "index": None, "header": None}
    try:
        proof = Proof.parse(content.decode())
    except (ProofError, UnicodeDecodeError) as exc:
        return {**result, "message": f"this cannot be read as a proof: {exc}"}
    result.update(verdict="tampered", index=proof.index)
    try:
        chain = KeyChain.of(key, () if keys is None else keychain.parse(keys.decode()))
        signer = chain.at(proof.size)
        checkpoint = proof.verify(signer)
        header = _header(proof)
    except UnicodeDecodeError as exc:
        return {**result, "verdict": "undecided", "message": f"the file of keys: {exc}"}
    except ProofError as exc:
        later = _is_by_a_later_key(proof, key) if keys is None else ""
        if later:  # nothing contradicts it; what is given does not suffice to judge it
            return {**result, "verdict": "undecided", "message": later}
        return {**result, "message": str(exc)}
    return {
        **result,
        "key": str(signer),
        "log_key": keys is None and _is_second_line(proof, key),
        "verdict": "intact",
        "message": f"entry {proof.index} is in the tree of {checkpoint.size}",
        "header": header,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "origin": checkpoint.origin,
    }


def _is_by_a_later_key(proof: Proof, key: VerifierKey) -> str:
    """What is missing where the checkpoint is of this ledger and none of its lines is by `key`."""
    try:
        lines = Note.parse(proof.note).signatures
    except NoteError:
        return ""
    ids = [line.key_id for line in lines if line.name == key.name]
    if not ids or len(ids) < len(lines) or key.key_id in ids:
        return ""
    return (
        f"its checkpoint is signed by the key {ids[0]:08x} of this ledger, the key given is"
        f" {key.key_id:08x}. If that is the first key, give --keys FILE as well: the file that"
        " `audit-receiver prove LEDGER --keys FILE` writes"
    )


def _is_second_line(proof: Proof, key: VerifierKey) -> bool:
    """Whether the line that holds is not the ledger's own: notes have that one first."""
    return Note.parse(proof.note).signatures[0].key_id != key.key_id


def _header(proof: Proof) -> dict[str, Any]:
    """The proven entry's header, which must say that it stands where it is proven."""
    import orjson

    try:
        header = orjson.loads(proof.leaf)
    except ValueError as exc:
        raise ProofError(f"what is proven is no entry's header: {exc}") from exc
    if not isinstance(header, dict) or header.get("seq") != proof.index:
        raise ProofError(f"what is proven is not entry {proof.index}'s header")
    return header


def _in_words(path: Path, result: dict[str, Any]) -> list[str]:
    name = safe(str(path))
    if result["verdict"] == "undecided":
        return [f"COULD NOT JUDGE: {name}: {safe(result['message'])}"]
    if result["verdict"] == "tampered":
        return [f"DOES NOT HOLD: {name}: {safe(result['message'])}"]
    lines = [
        f"HOLDS: entry {result['index']:,} is in the tree of {result['size']:,} entries that the"
        " given key signed",
        "",
        f"Origin   {safe(result['origin'])}",
        f"Root     {result['root']} at size {result['size']:,}",
        f"Key      {safe(result['key'])}",
    ]
    if result["log_key"]:
        lines.append(
            "         the log key, which is never changed: it shows that the service published this"
            " checkpoint. Who steals it can sign any past; the first key with --keys bounds that"
        )
    told = {name: result["header"][name] for name in _TOLD if name in result["header"]}
    return lines + [f"{name.capitalize():8} {safe(str(text))}" for name, text in told.items()]
