#!/usr/bin/env python3
"""Verify a ledger of audit-receiver, with nothing but Python's standard library (3.8 or newer).

    python3 verify.py ledger.db --vkey ledger.vkey --checkpoint checkpoint.txt
    python3 verify.py --proof entry.tlog-proof --vkey ledger.vkey
Further: --checkpoint may stand several times; --every-head checks each signature; --json.
Written from docs/ledger-format.md alone ("§" below); it shares no code with the program.
Exit: 0 holds, 1 does not hold, 2 could not judge (or wrong use), 3 holds, but records lie behind
every checkpoint that was given. The file is opened read-only and is never changed.
"""

# fmt: off
from __future__ import annotations

import argparse
import base64
import datetime
import decimal
import hashlib
import json
import re
import sqlite3
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

SCHEMAS = {  # §11: every schema that was ever released
    "3cace8f0aaecf37424cba2d9762b6866938b55b40d03bbe83e03226ae7f24ed0",
    "8d81019cf581150b44beb3bd7c20ba4e22bfbae54883459ae980a491a9e433e3"}

def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
def sha3(text: str) -> str:
    return hashlib.sha3_256(text.encode("utf-8", "surrogateescape")).hexdigest()
# ---- Ed25519 (RFC 8032, 5.1.7); a point is X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z ------------
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
def add(p: Any, q: Any) -> Any:  # the sum of two points, which may be the same
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)

def point(data: bytes) -> Any:  # the point that 32 bytes say; ValueError where they say none
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)
BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:  # s·B - k·A is R
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    x, y, _, t = point(key)
    minus = (P - x, y, 1, P - t)
    pick, total = ((), BASE, minus, add(BASE, minus)), (0, 1, 1, 0)
    for bit in range(max(s, k).bit_length() - 1, -1, -1):  # both products in one go
        total = add(total, total)
        choice = (s >> bit & 1) | (k >> bit & 1) << 1
        total = add(total, pick[choice]) if choice else total
    x, y = (one * pow(total[2], P - 2, P) % P for one in total[:2])
    encoded = (y | (x & 1) << 255).to_bytes(32, "little")
    return len(signature) == 64 and s < ORDER and encoded == signature[:32]
# ---- verifier keys and checkpoints (§9, §10; C2SP signed-note, tlog-checkpoint) ------------------
KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
LINE = "\u2014 ([^\\s+\0-\x1f\x7f\ufffd]+) ([A-Za-z0-9+/=]{7,})\n"
HEAD = r"([A-Za-z0-9._~/-]{1,200})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n"
def unbase64(text: str) -> bytes:  # what standard base64 says, in its one spelling
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not the one base64 spelling")
    return data

Key = NamedTuple("Key", [("name", str), ("key_id", bytes), ("public", bytes)])  # noqa: UP014
def parse_key(text: Any) -> Key:  # a verifier key: name+keyid+base64(01 ‖ public key)
    match = KEY.fullmatch(text if type(text) is str else "")
    raw = unbase64(match[3]) if match else b""
    named = match and sha256(match[1].encode() + b"\n" + raw)[:4].hex() == match[2]
    if not match or not named or len(raw) != 33 or raw[0] != 1:
        raise ValueError("a verifier key is name+id+key, base64 of 01 and 32 bytes")
    return Key(match[1], bytes.fromhex(match[2]), raw[1:])
class Checkpoint(NamedTuple):
    origin: str
    size: int
    root: bytes
    text: bytes
    lines: Sequence[tuple[str, bytes]]  # name; key id and signature

    @classmethod
    def parse(cls, note: Any) -> Checkpoint:
        text = note if type(note) is str else bytes(note).decode()
        match = re.fullmatch(f"({HEAD})\n((?:{LINE})+)", text[:1_000_000])
        if not match or int(match[3]) >= 2**63:
            raise ValueError("a checkpoint is origin, size, root, an empty line, signatures")
        lines = [(name, unbase64(data)) for name, data in re.findall(LINE, match[5])]
        return cls(match[2], int(match[3]), unbase64(match[4]), match[1].encode(), lines)

    def is_by(self, key: Key) -> bool:  # whether it has a line; ValueError if that is wrong
        mine = [raw[4:] for name, raw in self.lines if (name, raw[:4]) == key[:2]]
        if not all(is_signed(key.public, self.text, one) for one in mine):
            raise ValueError("its signature does not verify")
        return bool(mine)

def head_text(origin: str, size: int, root: bytes) -> bytes:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
def size_of(note: str) -> int:  # the size that a note names, 0 if it names none
    return int((re.match("[^\n]*\n([0-9]{1,19})\n", note) or "00")[1])
# ---- canonical text (§1) -------------------------------------------------------------------------
fractions: list[Any] = []  # in the text that was read last
def number(text: str) -> Any:  # what JSON text says; ValueError for what no canonical text has
    is_integer = text.lstrip("-").isdigit() and len(text) < 18
    value = int(text) if is_integer else float(text)
    fractions.extend([] if is_integer else [value])
    if abs(value) > 2**53 - 1 or not (is_integer or value % 1):
        raise ValueError(f"{text} is not how a number is written")
    return value
READER = json.JSONDecoder(parse_float=number, parse_int=number, parse_constant=int)
WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

def canonical(value: Any) -> str:  # RFC 8785; slower than WRITER, which knows no fractions
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{WRITER.encode(k)}:{canonical(value[k])}" for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):  # ECMAScript has Python's digits, and another exponent
        tiny = abs(value) < 1e-6
        return repr(value).replace("e-0", "e-") if tiny else f"{decimal.Decimal(repr(value)):f}"
    return WRITER.encode(value)

def parse(text: str) -> tuple[Any, bool]:  # the value of JSON, and whether it is canonical
    fractions.clear()
    value = READER.decode(text)
    plain = not fractions and (text.isascii() or max(text) <= "\uffff")  # WRITER agrees
    return value, (WRITER.encode(value) if plain else canonical(value)) == text
# ---- headers (§5): no value has an escape, so that one expression describes them all -------------
UNSEEN = '\0-\x1f"@\\\\\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff'
TOKEN, HASH, COUNT = f'"[^{UNSEEN}]{{1,120}}"', '"[0-9a-f]{64}"', "0|[1-9][0-9]{0,15}"
TIME = '"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{9}Z"'
TOKENS = ("action", "actor_type", "environment", "event", "service", "target_type", "tenant")
FORMS = {
    **dict.fromkeys(TOKENS, TOKEN), "body": HASH, "prev": HASH, "subject": HASH,
    "duplicate_of": COUNT, "seq": COUNT, "v": "1", "time": TIME, "received": TIME,
    "flags": r'\[(?:"[a-z0-9_]{1,32}",?)*(?<!,)\]', "id": '"[0-9a-f]{16}"',
    "kind": '"(?:span|log|audit|ledger)"', "outcome": '"(?:success|failure|unknown)"'}
ALWAYS = {"body", "flags", "kind", "prev", "received", "seq", "v"}
FIELDS = [(name, "" if name in ALWAYS else "?") for name in sorted(FORMS)]
HEADER = re.compile("".join(f'(?:"{n}":(?:{FORMS[n]}),){often}' for n, often in FIELDS))
def is_token(text: str) -> bool:
    return bool(re.fullmatch(TOKEN, f'"{text}"')) and len(text.encode()) <= 120

def parse_header(text: str) -> dict[str, Any]:  # ValueError for what is no header
    inside = text[1:-1] + "," if text[:1] + text[-1:] == "{}" else ""
    if not HEADER.fullmatch(inside) or len(text.encode()) > 4095:
        value = parse(text)[0]
        if type(value["v"]) is not int or value["v"] < 2:
            raise ValueError("the header has not the keys and values of §5")
        return {name: value[name] for name in ("seq", "prev", "body")}  # §14
    header: dict[str, Any] = json.loads(text)
    flags, own = header["flags"], set(header) - ALWAYS
    times = [header[name] for name in ("received", "time") if name in header]
    for time in times:
        datetime.datetime.fromisoformat(time[:19])
    rules = [
        "1970" <= min(times) <= max(times) <= "2554-07-21T23:34:33.709551615Z",
        header.get("duplicate_of", -1) < header["seq"] < 2**53,
        flags == sorted(set(flags)) and not any("withheld_" + name in flags for name in own),
        all(is_token(header[name]) for name in own & {*TOKENS})]
    if header["kind"] == "ledger":
        rules += [own == {"action", "time"}, header.get("action", "").startswith("ledger.")]
    else:
        rules += [
            {"id", "outcome", "subject"} <= own, ("time" in own) != ("missing_time" in flags),
            (header.get("outcome") == "unknown") == ("missing_outcome" in flags),
            ("duplicate_of" in own) == ("duplicate" in flags),
            "action" in own or bool({"missing_action", "withheld_action"} & {*flags})]
    if not all(rules):
        raise ValueError("kind, flags, times and fields of the header contradict each other")
    return header
def text_of(value: Any) -> str:  # §4, rule 2, as header tokens have it: `$utf8` never is one
    form, inside = next(iter(value.items())) if isinstance(value, dict) and value else ("", value)
    if type(inside) is str and (not form or form in ("$int", "$double", "$bytes", "$utf8")):
        return "" if form == "$utf8" else inside
    return canonical(value)
FROM = {  # where in the body of a record each field comes from; the first that says something
    "action": ["audit action"], "outcome": ["audit outcome"], "tenant": ["audit tenant"],
    "actor_type": ["audit actor type"], "target_type": ["audit target type"], "kind": ["kind"],
    "environment": [f"resource attributes deployment.environment{end}" for end in (".name", "")],
    "event": ["otlp event_name", "attributes event.name"], "duplicate_of": ["duplicate_of"],
    "service": ["resource attributes service.name"],
    "time": ["otlp start", "otlp end", "otlp time", "otlp observed_time"]}
PATHS = [(name, [one.split() for one in paths]) for name, paths in FROM.items()]
def relabelled(header: Any, body: Any) -> str:  # the field that does not say what the body does
    event, says = body.get("event"), {"kind": body["kind"]}
    if header["kind"] == "ledger":
        says.update(action="ledger." + event["name"], time=event["time"])
    else:
        says.update(outcome="unknown", subject=sha3(canonical(body["subject"])))
        for name, paths in PATHS:
            paths = [["otlp", "name"]] if name == "event" and body["kind"] == "span" else paths
            found = [reduce(lambda at, key: at.get(key, {}), path, body) for path in paths]
            for value in [value for value in found if value not in (None, "", {})][:1]:
                value = text_of(value) if name in TOKENS else value
                fits = name not in TOKENS or is_token(value)
                says.update({name: value} if fits else {"withheld_" + name: True})
    stated = {name: header[name] for name in header if name in FROM or name == "subject"}
    stated.update((flag, True) for flag in header["flags"] if flag.startswith("withheld_"))
    return min((name for name, _ in stated.items() ^ says.items()), default="")
# ---- the ledger (§12) ----------------------------------------------------------------------------
IGNORED = {("table", f"sqlite_stat{n}") for n in (1, 4)}
IGNORED |= {("table", f"_litestream_{name}") for name in ("seq", "lock")}
ERASABLE = {"ledger." + name for name in ("start", "stop", "heartbeat", "read", "incident")}
KEPT = {"checkpoint": "SELECT size, note FROM main.checkpoint",
        "anchored": "SELECT size, content FROM main.anchored WHERE kind = 'cosignature'"}
EMPTY: Any = {}
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
class Altered(ValueError):
    """A hash that is not the text's, or a field that is not the body's."""
class Ledger:
    """One pass over the entries; then heads, nodes and notes are compared with what it gave."""
    def __init__(self, db: sqlite3.Connection, key: Key | None, pinned: bool = False) -> None:
        self.query, self.key, self.pinned = db.execute, key, pinned
        # sizes of outside notes that hold; lost notes that `recover` names; ranges without bodies;
        # roots of the tree's perfect subtrees, the largest first
        empty: Any = ([], [], [], [], [], [], {}, {}, {0: sha256(b"")})
        self.findings, self.undecided, self.agreed, self.declared, self.allowed = empty[:5]
        self.subtrees, self.newest, self.nodes, self.roots = empty[5:]
        self.size, self.lost, self.counting = 0, False, True  # lost where entries are missing
        # numbers of rows, and of the headers in them; seqs of records, and of what has no body
        self.rows, self.claims, self.records, self.gone = (array("q") for _ in range(4))
        self.before: Sequence[str] = ("0" * 64,)  # the hash of the row before: stored, computed
        self.epochs = [(0, 0, key)] if key else []  # first size, seq that names the key, key
        self.origin = self.stated = self.digest = self.received = ""
        self.holds: dict[str, list[tuple[int, int]]] = {}  # in force, by name
        self.tally: Counter[Any] = Counter()  # of entries since the last heartbeat
        self.beat = self.later = self.last = self.covered = self.most = self.signatures = 0
    def add(self, kind: str, first: Any, last: Any, message: str) -> None:  # neighbours become one
        one = self.newest.get((kind, message))
        if one and first is not None and first <= one["last"] + 1:
            one.update(first=min(first, one["first"]), last=max(last, one["last"]))
        elif not one or len(self.findings) < 10_000:
            one = {"kind": kind, "first": first, "last": last, "message": message[:400]}
            self.findings.append(one)
            self.newest[kind, message] = one
    def judge(self, notes: dict[str, str], every_head: bool) -> None:  # sqlite3.Error ends it
        sql = "SELECT type, name, tbl_name, sql FROM sqlite_master"
        rows = [row for row in self.query(sql) if row[3] and row[:2] not in IGNORED]
        lines = sorted("\0".join(map(str, row)).encode("utf-8", "surrogateescape") for row in rows)
        self.digest = hashlib.sha3_256(b"".join(line + b"\n" for line in lines)).hexdigest()
        if self.digest not in SCHEMAS:
            self.add("schema", None, None, f"no schema was released with its digest {self.digest}")
        for name, value in (("application_id", 1096107597), ("user_version", 1)):
            if self.query(f"PRAGMA {name}").fetchone()[0] != value:
                self.add("schema", None, None, f"{name} is not {value}")
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
        tables = {name for (name,) in self.query(sql)}  # no view is ever read
        if not {"entry", "head", "node"} <= tables:
            raise sqlite3.DatabaseError("entry, head or node is no table")
        sqls = [f"SELECT size FROM main.{table}" for table in ("head", *(KEPT.keys() & tables))]
        sizes = {*map(size_of, notes.values()), *(n for sql in sqls for (n,) in self.query(sql))}
        sql = "SELECT seq, header, hash, body FROM main.entry NOT INDEXED ORDER BY seq"
        for entry in self.query(sql):
            self.entry(*entry)
            if self.size in sizes:
                self.roots[self.size] = self.root()
        self.order()
        self.heads(every_head)
        self.rest()
        for table in sorted(KEPT.keys() & tables):
            for at, row in enumerate(self.query(KEPT[table])):
                if every_head or at % 200 == 0:
                    self.note(f"a note in {table}", *row)
        for name, text in sorted(notes.items(), key=lambda note: size_of(note[1])):
            self.note(name, None, text)
        self.query("PRAGMA ignore_check_constraints = ON")  # each row was judged by itself
        for (told,) in self.query("PRAGMA integrity_check(50)"):
            if told != "ok" and not re.match("(CHECK|NULL|NUMERIC|TEXT) ", told):
                words = re.sub("row [0-9]+ missing", "rows are missing", told)
                self.add("index", None, None, f"integrity_check: {words}")
    def entry(self, seq: int, text: Any, stored: Any, body: Any) -> None:  # judge one row
        header, hashes, event, fault = EMPTY, EMPTY, None, ""
        try:
            hashes = (stored.hex(), sha3(text))
            if hashes[0] != hashes[1]:
                raise Altered("the hash is not that of the header")
            header = parse_header(text)
            event = self.body(seq, header, body)
        except MALFORMED as error:
            fault = "altered" if type(error) is Altered else "canonical"
            self.add(fault, seq, seq, f"§3, §5: {error}")
        row, claim = (self.rows[-1], self.claims[-1]) if self.rows else (-1, -1)
        follows = seq == row + 1 and header.get("seq", claim + 1) == claim + 1
        claim = header.get("seq", claim + 1 if follows else seq)
        if follows and header and header["prev"] not in self.before:
            self.add("altered", max(row, 0), seq, "hash and `prev` of these two do not fit")
            follows = False
        self.before, received = hashes, header.get("received", "")
        self.rows.append(seq)
        self.claims.append(claim)
        if self.size < seq < self.size + 2**32:
            self.lost, self.size = True, seq
        self.push(str(text).encode("utf-8", "surrogateescape"))
        self.counting = self.counting and follows and not fault
        action = header.get("action", "")
        if follows and "" < received <= self.received and action != "ledger.recover":
            self.add("time", seq, seq, "it was received no later than the entry before")
        self.received = received or self.received
        self.tally[action, header.get("outcome", "")] += 1
        if header and header.get("kind") != "ledger":
            self.records.append(seq)
        elif event and not fault:
            try:
                self.own(seq, action[7:], event)
            except MALFORMED as error:
                self.add("key", seq, seq, f"it is no such record: {error}")
    def body(self, seq: int, header: dict[str, Any], body: Any) -> Any:  # gives an own event
        if body is None:
            self.gone.append(seq)
            if header.get("kind") == "ledger" and header["action"] not in ERASABLE:
                self.add("body_missing", seq, seq, "such a body is never erased")
            return None
        if sha3(body) != header["body"]:
            raise Altered("the body is not the one whose hash is in the header")
        if "v" not in header:
            self.later = self.later or seq
            return None
        value, is_canonical = parse(body)
        if not is_canonical or type(value.get("duplicate_of", 0)) is not int:
            raise ValueError("the body is not in canonical form")
        if relabelled(header, value):
            raise Altered(f"the header's {relabelled(header, value)} is not what the body says")
        return value.get("event")
    def push(self, header: bytes) -> None:  # RFC 6962: grow the tree by one leaf
        top, height, self.size = sha256(b"\0" + header), 1, self.size + 1
        while not self.lost and self.size % (1 << height) == 0:
            top = sha256(b"\1" + self.subtrees.pop() + top)
            if height % 8 == 0:
                self.nodes[height // 8, (self.size >> height) - 1] = top
            height += 1
        self.subtrees.append(top)
    def root(self) -> bytes:  # the tree's root; none where entries are missing
        root = self.subtrees[-1] if self.subtrees else sha256(b"")
        for left in self.subtrees[-2::-1]:
            root = sha256(b"\1" + left + root)
        return b"" if self.lost else root
    def own(self, seq: int, name: str, event: Any) -> None:  # records of the ledger itself (§8)
        if (name == "genesis") != (seq == 0):
            raise ValueError("entry 0, and no other, is the genesis")
        if name in ("genesis", "key", "recover"):
            key, known = parse_key(event["vkey"]), [one[2] for one in self.epochs if seq]
            if key.name != event.get("origin", self.origin) or key in known:
                raise ValueError("the key has another name than the ledger, or had its epoch")
            if name == "recover":
                size, told = event["size"], event.get("signature")
                root, end = self.roots.get(size, b""), max(size, 1)  # what no head covers is void
                self.epochs = [one for one in self.epochs if one[1] < end]
                self.allowed = [one for one in self.allowed if one[2] < end]
                self.declared = [one for one in self.declared if one[3] < end]
                old = self.epoch(self.size)[2]
                new = f"{key.name}\n{event['vkey']}\n".encode()
                new = b"recover/v1\n" + head_text(old.name if old else "", size, root) + new
                sql = "SELECT max(size) FROM main.head WHERE size <= ?"
                if root.hex() != event["root"] or self.query(sql, (seq,)).fetchone()[0] != size:
                    self.add("altered", seq, seq, "it carries on from another head")
                elif told and not (old and is_signed(old.public, new, unbase64(told))):
                    self.add("key", seq, seq, "the key before has not signed the recovery")
                elif not told and self.pinned and key != self.key:
                    self.undecided.append(f"who recovered at entry {seq}: the old key was lost")
            if name == "genesis":
                self.stated, self.epochs = event.get("schema_sha3"), []
            self.origin = key.name
            self.epochs.append((seq + 2 if name == "key" else seq + 1, seq, key))
            for told in event.get("lost") or []:  # notes of a history that is not held any more
                self.declared.append((told["origin"], int(told["size"]), told["root"], seq))
        elif name == "schema":
            if event.get("old") != self.stated:
                self.add("schema", seq, seq, "the old schema is not the one stated before")
            self.stated = event.get("new")
        elif name in ("erase", "prune", "hold"):
            told = event.get("ranges") if type(event.get("ranges")) is list else []
            pairs = [(p[0], min(p[1], seq - 1)) for p in told if type(p) is list
                     and [*map(type, p)] == [int, int]]
            if name == "hold":
                self.holds[str(event.get("hold"))] = pairs if event.get("state") == "add" else []
                return
            held = sorted(pair for ranges in self.holds.values() for pair in ranges)
            for first, last in pairs:  # what is held is not allowed
                for begin, end in [*held, (last + 1, last + 1)]:
                    self.allowed += [(first, min(begin - 1, last), seq)] if begin > first else []
                    first = max(first, end + 1)
        elif name == "heartbeat":
            self.tally, tally = Counter({("ledger.heartbeat", ""): 1}), self.tally
            tally -= self.tally  # a heartbeat counts up to itself, and the next one counts it
            counted, ends = canonical(event["tallies"]), canonical([event["from"], event["to"]])
            if self.counting and counted != canonical([[*k, n] for k, n in sorted(tally.items())]):
                self.add("missing", self.beat, seq - 1, "a heartbeat counted other entries")
            elif self.counting and ends != canonical([self.beat, seq - 1]):
                self.add("altered", self.beat, seq - 1, "a heartbeat counted from or to elsewhere")
            self.beat, self.counting = seq, self.claims[-1] == seq
    def order(self) -> None:  # what stands otherwise than in the order 0, 1, 2, …
        rows, claims, end = self.rows, self.claims, 0
        if all(row == at == claims[at] for at, row in enumerate(rows)):
            return
        known = sorted(set(claims))
        for claim in known:
            if claim > end:
                self.add("missing", end, claim - 1, "the entries are gone")
            end = claim + 1
        blocks = SequenceMatcher(None, known, claims, autojunk=False).get_matching_blocks()
        settled = {at for _, b, rows_ in blocks for at in range(b, b + rows_)}
        held = {claims[at] for at in settled}
        for at, row in enumerate(rows):
            if at not in settled and claims[at] in held and claims[at] == row:
                self.add("inserted", row, row, "it was put in here")
            elif row != claims[at] and (at not in settled or end == len(rows)):
                self.add("reordered", row, row, "the header has another number than the row")
    def epoch(self, size: int) -> Any:  # its first size, the seq that names its key, the key
        return next((one for one in self.epochs[::-1] if one[0] <= size), (0, 0, None))
    def heads(self, every_head: bool) -> None:  # of many signatures a spread, the last of each key
        rows = self.query("SELECT size, root, signature, epoch FROM main.head ORDER BY size")
        heads, signed = rows.fetchall(), 0
        sizes = {one[0] for one in heads}
        step = 1 if every_head else max(1, len(heads) // 200)
        for at, (size, root, signature, epoch) in enumerate(heads):
            if type(size) is not int or type(root) is not bytes or len(root) != 32:
                self.add("head", None, None, "a head without size or root")
                continue
            (_, named, key), fits = self.epoch(size), type(signature) is bytes
            last = heads[at + 1 :] == [] or self.epoch(heads[at + 1][0])[1] != named
            if key and fits and (at % step == 0 or last or size > self.size):
                fits = is_signed(key.public, head_text(key.name, size, root), signature)
                self.signatures += 1
            self.most, self.last = size, size if size <= self.size else self.last
            if size > self.size:
                end = (self.size, size - 1) if key and fits else (self.size, self.size)
                self.add("missing" if key and fits else "head", *end, "a head over more entries")
            elif not fits:
                self.add("head", signed, size - 1, "the head is not signed by its epoch's key")
            elif root != self.roots.get(size):
                self.add("head", self.covered, size - 1, "the entries give another root")
            elif key and epoch != named:
                self.add("key", self.covered, size - 1, f"the head names epoch {epoch}")
            else:
                self.covered = size
            signed = size if fits else signed
        for start, named, _ in self.epochs:
            if start == named + 2 and self.last >= start and start - 1 not in sizes:
                self.add("key", named, named, "the new key is not named last in its commit")
        if self.size > self.last:
            self.add("head", self.last, self.size - 1, "no signed head covers the last entries")
    def rest(self) -> None:  # nodes, the schema that is stated, and bodies that are gone
        stored = {row[:2]: row[2] for row in self.query("SELECT level, idx, hash FROM main.node")}
        for (level, idx), digest in self.nodes.items():
            end = (idx + 1) << 8 * level
            if stored.pop((level, idx), None) != digest and end <= self.covered:
                self.add("index", end - (1 << 8 * level), end - 1, "its stored node is another one")
        if stored and not self.lost:
            self.add("index", None, None, "there are nodes where none can be")
        if self.stated and self.stated != self.digest:
            self.add("schema", None, None, "the schema is not the one that the records state")
        if not self.size:
            self.add("missing", 0, 0, "there is no entry")
        firsts = [one[2] for one in self.epochs if one[0] == one[1] + 1]  # of each incarnation
        if firsts and self.key not in (None, *firsts):
            self.add("key", 0, 0, "the ledger names another key than was given")
        allowed = sorted(one[:2] for one in self.allowed if one[2] < self.last)
        at, reach = 0, -1  # `reach`: how far the ranges go that begin at or before the seq
        for seq in self.gone:
            while at < len(allowed) and allowed[at][0] <= seq:
                at, reach = at + 1, max(reach, allowed[at][1])
            if seq > reach:
                self.add("body_missing", seq, seq, "no erase or prune entry behind it names it")
    def note(self, name: str, size: Any, text: Any) -> None:  # from outside, or kept with a size
        try:
            one = Checkpoint.parse(text)
            of = [now for now in self.epochs if now[2].name == one.origin]
            after = [now[0] for now in self.epochs if of and now > of[-1]]
            key = [now[2] for now in of if now[0] <= one.size or now == of[0]][-1:]
            signed = [one.is_by(now) for now in (*key, *([self.key] if self.key else []))]
            if size not in (None, one.size) or not (any(signed) or size is None):
                raise ValueError("it is not of its size, or not of this ledger")
        except MALFORMED as error:
            if size is None:
                self.undecided.append(f"{name} is no checkpoint, or not signed: {error}")
            else:
                last = max(size - 1, 0) if type(size) is int else None
                self.add("head", last, last, f"{name}: {error}")
            return
        last, end = max(one.size - 1, 0), min([*after, self.size + 1]) - 1
        head = self.query("SELECT root FROM main.head WHERE size = ?", (one.size,)).fetchone()
        lost = {told[1]: told[2] for told in self.declared  # of what began before that entry
                if told[0] == one.origin and (not of or of[0][1] < told[3])}
        far = not of or one.size > end or one.size >= min(lost, default=0)
        same = lost.get(one.size, one.root.hex()) == one.root.hex()
        is_lost = far and same and max(lost, default=-1) >= one.size and size is None
        kind, first = "", max([other for other in self.agreed if other < one.size], default=0)
        if not any(signed):
            kind, first = ("key" if of else "forked"), 0
        elif one.size > end:
            rolled = (self.covered == self.size == self.most or after) and size is None
            kind, first = ("rolled_back" if rolled else "truncated"), end
        elif one.root not in (self.roots.get(one.size), head and head[0]):
            kind, first = "forked", first if size is None else last
        elif size is None:
            self.agreed.append(one.size)
        if kind == "key" or (kind and not is_lost):
            self.add(kind, first, last, f"{name}, of {one.origin} and size {one.size}")

def verify(path: str, key: Key | None, pinned: bool, notes: dict[str, str], every: bool) -> Any:
    db = sqlite3.connect(Path(path).absolute().as_uri() + "?mode=ro", uri=True)
    db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    it = Ledger(db, key, pinned)
    try:
        db.execute("BEGIN")
        it.judge(notes, every)
    except sqlite3.Error as error:
        it.add("unreadable", it.size, None, f"SQLite cannot read the file: {error}")
    db.close()
    if it.later:
        it.undecided.append(f"entries from {it.later} on are of a later format")
        if it.last > it.later:  # it is signed: then the schema may be a later one too
            it.findings = [one for one in it.findings if one["kind"] != "schema"]
    it.findings.sort(key=lambda one: -2 if one["first"] is None else one["first"])
    anchored = max(it.agreed, default=0)
    behind = sum(seq >= anchored for seq in it.records)
    code = 1 if it.findings else 2 if it.undecided else 3 if behind or not it.agreed else 0
    return {"verdict": VERDICTS[code], "size": it.size, "root": it.root().hex(),
            "origin": it.origin, "anchored_size": anchored, "unanchored": behind,
            "key_pinned": pinned, "signatures_checked": it.signatures,
            "undecided": it.undecided, "findings": it.findings}
# ---- proofs (§9), and the command line -----------------------------------------------------------
VERDICTS = ("intact", "tampered", "undecided", "intact_unanchored")
PROOF = r"c2sp\.org/tlog-proof@v1\nextra (\S*)\nindex (0|[1-9][0-9]*)\n((?:\S+\n)*)\n([^\0]*)"
def verify_proof(text: str, key: Key) -> dict[str, Any]:  # that an entry is under a signed head
    match = re.fullmatch(PROOF, text)
    if not match:
        raise ValueError("it is no C2SP tlog-proof")
    header, index, path = unbase64(match[1]), int(match[2]), [*map(unbase64, match[3].split())]
    try:
        one = Checkpoint.parse(match[4])
        top, at, last = sha256(b"\0" + header), index, one.size - 1  # RFC 9162, 2.1.3.2
        for other in path:
            right = at & 1 or at == last
            top = sha256(b"\1" + (other + top if right else top + other))
            while right and not at & 1 and at:
                at, last = at >> 1, last >> 1
            at, last = at >> 1, last >> 1 if last else -1
        if last or top != one.root or index >= one.size:
            raise ValueError("the entry is not in the tree of the checkpoint")
        if one.origin != key.name or not one.is_by(key):
            raise ValueError("the key has not signed the checkpoint")
        if parse_header(header.decode())["seq"] != index:
            raise ValueError("what is proven is the header of another entry")
    except ValueError as error:
        return {"verdict": "tampered", "message": str(error), "index": index}
    return {"verdict": "intact", "index": index, "size": one.size, "header": header.decode()}

def main() -> int:  # do what the command line asks
    about = argparse.ArgumentParser(usage=__doc__)
    about.add_argument("ledger", nargs="?", default="")
    about.add_argument("--vkey", default="")
    about.add_argument("--proof")
    about.add_argument("--checkpoint", action="append", default=[])
    about.add_argument("--every-head", action="store_true")
    about.add_argument("--json", action="store_true")
    asked = about.parse_args()
    try:
        text = asked.vkey or str(Path(asked.ledger or "-").with_suffix(".vkey"))
        text = Path(text).read_text("utf-8") if Path(text).exists() else asked.vkey
        key = parse_key(text.strip()) if text else None
        if asked.proof and key:
            report = verify_proof(Path(asked.proof).read_text("utf-8"), key)
        else:
            with open(asked.ledger, "rb") as file:
                if file.read(16) != b"SQLite format 3\0":
                    raise ValueError(f"{asked.ledger} is no SQLite database")
            notes = {name: Path(name).read_text("utf-8") for name in asked.checkpoint}
            report = verify(asked.ledger, key, bool(asked.vkey), notes, asked.every_head)
    except Exception as error:  # whatever it is, it is no verdict
        print(f"could not judge: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    lines = (f"{name}: {value}" for name, value in report.items())
    print(json.dumps(report, indent=1) if asked.json else "\n".join(lines))
    return VERDICTS.index(report["verdict"])

if __name__ == "__main__":
    sys.exit(main())
