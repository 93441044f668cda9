"""What somebody without the ledger needs to follow its keys: proofs of who names the next one."""

import json
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
    """The chain from the first key to the current one, of entries from `since` on.

    It begins anew at a recovery that the key before, being lost, did not sign for. Raises
    IntegrityError where the ledger does not hold.
    """
    found: list[Link] = []
    first = reigns[-1].key
    for before, reign in pairwise(reigns):
        if reign.seq < since:
            continue
        link = _link(reader, before, reign)
        if link is None:
            found = []
            continue
        first = first if found else before.key
        found.append(link)
    try:
        KeyChain.of(first, found)
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


def _link(reader: Reader, before: Reign, reign: Reign) -> Link | None:
    """The proof of the entry that names a key; None for a recovery that nothing signs for."""
    seq, size = reign.seq, reign.seq + 1
    head, row = reader.head_at(size), next(reader.entries(seq, size), None)
    if head is None or row is None:  # reigns() has just found both
        raise IntegrityError(f"{reader.path}: entry {seq} or its head is gone")
    body = str(row[3])
    recovers = reign.first_size == size
    if recovers and not json.loads(body)["event"].get("signature"):
        return None
    key = reign.key if recovers else before.key
    note = signed(Checkpoint(key.name, size, head[0]), head[1], key)
    path = prove_inclusion(seq, size, reader.subtree(size))
    return Link(body.encode(), Proof(seq, str(row[1]).encode(), tuple(path), note))
