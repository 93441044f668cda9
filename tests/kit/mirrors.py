"""Mirrors for tests: a ledger with its notes, a naive reader, a place that fails as asked."""

import base64
import gzip
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audit_receiver.ledger.reader import Reader
from audit_receiver.mirror.following import newest_note
from audit_receiver.mirror.stores import DirectoryStore, StoreError
from audit_receiver.mirror.writer import MirrorWriter, Progress
from audit_receiver.tlog.note import VerifierKey
from tests.kit.lab import LedgerLab, draft
from tests.kit.reference import root

TABLES = ("entry", "head", "node")


def grow(lab: LedgerLab, records: int, per_commit: int = 50) -> None:
    """So many records more, in commits of so many."""
    first = lab.rows("SELECT count(*) FROM entry")[0][0]
    for start in range(0, records, per_commit):
        some = range(start, min(start + per_commit, records))
        lab.append(*(draft(f"record-{first}-{number}") for number in some))


def grow_to(lab: LedgerLab, size: int) -> None:
    """Records until the ledger has exactly so many entries."""
    grow(lab, size - lab.rows("SELECT count(*) FROM entry")[0][0], 250)


def vkey_of(ledger: Path) -> VerifierKey:
    """The key that lies beside it."""
    return VerifierKey.parse(ledger.with_suffix(".vkey").read_text())


def mirror(lab: LedgerLab, store: Any, **options: Any) -> Progress:
    """Bring a place up to the ledger's newest checkpoint, as a process that knows nothing yet."""
    with Reader(lab.path) as reader:
        return MirrorWriter(store, **options).bring_up(reader, newest_note(reader))


def rows(ledger: Path, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table, as they are."""
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
    finally:
        connection.close()


class Read:
    """A mirrored directory read word for word as tlog-tiles says, with none of our code."""

    def __init__(self, root: Path) -> None:
        self.root = root
        lines = (root / "checkpoint").read_text().split("\n")
        self.origin, self.size = lines[0], int(lines[1])
        self.signed_root = base64.b64decode(lines[2])

    def path(self, room: str, index: int, total: int) -> tuple[Path, int]:
        parts = [f"{index % 1000:03d}"]
        rest = index // 1000
        while rest:
            parts.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        width = min(256, total - index * 256)
        end = "" if width == 256 else f".p/{width}"
        return self.root / room / ("/".join(parts) + end), width

    def pieces(self, room: str, total: int) -> Iterator[tuple[bytes, int]]:
        for index in range((total + 255) // 256):
            path, width = self.path(room, index, total)
            yield path.read_bytes(), width

    def headers(self) -> list[bytes]:
        found = []
        for data, width in self.pieces("tile/entries", self.size):
            before = len(found)
            while data:
                length = data[0] * 256 + data[1]
                found.append(data[2 : 2 + length])
                data = data[2 + length :]
            assert len(found) - before == width
        return found

    def bodies(self) -> list[bytes | None]:
        found: list[bytes | None] = []
        for data, width in self.pieces("bodies", self.size):
            plain = gzip.decompress(data)
            for _ in range(width):
                length, plain = plain[:4], plain[4:]
                if length == b"\xff\xff\xff\xff":
                    found.append(None)
                else:
                    end = int.from_bytes(length, "big")
                    found.append(plain[:end])
                    plain = plain[end:]
            assert plain == b""
        return found

    def check(self) -> None:
        """Every tile and bundle against the entries, and they against the signed root."""
        leaves = [hashlib.sha256(b"\0" + header).digest() for header in self.headers()]
        assert len(leaves) == self.size
        assert root(self.headers()) == self.signed_root
        level, hashes = 0, leaves
        while hashes:
            stored = b"".join(data for data, _ in self.pieces(f"tile/{level}", len(hashes)))
            assert stored == b"".join(hashes), f"level {level}"
            whole = len(hashes) // 256
            hashes = [_fold(hashes[at * 256 : at * 256 + 256]) for at in range(whole)]
            level += 1
        assert not (self.root / f"tile/{level}").exists()


def _fold(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
    return hashes[0]


class Failing(DirectoryStore):
    """A directory that fails at the n-th write: nothing kept, or kept and not told."""

    def __init__(self, root: Path, at: int, persisted: bool) -> None:
        super().__init__(root)
        self._left = at
        self._persisted = persisted

    def _fails(self) -> bool:
        self._left -= 1
        return self._left == -1

    def put(self, key: str, data: bytes) -> bool:
        if not self._fails():
            return super().put(key, data)
        if self._persisted:
            super().put(key, data)
        raise StoreError(f"{key}: the disk is gone")

    def replace(self, key: str, data: bytes) -> None:
        if not self._fails():
            super().replace(key, data)
            return
        if self._persisted:
            super().replace(key, data)
        raise StoreError(f"{key}: the disk is gone")
