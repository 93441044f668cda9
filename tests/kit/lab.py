"""LedgerLab: a ledger in a box, and an oracle that re-derives every invariant on its own.

The oracle shares no code with the product: hashlib, json, a naive Merkle tree, and `cryptography`
for the signatures. Every ledger test ends in `lab.check(size)`.
"""

import base64
import hashlib
import json
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit_receiver.ledger.appender import (
    Appended,
    Appender,
    Clock,
    Commit,
    LedgerSettings,
    Observer,
)
from audit_receiver.record import body, timestamp
from audit_receiver.record.model import Draft, Observation, Shared
from audit_receiver.record.normalise import Vocabulary, normalise

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z
HEADER_KEYS = {
    *("v", "seq", "prev", "body", "subject", "kind", "id", "time", "received", "flags"),
    *("service", "environment", "tenant", "action", "event", "target_type", "actor_type"),
    *("outcome", "duplicate_of"),
}


def draft(
    record_id: str = "",
    *,
    time_unix_nano: int = START,
    action: str = "user.login",
    outcome: str = "success",
    service: str = "svc",
    span: str = "",
    kind: str = "",
    **attributes: Any,
) -> Draft:
    """One finished audit record: with a record id, as a span (two digits of `span`), or neither."""
    kind = kind or ("span" if span else "log")
    given = {"audit.action": action, "audit.outcome": outcome, "audit.actor.id": "ann"}
    given |= {"audit.target.id": "bob", "audit.source.id": "10.0.0.1"}
    if record_id:
        given["audit.record.id"] = record_id
    given.update({name.replace("_", "."): value for name, value in attributes.items()})
    otlp: dict[str, Any] = {}
    trace_id, span_id = span * 16, span * 8
    if span:
        otlp = {"name": "audit", "span_id": span_id, "trace_id": trace_id}
    if time_unix_nano:
        otlp["start" if kind == "span" else "time"] = timestamp.render(time_unix_nano)
    resource = {"attributes": {"service.name": service}}
    observation = Observation(
        kind=kind,
        resource=Shared(resource, _canonical(resource), resource["attributes"], frozenset()),
        scope=Shared({}, "{}", {}, frozenset()),
        attributes=given,
        attributes_raw=None,
        otlp=otlp,
        name="audit" if span else "",
        event_attributes=(),
        status_code=0,
        time_unix_nano=time_unix_nano,
        trace_id=trace_id,
        span_id=span_id,
        flags=frozenset(),
    )
    return body.encode(normalise(observation, Vocabulary()), b"{}", os.urandom(32))


class FakeClock:
    """Two clocks that stand still until they are moved."""

    def __init__(self, wall: int = START, monotonic: int = 1_000 * SECOND) -> None:
        self.wall = wall
        self.monotonic = monotonic

    def pass_seconds(self, seconds: float) -> None:
        """Time goes by for both clocks."""
        self.wall += int(seconds * SECOND)
        self.monotonic += int(seconds * SECOND)

    def clock(self) -> Clock:
        """As the service lends it to the ledger."""
        return Clock(lambda: self.wall, lambda: self.monotonic)


class Witness(Observer):
    """Remembers what the writer told."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.incidents: list[str] = []
        self.troubles: list[str] = []
        self.fatals: list[Exception] = []
        self.changed = threading.Event()

    def committed(self, commit: Commit) -> None:
        self.commits.append(commit)

    def incident(self, kind: str) -> None:
        self.incidents.append(kind)

    def trouble(self, reason: str) -> None:
        self.troubles.append(reason)
        self.changed.set()

    def fatal(self, error: Exception) -> None:
        self.fatals.append(error)
        self.changed.set()


class LedgerLab:
    """A ledger in a directory of its own, with a clock that the test moves."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.path = directory / "lab" / "ledger.db"
        self.clock = FakeClock()
        self.witness = Witness()
        self.appender: Appender = None  # type: ignore[assignment]
        self._settings: dict[str, Any] = {
            "path": self.path,
            "name": "lab",
            "heartbeat_seconds": 3600.0,
            "disk_reserve_bytes": 0,
            "version": "0",
            "config_digest": "00",
            **settings,
        }

    def open(self, **changes: Any) -> Appender:
        """Start the writer; settings can change from one start to the next."""
        self._settings.update(changes)
        settings = LedgerSettings(**self._settings)
        self.appender = Appender.open(settings, self.clock.clock(), self.witness)
        return self.appender

    def close(self) -> str:
        """Stop cleanly."""
        return self.appender.close()

    def append(self, *drafts: Draft) -> Appended:
        """Store one request and wait for its commit; the two clocks go on by a millisecond."""
        self.clock.pass_seconds(0.001)
        return self.appender.append(drafts, timeout_seconds=20)

    def settle(self) -> None:
        """Let the writer take one turn: own records that wait are durable afterwards."""
        self.append()

    def together(self, *requests: Sequence[Draft]) -> list[Appended | Exception]:
        """Hold the writer back until all these requests wait, so that they become one group."""
        entered, gate, finished = threading.Event(), threading.Event(), threading.Semaphore(0)
        results: list[Appended | Exception] = [RuntimeError("no answer")] * len(requests)

        def hold(_: object) -> None:
            entered.set()
            gate.wait(20)

        def keep(place: int, result: Appended | Exception) -> None:
            results[place] = result
            finished.release()

        self.appender.submit([], hold)
        assert entered.wait(20)
        for place, drafts in enumerate(requests):
            self.appender.submit(drafts, partial(keep, place))
        gate.set()
        for _ in requests:
            assert finished.acquire(timeout=20)
        return results

    def wait_for_trouble(self, trouble: bool = True) -> str:
        """Wait until the ledger is out of service (or back); returns the reason."""
        deadline = time.monotonic() + 20
        while self.appender.status().ok is trouble:
            assert time.monotonic() < deadline, self.appender.status()
            time.sleep(0.005)
        return self.appender.status().reason

    def discard(self) -> None:
        """Stop whatever still runs, in any state."""
        if self.appender is not None and self.appender._thread.is_alive():
            self.appender.close(drain_seconds=0)

    def crash(self) -> None:
        """Leave as a killed process does: nothing is written, only the kernel tidies up."""
        crash(self.appender)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Look into the file with a connection that can only read."""
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def headers(self) -> list[dict[str, Any]]:
        """All headers, parsed."""
        return [json.loads(text) for (text,) in self.rows("SELECT header FROM entry ORDER BY seq")]

    def events(self, action: str = "") -> list[dict[str, Any]]:
        """The `event` objects of the own records, with the name of each under "is"."""
        found = self.rows("SELECT action, body FROM entry WHERE kind = 'ledger' ORDER BY seq")
        events = [
            {"is": name.removeprefix("ledger."), **json.loads(body)["event"]}
            for name, body in found
        ]
        return [event for event in events if action in ("", event["is"])]

    def incidents(self) -> list[str]:
        """The kinds of all recorded incidents."""
        return [event["incident"] for event in self.events("incident")]

    def dump(self) -> str:
        """One line an entry, for a test that fails."""
        return "\n".join(json.dumps(header, sort_keys=True) for header in self.headers())

    def check(self, size: int | None = None) -> None:
        """The oracle: raise AssertionError unless every invariant holds (and the size is this)."""
        check(self.path, size)


def crash(appender: Appender) -> None:
    """Take the ledger away from an appender the way kill -9 does, in this process.

    The connection is closed without the checkpoint and the deletion of the WAL that a last close
    does: a second connection is held open meanwhile, so that this one is not the last.
    """
    path = appender._writer.pen.guard._ledger
    bystander = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
    bystander.execute("SELECT count(*) FROM entry").fetchone()
    appender._closing = True
    appender._finish = lambda: None  # type: ignore[method-assign]
    appender._waiting.wake()
    appender._thread.join(30)
    assert not appender._thread.is_alive()
    appender._writer.pen.connection.close()
    bystander.close()
    appender._lock.release()


# --- the oracle --------------------------------------------------------------------------


def check(path: Path, size: int | None = None) -> None:
    """Re-derive every invariant of a ledger from its rows, slowly and independently."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
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
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
    assert size is None or len(entries) == size, f"{len(entries)} entries, expected {size}"
    headers = [_check_entry(seq, *row) for seq, row in enumerate(entries)]
    _check_order(headers, entries)
    genesis = json.loads(entries[0][3])["event"]
    assert genesis["schema_sha3"] == _schema_digest(schema)
    leaves = [hashlib.sha256(b"\0" + row[1].encode()).digest() for row in entries]
    _check_tree(leaves, heads, nodes)
    _check_heads(heads, genesis, path.with_suffix(".vkey").read_text())
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


def _check_heads(heads: list[tuple[Any, ...]], genesis: dict[str, Any], vkey: str) -> None:
    assert genesis["vkey"] == vkey.strip()
    name, key_id, key = vkey.strip().split("+", 2)
    raw = base64.b64decode(key)
    assert raw[:1] == b"\1"
    assert hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == key_id
    assert name == genesis["origin"]
    public = Ed25519PublicKey.from_public_bytes(raw[1:])
    for size, root, signature, epoch in heads:
        text = f"{name}\n{size}\n{base64.b64encode(root).decode()}\n"
        public.verify(signature, text.encode())
        assert epoch == 0


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


__all__ = [
    "SECOND",
    "START",
    "Appended",
    "FakeClock",
    "LedgerLab",
    "Witness",
    "check",
    "crash",
    "draft",
]
