"""Which identity tags are certainly not in the ledger: Bloom filters, some bytes for each entry.

Tags are 64 random bits (a keyed hash), so a filter takes its places straight out of them. The
filters grow by doubling; they are never wrong about "certainly new", and about "maybe there" in
some cases of a hundred.
"""

import sqlite3
from collections.abc import Iterable

_FIRST_BITS = 20  # a first filter of 2**20 bits, 128 KiB, for 65,536 tags
_PER_TAG = 16  # bits
_CHUNK_ROWS = 10_000
_ALL = "SELECT id FROM main.entry INDEXED BY entry_time WHERE id IS NOT NULL"


class Seen:
    """Tags that were seen. One thread may use it."""

    def __init__(self, expected: int = 0) -> None:
        bits = max(_FIRST_BITS, (expected * _PER_TAG).bit_length())
        self._filters = [_Filter(bits)]

    @classmethod
    def of(cls, connection: sqlite3.Connection, entries: int) -> "Seen":
        """All tags of a ledger, read from an index: some 1.5 s for a million."""
        seen = cls(entries)
        cursor = connection.execute(_ALL)
        while rows := cursor.fetchmany(_CHUNK_ROWS):
            seen.add(tag for (tag,) in rows)
        return seen

    def add(self, tags: Iterable[str]) -> None:
        """Take in tags, as the header writes them; "" is none."""
        newest = self._filters[-1]
        for tag in tags:
            if tag:
                if newest.is_full:
                    newest = _Filter(newest.bits + 1)
                    self._filters.append(newest)
                newest.add(int(tag, 16))

    def may_have(self, tag: str) -> bool:
        """False: certainly not there."""
        number = int(tag, 16)
        return any(one.may_have(number) for one in self._filters)


class _Filter:
    """A Bloom filter of 2**bits bits with three places for each tag."""

    __slots__ = ("_data", "_left", "_mask", "bits")

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._mask = (1 << bits) - 1
        self._data = bytearray(1 << (bits - 3))
        self._left = (1 << bits) // _PER_TAG

    @property
    def is_full(self) -> bool:
        return self._left <= 0

    def add(self, number: int) -> None:
        data, mask = self._data, self._mask
        for place in (number & mask, (number >> 20) & mask, (number >> 40) * 0x9E3779B1 & mask):
            data[place >> 3] |= 1 << (place & 7)
        self._left -= 1

    def may_have(self, number: int) -> bool:
        data, mask = self._data, self._mask
        places = (number & mask, (number >> 20) & mask, (number >> 40) * 0x9E3779B1 & mask)
        return all(data[place >> 3] >> (place & 7) & 1 for place in places)
