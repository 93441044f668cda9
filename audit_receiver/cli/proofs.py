"""Checking an offline proof: one entry, one checkpoint, one key, and no ledger."""

import sys
from pathlib import Path
from typing import Any

import click

from audit_receiver.cli.output import safe
from audit_receiver.tlog.bundle import Proof
from audit_receiver.tlog.note import VerifierKey
from audit_receiver.tlog.proof import ProofError

HOLDS, DOES_NOT_HOLD, CANNOT_JUDGE = 0, 1, 2
_TOLD = ("kind", "time", "received", "service", "action", "outcome", "body")


def check(path: Path, key: VerifierKey, form: str) -> int:
    """Judge a proof file and print the result; returns the exit code."""
    result = judge(path.read_bytes(), key)
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


def judge(content: bytes, key: VerifierKey) -> dict[str, Any]:
    """The result as a JSON-ready object."""
    result: dict[str, Any] = {"verdict": "undecided", "message": "", "index": None, "header": None}
    try:
        proof = Proof.parse(content.decode())
    except (ProofError, UnicodeDecodeError) as exc:
        return {**result, "message": f"this cannot be read as a proof: {exc}"}
    result.update(verdict="tampered", index=proof.index)
    try:
        checkpoint = proof.verify(key)
        header = _header(proof)
    except ProofError as exc:
        return {**result, "message": str(exc)}
    return {
        **result,
        "verdict": "intact",
        "message": f"entry {proof.index} is in the tree of {checkpoint.size}",
        "header": header,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "origin": checkpoint.origin,
    }


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
    ]
    told = {name: result["header"][name] for name in _TOLD if name in result["header"]}
    return lines + [f"{name.capitalize():8} {safe(str(text))}" for name, text in told.items()]
