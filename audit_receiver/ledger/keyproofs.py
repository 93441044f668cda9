"""What somebody without the ledger needs to follow its keys: a proof of each `key` entry."""

from itertools import pairwise

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger.epochs import Reign
from audit_receiver.ledger.reader import Reader
from audit_receiver.tlog.bundle import Proof
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.keychain import KeyChain, Link
from audit_receiver.tlog.proof import ProofError, prove_inclusion


def links(reader: Reader, reigns: list[Reign], since: int = 0) -> list[Link]:
    """The chain of the newest incarnation, from its first key to the current one.

    Only entries from `since` on. Raises IntegrityError where the ledger does not hold.
    """
    ours = [one for one in reigns if one.key.name == reigns[-1].key.name]
    found = []
    for before, reign in pairwise(ours):
        if reign.seq >= since:
            found.append(_link(reader, before, reign.seq))
    try:
        first = next((one.key for one in reversed(ours) if one.first_size <= since), ours[0].key)
        KeyChain.of(first, found)
    except ProofError as exc:
        raise IntegrityError(
            f"{reader.path}: the chain of its keys cannot be proven: {exc}. The ledger was changed;"
            " run `audit-receiver verify` on it and keep the file as it is"
        ) from exc
    return found


def _link(reader: Reader, before: Reign, seq: int) -> Link:
    size = seq + 1
    head, row = reader.head_at(size), next(reader.entries(seq, size), None)
    if head is None or row is None:  # reigns() has just found both
        raise IntegrityError(f"{reader.path}: entry {seq} or its head is gone")
    note = signed(Checkpoint(before.key.name, size, head[0]), head[1], before.key)
    path = prove_inclusion(seq, size, reader.subtree(size))
    return Link(str(row[3]).encode(), Proof(seq, str(row[1]).encode(), tuple(path), note))
