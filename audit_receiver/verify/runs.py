"""Entries judged apart from those before them, so that several processes can share the work.

A run is a stretch of records that hold in themselves and among each other; what it needs of the
entries before it (their number, hash and time) is compared when it is taken. Whatever is not a run
comes as a row and is judged as if nobody had looked at it, so the report is the same to the letter.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha3_256, sha256
from typing import Any, NamedTuple

from audit_receiver.verify import quick

MOST = 4096  # entries of one run
REMEMBERED = 256 * 32  # bytes of hashes that are kept: as many as `order` remembers
TIME = 30  # characters of a time
LEAF = 32


class Run(NamedTuple):
    """Records one after another, each in order by itself and with the one before."""

    first: int
    prev: str  # what the first one names as the hash before it
    hashes: bytes  # of the last ones
    leaves: bytes  # leaf hashes
    received: str  # all their times
    counts: dict[tuple[str, str], int]  # (action, outcome) -> how many

    @property
    def length(self) -> int:
        """How many records."""
        return len(self.leaves) // LEAF

    def time(self, place: int) -> str:
        """`received` of one of them."""
        return self.received[place * TIME : (place + 1) * TIME]


class _Open:
    """A run while it grows."""

    def __init__(self, first: int, prev: str) -> None:
        self.first, self.prev = first, prev
        self.hashes: list[bytes] = []
        self.leaves: list[bytes] = []
        self.received: list[str] = []
        self.counts: dict[tuple[str, str], int] = {}

    def close(self) -> Run:
        return Run(
            self.first,
            self.prev,
            b"".join(self.hashes)[-REMEMBERED:],
            b"".join(self.leaves),
            "".join(self.received),
            self.counts,
        )


def runs(rows: Iterable[Sequence[Any]]) -> Iterator[Run | Sequence[Any]]:
    """The same entries, those that hold in themselves as runs, the others as they came."""
    run: _Open | None = None
    seq, prev, last = 0, "", ""
    for row in rows:
        raw = _header(row)
        told = None
        if raw is not None:
            if run is None or row[0] != seq + 1 or len(run.leaves) >= MOST:
                if run is not None:
                    yield run.close()
                run = None
                prev, last = _stated_prev(row[1]), ""
            told = quick.told(row[0], row[1], row[3], prev)
        if raw is None or told is None or told[0] <= last:
            if run is not None:
                yield run.close()
                run = None
            yield row
            continue
        if run is None:
            run = _Open(row[0], prev)
        seq, last, prev = row[0], told[0], row[2].hex()
        run.hashes.append(row[2])
        run.leaves.append(sha256(b"\x00" + raw).digest())
        run.received.append(last)
        run.counts[told[1:]] = run.counts.get(told[1:], 0) + 1
    if run is not None:
        yield run.close()


def _header(row: Sequence[Any]) -> bytes | None:
    """The header's bytes, if the row has its types and the header its hash."""
    seq, text, digest, body = row
    if type(seq) is not int or type(text) is not str or type(body) is not str:
        return None
    raw = text.encode("utf-8", "surrogatepass")
    return raw if sha3_256(raw).digest() == digest else None


def _stated_prev(text: str) -> str:
    """What a header says is the hash before it; no value in a header can hold a quotation mark."""
    begin = text.find('"prev":"') + 8
    return text[begin : begin + 64]
