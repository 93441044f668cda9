"""Entries judged by several processes, in pieces that come back in order.

The processes are started afresh (spawn): nothing of a running service is forked, and each opens the
ledger itself. A piece that a process cannot give back for whatever reason is read and judged here.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from audit_receiver.errors import LedgerError
from audit_receiver.ledger.reader import Reader
from audit_receiver.verify.runs import Run, runs

Item = Run | Sequence[Any]
LOWEST = -(2**63)  # of a rowid
PIECE = 4096  # entries
AHEAD = 3  # pieces for each process that wait or are done
LEAST_BYTES = 256  # of an entry in the file: where there are fewer, seqs are far apart

_reader: Reader | None = None  # of a process that judges pieces


def processors() -> int:
    """How many processes can work at the same time here."""
    return len(os.sched_getaffinity(0))


def entries(reader: Reader, first: int, size: int, jobs: int) -> Iterator[Item]:
    """The entries with first <= seq < size, as runs where they hold in themselves.

    `first` 0 means from the very beginning, where rows may stand that have no place.
    """
    lowest = first or LOWEST
    if jobs < 2 or size - first <= PIECE or _is_sparse(reader.path, size - first):
        yield from reader.entries(first=lowest, end=size)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_open, initargs=(reader.path,))
    waiting: deque[tuple[int, int, Future[list[Item]]]] = deque()
    bounds = [*range(first + PIECE, size, PIECE), size]
    try:
        begin = lowest
        for end in bounds:
            waiting.append((begin, end, pool.submit(_piece, begin, end)))
            begin = end
            if len(waiting) >= jobs * AHEAD:
                yield from _given(reader, *waiting.popleft())
        while waiting:
            yield from _given(reader, *waiting.popleft())
    except BrokenProcessPool:
        left = waiting[0][0] if waiting else begin
        yield from reader.entries(first=left, end=size)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _given(reader: Reader, first: int, end: int, piece: "Future[list[Item]]") -> Iterator[Item]:
    try:
        found: Iterator[Item] = iter(piece.result())
    except (LedgerError, BrokenProcessPool):  # let the reading here say how far it comes
        found = reader.entries(first=first, end=end)
    yield from found


def _is_sparse(path: Path, count: int) -> bool:
    """Whether seqs are so far apart that pieces by seq would be endless: somebody put one there."""
    wal = path.with_name(f"{path.name}-wal")
    held = path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    return count * LEAST_BYTES > held


def _open(path: Path) -> None:
    global _reader
    _reader = Reader(path)


def _piece(first: int, end: int) -> list[Item]:
    assert _reader is not None
    return list(runs(_reader.entries(first=first, end=end)))
