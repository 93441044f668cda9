"""A ledger as lists of rows, and what an attacker with the file can do to it.

The rows come from a real ledger; changing, re-chaining and re-signing them uses hashlib, json and
the naive tree of tests/kit, nothing of the product.
"""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from hashlib import sha3_256
from itertools import chain
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from audit_receiver.tlog.note import VerifierKey
from audit_receiver.verify.check import Examination
from audit_receiver.verify.memory import Memory, Resumption
from audit_receiver.verify.report import VerifyReport
from audit_receiver.verify.runs import runs
from audit_receiver.verify.trust import NOTHING, Trust
from tests.kit import reference

PIECE = 97  # entries that are judged apart; no divisor of a commit, a block or the ledger
Json = dict[str, Any]
Found = set[tuple[str, int | None, int | None]]


def canonical(value: Any) -> str:
    """Canonical text of what these tests write: no fractions, no keys beyond U+FFFF."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha3(text: str) -> bytes:
    return sha3_256(text.encode()).digest()


class Scene:
    """Rows to attack, and the keys to judge them by."""

    def __init__(
        self,
        entries: Sequence[Sequence[Any]],
        heads: Sequence[Sequence[Any]],
        nodes: Sequence[Sequence[Any]],
        schema: Sequence[tuple[Any, ...]],
        vkey: str,
        pem: bytes,
    ) -> None:
        self.entries = [list(row) for row in entries]
        self.heads = [list(row) for row in heads]
        self.nodes = [list(row) for row in nodes]
        self.schema = list(schema)
        self.checkpoints: list[list[Any]] = []  # size, note
        self.tokens: list[list[Any]] = []  # size, anchor, kind, content
        self.vkey = VerifierKey.parse(vkey)
        key = load_pem_private_key(pem, None)
        assert isinstance(key, Ed25519PrivateKey)
        self.key = key

    def copy(self) -> "Scene":
        """Another one to attack."""
        other = Scene.__new__(Scene)
        other.__dict__.update(self.__dict__)
        other.entries, other.heads = deepcopy(self.entries), deepcopy(self.heads)
        other.nodes = deepcopy(self.nodes)
        other.checkpoints, other.tokens = deepcopy(self.checkpoints), deepcopy(self.tokens)
        return other

    # ---- judging ------------------------------------------------------------------------------

    def verify(
        self,
        *,
        pinned: VerifierKey | Sequence[VerifierKey] | None = None,
        beside: VerifierKey | None = None,
        notes: Sequence[str] = (),
        anchors: Sequence[tuple[str, str]] = (),  # anchor, note
        every_head: bool = False,
        schema: bool = True,
        trust: Trust = NOTHING,
    ) -> VerifyReport:
        """What `verify` says of the rows as they are now; without a key, of `vkey` beside them."""
        if pinned is None and beside is None:
            beside = self.vkey
        named = [(f"note {place}", text, "") for place, text in enumerate(notes)]
        named += [(source, text, source) for source, text in anchors]

        def judged(entries: Iterable[Any]) -> VerifyReport:
            examination = Examination(pinned, beside, named, every_head, trust)
            examination.stored(self.checkpoints, self.tokens)
            if schema:
                examination.schema(self.schema, 1096107597, 1)
            again = lambda first, end: [row for row in self.entries if _within(row, first, end)]  # noqa: E731
            heads = iter(self.heads)
            examination.log(entries, heads, self._nodes(), self._size(), again=again)
            return examination.report()

        report = judged(self.entries)
        # Judged apart, in whatever pieces, it is the same report to the letter.
        pieces = (self.entries[at : at + PIECE] for at in range(0, len(self.entries), PIECE))
        assert judged(chain.from_iterable(map(runs, pieces))) == report
        return report

    def remember(self) -> Memory:
        """What a verifier remembers of the rows as they are now; through JSON, as a file is."""
        examination = Examination(beside=self.vkey)
        examination.log(self.entries, iter(self.heads), self._nodes(), self._size())
        assert examination.report().findings == ()
        memory = examination.memory()
        assert memory is not None
        return Memory.from_dict(json.loads(json.dumps(memory.as_dict())))

    def resume(self, memory: Memory, every_head: bool = True) -> tuple[VerifyReport, Memory] | None:
        """Judge what came after it; None if that is not where this ledger came from."""
        remembered = ("state", memory)
        examination = Examination(beside=self.vkey, every_head=every_head, remembered=remembered)
        first = memory.size - memory.size % 256
        leaves = [reference.leaf(str(row[1]).encode()) for row in self.entries[first : memory.size]]
        examination.schema(self.schema, 1096107597, 1)
        if not examination.log(
            self.entries[memory.size :],
            iter([row for row in self.heads if row[0] >= memory.size]),
            self._nodes(),
            self._size(),
            resumption=Resumption(memory, leaves, {}),
        ):
            return None
        after = examination.memory()
        assert after is not None
        return examination.report(), after

    def _size(self) -> int:
        return max(len(self.entries), *(row[0] for row in self.heads if type(row[0]) is int), 0)

    def _nodes(self) -> list[list[Any]]:
        return sorted(self.nodes, key=lambda row: (str(row[0]), str(row[1]).zfill(20)))

    def found(self, **how: Any) -> Found:
        """The findings, as (kind, first, last)."""
        return {(one.kind, one.first, one.last) for one in self.verify(**how).findings}

    def note(self, size: int, key: Ed25519PrivateKey | None = None, name: str = "") -> str:
        """The signed checkpoint of the head of this size, as it would have been kept outside."""
        [(_, root, signature, _)] = [row for row in self.heads if row[0] == size]
        text = head_text(name or self.vkey.name, size, root)
        if key is not None:
            signature = key.sign(text.encode())
        return signed_note(text, self.vkey, signature, name)

    # ---- attacking ----------------------------------------------------------------------------

    def header(self, seq: int) -> Json:
        return json.loads(self.entries[seq][1])

    def body(self, seq: int) -> Json:
        return json.loads(self.entries[seq][3])

    def edit_header(self, seq: int, change: Callable[[Json], object], rehash: bool = False) -> None:
        header = self.header(seq)
        change(header)
        self.entries[seq][1] = canonical(header)
        if rehash:
            self.entries[seq][2] = sha3(self.entries[seq][1])

    def edit_body(self, seq: int, change: Callable[[Json], object]) -> None:
        body = self.body(seq)
        change(body)
        self.entries[seq][3] = canonical(body)

    def refit(self, seq: int) -> None:
        """Let a header fit its body again: both hashes, and nothing else."""
        body = self.entries[seq][3]
        hashes = {"body": sha3(body).hex()}
        if "subject" in json.loads(body):
            hashes["subject"] = sha3(canonical(json.loads(body)["subject"])).hex()
        self.edit_header(seq, lambda header: header.update(hashes))

    def rechain(self, first: int) -> None:
        """Recompute number, link and hash of every entry from here on."""
        prev = self.entries[first - 1][2].hex() if first else "0" * 64
        for seq in range(first, len(self.entries)):
            row = self.entries[seq]
            header = {**json.loads(row[1]), "seq": seq, "prev": prev}
            row[:3] = [seq, canonical(header), sha3(canonical(header))]
            prev = row[2].hex()

    def regrow(self, heads: bool = True, nodes: bool = True) -> None:
        """Recompute the roots of heads and the nodes; signatures stay as they are."""
        leaves = [row[1].encode() for row in self.entries]
        known: dict[tuple[int, int], bytes] = {}

        def root(lo: int, hi: int) -> bytes:
            if hi - lo == 1:
                return reference.leaf(leaves[lo])
            if (lo, hi) not in known:
                middle = lo + reference.split(hi - lo)
                known[lo, hi] = reference.node(root(lo, middle), root(middle, hi))
            return known[lo, hi]

        if heads:
            for row in self.heads:
                if row[0] <= len(leaves):
                    row[1] = root(0, row[0])
        if nodes:
            blocks = range(len(leaves) // 256)
            self.nodes = [[1, i, root(i * 256, (i + 1) * 256)] for i in blocks]

    def resign(self, key: Ed25519PrivateKey | None = None, name: str = "", first: int = 0) -> None:
        """Sign the heads anew, with the stolen key or with another one."""
        for row in self.heads:
            if row[0] >= first:
                text = head_text(name or self.vkey.name, row[0], row[1])
                row[2] = (key or self.key).sign(text.encode())

    def rewrite(self, seq: int, nodes: bool = True) -> None:
        """Edit a body and recompute every hash behind it, but for what only the key can make."""
        self.edit_body(seq, other_actor)
        self.refit(seq)
        self.rechain(seq)
        self.regrow(heads=False, nodes=nodes)

    def append(self, header: Json, body: Json | None, head: bool = True) -> int:
        """One more entry with the stolen key: hashes, link, node-free head."""
        seq = len(self.entries)
        text = None if body is None else canonical(body)
        header = {**header, "seq": seq, "prev": self.entries[-1][2].hex()}
        if text is not None:
            header["body"] = sha3(text).hex()
        self.entries.append([seq, canonical(header), sha3(canonical(header)), text])
        if head:
            self.heads.append([seq + 1, b"", b"", 0])
            self.regrow()
            self.resign(first=seq + 1)
        return seq

    def next_time(self) -> str:
        """The time of the last entry, one nanosecond later."""
        last = self.header(len(self.entries) - 1)["received"]
        return f"{last[:20]}{int(last[20:29]) + 1:09d}Z"

    def own(self, event: str, head: bool = True, **fields: Any) -> int:
        """One more of the receiver's own records."""
        time = self.next_time()
        body = {
            "event": {**fields, "name": event, "time": time},
            "kind": "ledger",
            "salt": "0" * 32,
        }
        header = {"action": f"ledger.{event}", "flags": [], "kind": "ledger", "received": time}
        return self.append({**header, "time": time, "v": 1}, body, head)


def other_actor(body: Json) -> None:
    body["subject"]["actor"] = body["audit"]["actor"]["id"] = "mallory"


def _within(row: Sequence[Any], first: int, end: int) -> bool:
    return type(row[0]) is int and first <= row[0] < end


def signed_note(text: str, vkey: VerifierKey, signature: bytes, name: str = "") -> str:
    """A note with one line."""
    line = base64.b64encode(vkey.key_id.to_bytes(4, "big") + signature).decode()
    return f"{text}\n\u2014 {name or vkey.name} {line}\n"


def head_text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def vkey_of(key: Ed25519PrivateKey, name: str) -> VerifierKey:
    """The verifier key of a private key."""
    public = key.public_key().public_bytes_raw()
    raw = b"\x01" + public
    key_id = reference.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
    return VerifierKey.parse(f"{name}+{key_id}+{base64.b64encode(raw).decode()}")
