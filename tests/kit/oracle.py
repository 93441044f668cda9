"""The slow twin of a ledger: re-derives every invariant from the rows, on its own.

It shares no code with the product: hashlib, json, a naive Merkle tree, and `cryptography` for the
signatures. Every ledger test ends in it, through `LedgerLab.check`.
"""

import base64
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HEADER_KEYS = {
    *("v", "seq", "prev", "body", "subject", "kind", "id", "time", "received", "flags"),
    *("service", "environment", "tenant", "action", "event", "target_type", "actor_type"),
    *("outcome", "duplicate_of"),
}


def check(path: Path, size: int | None = None) -> None:
    """Re-derive every invariant of a ledger from its rows, slowly and independently."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        connection.execute("BEGIN")  # one view of a ledger that may be growing
        entries = connection.execute(
            "SELECT seq, header, hash, body FROM entry NOT INDEXED ORDER BY seq"
        ).fetchall()
        heads = connection.execute(
            "SELECT size, root, signature, epoch FROM head ORDER BY size"
        ).fetchall()
        nodes = connection.execute("SELECT level, idx, hash FROM node").fetchall()
        schema = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master"
        ).fetchall()
        checkpoints, answers = [], []
        if any(row[1] == "checkpoint" for row in schema):  # not in ledgers of the first schema
            checkpoints = connection.execute("SELECT size, note FROM checkpoint").fetchall()
            answers = connection.execute("SELECT size FROM anchored").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
    assert size is None or len(entries) == size, f"{len(entries)} entries, expected {size}"
    headers = [_check_entry(seq, *row) for seq, row in enumerate(entries)]
    _check_order(headers, entries)
    genesis = json.loads(entries[0][3])["event"]
    _check_schema(genesis, headers, entries, _schema_digest(schema))
    leaves = [hashlib.sha256(b"\0" + row[1].encode()).digest() for row in entries]
    _check_tree(leaves, heads, nodes)
    _check_heads(heads, headers, entries, path.with_suffix(".vkey").read_text())
    _check_checkpoints(checkpoints, answers, heads, _incarnations(headers, entries))
    _check_heartbeats(headers, entries)
    _check_duplicates(headers, entries)


def _check_entry(
    place: int, seq: int, text: str, digest: bytes, body: str | None
) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(text)
    assert seq == place == header["seq"]
    assert text == _canonical(header)
    assert set(header) <= HEADER_KEYS
    assert header["v"] == 1
    assert None not in header.values()
    assert len(text.encode()) < 4096
    assert digest == hashlib.sha3_256(text.encode()).digest()
    assert header["flags"] == sorted(set(header["flags"]))
    assert header["kind"] in {"span", "log", "audit", "ledger"}
    if body is not None:
        content = json.loads(body)
        assert body == _canonical(content)
        assert header["body"] == hashlib.sha3_256(body.encode()).hexdigest()
        assert header["kind"] == content["kind"]
        assert header.get("duplicate_of") == content.get("duplicate_of")
        if header["kind"] != "ledger":
            subject = _canonical(content["subject"]).encode()
            assert header["subject"] == hashlib.sha3_256(subject).hexdigest()
    if header["kind"] == "ledger":
        assert {"id", "subject", "outcome"}.isdisjoint(header)
    else:
        assert len(header["id"]) == 16
        int(header["id"], 16)
        assert header["outcome"] in {"success", "failure", "unknown"}
        assert ("time" in header) is ("missing_time" not in header["flags"])
    return header


def _check_order(headers: list[dict[str, Any]], entries: list[tuple[Any, ...]]) -> None:
    previous, received = "0" * 64, ""
    for header, entry in zip(headers, entries, strict=True):
        assert header["prev"] == previous
        previous = entry[2].hex()
        assert len(header["received"]) == 30
        if header.get("action") != "ledger.recover":  # a new incarnation, a new clock
            assert header["received"] > received
        received = header["received"]
    assert headers[0]["action"] == "ledger.genesis"


def _check_tree(
    leaves: list[bytes], heads: list[tuple[Any, ...]], nodes: list[tuple[Any, ...]]
) -> None:
    known: dict[tuple[int, int], bytes] = {}

    def root(lo: int, hi: int) -> bytes:  # RFC 6962, 2.1, word for word
        if hi - lo == 0:
            return hashlib.sha256(b"").digest()
        if hi - lo == 1:
            return leaves[lo]
        if (lo, hi) not in known:
            split = 1
            while split * 2 < hi - lo:
                split *= 2
            left, right = root(lo, lo + split), root(lo + split, hi)
            known[lo, hi] = hashlib.sha256(b"\1" + left + right).digest()
        return known[lo, hi]

    for size, digest, _, _ in heads:
        assert digest == root(0, size), f"head {size}"
    expected = {}
    for level in range(1, 8):
        width = 256**level
        for idx in range(len(leaves) // width):
            expected[level, idx] = root(idx * width, (idx + 1) * width)
    assert {(level, idx): digest for level, idx, digest in nodes} == expected
    assert heads[0][0] == 1, "genesis has a head of its own"
    assert heads[-1][0] == len(leaves), "no unsigned tail"


def _check_heads(
    heads: list[tuple[Any, ...]], headers: list[dict[str, Any]], entries: list[Any], vkey: str
) -> None:
    """Every head is signed by the key of its epoch; the first key is the one beside the ledger."""
    named = {
        seq: json.loads(entries[seq][3])["event"]["vkey"]
        for seq, header in enumerate(headers)
        if header["kind"] == "ledger"
        and header["action"] in ("ledger.genesis", "ledger.key", "ledger.recover")
    }
    recovers = {seq for seq in named if headers[seq]["action"] == "ledger.recover"}
    genesis = json.loads(entries[0][3])["event"]
    assert genesis["vkey"] == named[0] == vkey.strip()
    assert len(set(named.values())) == len(named), "a key came back"
    sizes = {size for size, _, _, _ in heads}
    for size, root, signature, epoch in heads:
        first = {seq: seq + (1 if seq in recovers or seq == 0 else 2) for seq in named}
        expected = max(seq for seq in named if first[seq] <= size)
        assert epoch == expected, f"head {size}"
        name, key_id, key = named[expected].split("+", 2)
        raw = base64.b64decode(key)
        assert raw[:1] == b"\1"
        assert hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == key_id
        begun = max(seq for seq in {0, *recovers} if seq <= expected)
        assert name == json.loads(entries[begun][3])["event"]["origin"]
        public = Ed25519PublicKey.from_public_bytes(raw[1:])
        public.verify(signature, f"{name}\n{size}\n{base64.b64encode(root).decode()}\n".encode())
    for seq in named:
        assert seq + 1 in sizes, f"the entry {seq} names a key and is not the last of its commit"


def _incarnations(headers: list[dict[str, Any]], entries: list[Any]) -> dict[int, str]:
    """seq -> log key of each entry that begins an incarnation."""
    return {
        seq: json.loads(entries[seq][3])["event"]["log_vkey"]
        for seq, header in enumerate(headers)
        if header.get("action") in ("ledger.genesis", "ledger.recover")
    }


def _check_schema(
    genesis: dict[str, Any], headers: list[dict[str, Any]], entries: list[Any], digest: str
) -> None:
    """The schema is the one that the genesis, and `schema` entries after it, lead to."""
    stated = genesis["schema_sha3"]
    for seq, header in enumerate(headers):
        if header.get("action") == "ledger.schema":
            event = json.loads(entries[seq][3])["event"]
            assert event["old"] == stated
            stated = event["new"]
    assert stated == digest


def _check_checkpoints(
    checkpoints: list[tuple[int, str]],
    answers: list[tuple[int]],
    heads: list[tuple[Any, ...]],
    incarnations: dict[int, str],
) -> None:
    """Each note says what the head of its size says; its lines are the head's and the log key's."""
    by_size = {head[0]: head for head in heads}
    for size, note in checkpoints:
        _, root, signature, _ = by_size[size]
        log_vkey = incarnations[max(seq for seq in incarnations if seq < size)]
        name, _, encoded = log_vkey.split("+", 2)
        log_key = base64.b64decode(encoded)
        text, _, lines = note.partition("\n\n")
        assert text.split("\n")[0] == name
        assert text.split("\n")[1:] == [str(size), base64.b64encode(root).decode()]
        first, *more = [base64.b64decode(line.split(" ")[2]) for line in lines.splitlines()]
        assert first[4:] == signature
        for line in more:
            assert line[:4] == hashlib.sha256(name.encode() + b"\n" + log_key).digest()[:4]
            public = Ed25519PublicKey.from_public_bytes(log_key[1:])
            public.verify(line[4:], f"{text}\n".encode())
    assert {size for (size,) in answers} <= {size for size, _ in checkpoints}


def _check_heartbeats(headers: list[dict[str, Any]], entries: list[tuple[Any, ...]]) -> None:
    first = 0
    for seq, header in enumerate(headers):
        if header.get("action") != "ledger.heartbeat":
            continue
        event = json.loads(entries[seq][3])["event"]
        assert (event["from"], event["to"]) == (first, seq - 1)
        between = Counter(
            (other.get("action", ""), other.get("outcome", "")) for other in headers[first:seq]
        )
        expected = [[action, outcome, n] for (action, outcome), n in sorted(between.items())]
        assert event["tallies"] == expected
        first = seq  # the next heartbeat counts this one: every entry is counted once


def _check_duplicates(headers: list[dict[str, Any]], entries: list[tuple[Any, ...]]) -> None:
    first_of: dict[tuple[Any, ...], int] = {}
    conflicts = set()
    for seq, header in enumerate(headers):
        if header["kind"] == "ledger":
            continue
        key = (header.get("time"), header["id"])
        flags = header["flags"]
        assert ("duplicate" in flags) is ("duplicate_of" in header)
        if "duplicate" in flags:
            original = headers[header["duplicate_of"]]
            assert header["duplicate_of"] < seq
            assert (original.get("time"), original["id"]) == key
            assert "duplicate_of" not in original
        elif "conflict" in flags:
            assert key in first_of
            conflicts.add(seq)
        elif entries[seq][3] is not None and _has_identity(json.loads(entries[seq][3])):
            assert key not in first_of, f"{seq} stored twice, first at {first_of[key]}"
        first_of.setdefault(key, seq)
    told = set()
    for seq, header in enumerate(headers):
        if header.get("action") == "ledger.incident" and entries[seq][3] is not None:
            event = json.loads(entries[seq][3])["event"]
            if event["incident"] == "conflict":
                told |= {pair[0] for pair in event["entries"]}
    assert told == conflicts


def _has_identity(body: dict[str, Any]) -> bool:
    attributes, otlp = body["attributes"], body["otlp"]
    if attributes.get("audit.record.id") or attributes.get("log.record.uid"):
        return True
    return body["kind"] == "span" and {"trace_id", "span_id"} <= set(otlp)


def _schema_digest(rows: Iterable[tuple[Any, ...]]) -> str:
    digest = hashlib.sha3_256()
    for kind, name, table, sql in sorted(rows, key=lambda row: (row[0], row[1])):
        if sql is None or (kind == "table" and name in ("sqlite_stat1", "sqlite_stat4")):
            continue
        digest.update(f"{kind}\0{name}\0{table}\0{sql}\n".encode())
    return digest.hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
