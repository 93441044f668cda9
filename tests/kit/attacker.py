"""An attacker with the file, SQL, and a good knowledge of the format; with or without the key.

Nothing of the product is used: hashlib, json, sqlite3 and `cryptography` are what an attacker has.
Work on copies only: `Attacker(copy_of(ledger, folder))`, and close it before verifying.
"""

import base64
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

Json = dict[str, Any]


def copy_of(ledger: Path, folder: Path, name: str = "copy.db") -> Path:
    """The file alone, with the verifier key beside it as on an auditor's laptop."""
    target = folder / name
    shutil.copy(ledger, target)
    shutil.copy(ledger.with_suffix(".vkey"), target.with_suffix(".vkey"))
    return target


def canonical(value: Any) -> str:
    """Canonical text, for what these tests write (no fractions, no keys beyond U+FFFF)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha3(text: str) -> str:
    return hashlib.sha3_256(text.encode()).hexdigest()


class Attacker:
    """Writes to the file without asking; `rearm` leaves the schema looking untouched."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=DELETE")
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute("PRAGMA ignore_check_constraints=ON")
        self._triggers: list[str] = []
        self.disarm()

    def __enter__(self) -> "Attacker":
        return self

    def __exit__(self, *_: object) -> None:
        self.rearm()
        self.db.close()

    def disarm(self) -> None:
        """Drop every trigger and remember its text."""
        rows = self.db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name, sql in rows.fetchall():
            self._triggers.append(sql)
            self.db.execute(f"DROP TRIGGER {name}")

    def rearm(self) -> None:
        """Put the triggers back as they were."""
        for sql in self._triggers:
            self.db.execute(sql)
        self._triggers.clear()

    # ---- reading ----------------------------------------------------------------------------

    def size(self) -> int:
        return int(self.db.execute("SELECT count(*) FROM entry").fetchone()[0])

    def header(self, seq: int) -> Json:
        [text] = self.db.execute("SELECT header FROM entry WHERE seq = ?", (seq,)).fetchone()
        return json.loads(text)

    def body(self, seq: int) -> Json:
        [text] = self.db.execute("SELECT body FROM entry WHERE seq = ?", (seq,)).fetchone()
        return json.loads(text)

    def seqs(self, where: str = "kind = 'log'") -> list[int]:
        rows = self.db.execute(f"SELECT seq FROM entry WHERE {where} ORDER BY seq")
        return [seq for (seq,) in rows]

    # ---- writing ----------------------------------------------------------------------------

    def set(self, seq: int, **columns: Any) -> None:
        """Overwrite columns of one row, and nothing else."""
        names = ", ".join(f"{name} = ?" for name in columns)
        self.db.execute(f"UPDATE entry SET {names} WHERE seq = ?", (*columns.values(), seq))

    def edit_header(self, seq: int, change: Callable[[Json], object]) -> None:
        header = self.header(seq)
        change(header)
        self.set(seq, header=canonical(header))

    def edit_body(self, seq: int, change: Callable[[Json], object]) -> None:
        body = self.body(seq)
        change(body)
        self.set(seq, body=canonical(body))

    def move(self, seq: int, to: int) -> None:
        """Give a row another number, and leave its header as it is."""
        self.db.execute("UPDATE entry SET seq = ? WHERE seq = ?", (to, seq))

    def swap(self, one: int, other: int) -> None:
        self.move(one, -1)
        self.move(other, one)
        self.move(-1, other)

    def close_gap(self, seq: int) -> None:
        """Move all rows after a deleted one down by one, in rows and in headers."""
        for later in self.seqs(f"seq > {seq}"):
            self.move(later, later - 1)
            self.edit_header(later - 1, lambda h: h.update(seq=h["seq"] - 1))

    def make_room(self, seq: int) -> None:
        """Move all rows from `seq` up by one, in rows and in headers."""
        for later in reversed(self.seqs(f"seq >= {seq}")):
            self.move(later, later + 1)
            self.edit_header(later + 1, lambda h: h.update(seq=h["seq"] + 1))

    def cut(self, size: int) -> None:
        """Keep the first `size` entries, and of heads and nodes what belongs to them."""
        self.db.execute("DELETE FROM entry WHERE seq >= ?", (size,))
        self.db.execute("DELETE FROM head WHERE size > ?", (size,))
        self.db.execute("DELETE FROM node WHERE ((idx + 1) << (8 * level)) > ?", (size,))
        self.drop_checkpoints(size)

    def drop_checkpoints(self, size: int) -> None:
        """Leave no published checkpoint over more entries than these; they would tell."""
        if self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoint'").fetchone():
            self.db.execute("DELETE FROM checkpoint WHERE size > ?", (size,))
            self.db.execute("DELETE FROM anchored WHERE size > ?", (size,))

    # ---- recomputing ------------------------------------------------------------------------

    def rehash(self, first: int, bodies: bool = True) -> None:
        """Make hashes, links and tree fit again from this entry on; signatures stay as they are."""
        self.drop_checkpoints(first)
        rows = self.db.execute(
            "SELECT seq, header, body FROM entry WHERE seq >= ? ORDER BY seq", (first,)
        ).fetchall()
        before = self.db.execute("SELECT hash FROM entry WHERE seq = ?", (first - 1,)).fetchone()
        previous = before[0].hex() if before else "0" * 64
        for seq, text, body in rows:
            header = json.loads(text)
            header["prev"] = previous
            if bodies and body is not None:
                header["body"] = sha3(body)
                if header["kind"] != "ledger":
                    header["subject"] = sha3(canonical(json.loads(body)["subject"]))
            text = canonical(header)
            previous = sha3(text)
            self.set(seq, header=text, hash=bytes.fromhex(previous))
        self.regrow()

    def regrow(self) -> None:
        """Recompute every node and every head's root from the headers that are there."""
        headers = self.db.execute("SELECT header FROM entry ORDER BY seq").fetchall()
        tree = Tree([text.encode() for (text,) in headers])
        for (size,) in self.db.execute("SELECT size FROM head").fetchall():
            if size <= len(headers):
                root = tree.root(0, size)
                self.db.execute("UPDATE head SET root = ? WHERE size = ?", (root, size))
        self.db.execute("DELETE FROM node")
        for level in range(1, 8):
            width = 256**level
            for idx in range(len(headers) // width):
                root = tree.root(idx * width, (idx + 1) * width)
                self.db.execute("INSERT INTO node VALUES (?, ?, ?)", (level, idx, root))

    def sign(self, key: Ed25519PrivateKey, origin: str, first_size: int = 0) -> None:
        """Sign every head from this size on."""
        rows = self.db.execute("SELECT size, root FROM head WHERE size >= ?", (first_size,))
        for size, root in rows.fetchall():
            text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
            signature = key.sign(text.encode())
            self.db.execute("UPDATE head SET signature = ? WHERE size = ?", (signature, size))

    def origin(self) -> str:
        return str(self.body(0)["event"]["origin"])

    def take_over(self, key: Ed25519PrivateKey, origin: str) -> str:
        """Rewrite everything under another key and origin; returns the verifier key beside it."""
        vkey = vkey_text(key, origin)
        self.edit_body(0, lambda body: body["event"].update(origin=origin, vkey=vkey))
        self.rehash(0)
        self.sign(key, origin)
        self.path.with_suffix(".vkey").write_text(f"{vkey}\n")
        return vkey

    # ---- schema -----------------------------------------------------------------------------

    def rewrite_schema(self, name: str, change: Callable[[str], str]) -> None:
        """Edit the text of one object in sqlite_master itself."""
        [sql] = self.db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        changed = change(sql)
        assert changed != sql
        self.db.execute("PRAGMA writable_schema=ON")
        self.db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (changed, name))
        self._bump()

    def swap_roots(self, one: str, other: str) -> None:
        """Let two indexes read each other's pages."""
        self.db.execute("PRAGMA writable_schema=ON")
        select = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        pages = [self.db.execute(select, (name,)).fetchone()[0] for name in (one, other)]
        update = "UPDATE sqlite_master SET rootpage = ? WHERE name = ?"
        self.db.execute(update, (pages[1], one))
        self.db.execute(update, (pages[0], other))
        self._bump()

    def _bump(self) -> None:
        [version] = self.db.execute("PRAGMA schema_version").fetchone()
        self.db.execute(f"PRAGMA schema_version={version + 1}")
        self.db.execute("PRAGMA writable_schema=RESET")


class Tree:
    """RFC 6962 over raw leaves, remembered so that many roots are cheap."""

    def __init__(self, leaves: list[bytes]) -> None:
        self._leaves = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
        self._known: dict[tuple[int, int], bytes] = {}

    def root(self, lo: int, hi: int) -> bytes:
        if hi - lo == 1:
            return self._leaves[lo]
        if (lo, hi) not in self._known:
            split = 1
            while split * 2 < hi - lo:
                split *= 2
            pair = self.root(lo, lo + split) + self.root(lo + split, hi)
            self._known[lo, hi] = hashlib.sha256(b"\1" + pair).digest()
        return self._known[lo, hi]


def stolen_key(ledger: Path) -> Ed25519PrivateKey:
    """The real key, from beside the real ledger."""
    key = load_pem_private_key(ledger.with_suffix(".key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def vkey_text(key: Ed25519PrivateKey, origin: str) -> str:
    """The C2SP verifier key of a private key."""
    raw = b"\1" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = hashlib.sha256(origin.encode() + b"\n" + raw).hexdigest()[:8]
    return f"{origin}+{key_id}+{base64.b64encode(raw).decode()}"
