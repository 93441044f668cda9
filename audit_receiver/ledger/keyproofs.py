"""What somebody without the ledger needs to follow its keys: a proof of each `key` entry."""

import threading
from itertools import pairwise
from pathlib import Path

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger.epochs import Reign
from audit_receiver.ledger.reader import Reader
from audit_receiver.tlog.bundle import Proof
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.keychain import KeyChain, Link, render
from audit_receiver.tlog.proof import ProofError, prove_inclusion


def links(reader: Reader, reigns: list[Reign], since: int = 0) -> list[Link]:
    """The chain of the newest incarnation, from its first key to the current one.

    Only entries from `since` on. Raises IntegrityError where the ledger does not hold.
    """
    ours = [one for one in reigns if one.key.name == reigns[-1].key.name]
    pairs = [(before, one.seq) for before, one in pairwise(ours) if one.seq >= since]
    found = [_link(reader, before, seq) for before, seq in pairs]
    try:
        KeyChain.of(pairs[0][0].key if pairs else ours[-1].key, found)
    except ProofError as exc:
        raise IntegrityError(
            f"{reader.path}: the chain of its keys cannot be proven: {exc}. The ledger was changed;"
            " run `audit-receiver verify` on it and keep the file as it is"
        ) from exc
    return found


class KeyBook:
    """The chain of a ledger that grows, for clients that ask often; several threads may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._origin = ""
        self._epoch: object = None  # of the newest head, when it was looked at
        self._links: list[Link] = []

    def text(self, since: int = 0) -> str:
        """The file of keys, of entries from `since` on. Raises LedgerError, IntegrityError."""
        with self._lock, Reader(self._path) as reader:
            tip = reader.tip_head()
            if tip is None or tip[3] != self._epoch:
                self._catch_up(reader)
                self._epoch = None if tip is None else tip[3]
            return render(one for one in self._links if one.proof.index >= since)

    def _catch_up(self, reader: Reader) -> None:
        reigns = reader.reigns()
        if reigns[-1].key.name != self._origin:
            self._origin, self._links = reigns[-1].key.name, []
        known = self._links[-1].proof.index + 1 if self._links else 0
        self._links += links(reader, reigns, known)


def _link(reader: Reader, before: Reign, seq: int) -> Link:
    size = seq + 1
    head, row = reader.head_at(size), next(reader.entries(seq, size), None)
    if head is None or row is None:  # reigns() has just found both
        raise IntegrityError(f"{reader.path}: entry {seq} or its head is gone")
    note = signed(Checkpoint(before.key.name, size, head[0]), head[1], before.key)
    path = prove_inclusion(seq, size, reader.subtree(size))
    return Link(str(row[3]).encode(), Proof(seq, str(row[1]).encode(), tuple(path), note))
