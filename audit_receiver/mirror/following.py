"""Which checkpoint of a ledger a mirror is brought up to."""

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger.reader import Reader
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import NoteError, VerifierKey


def newest_note(reader: Reader) -> str:
    """The newest published checkpoint; of a ledger that never published one, its newest head.

    Raises IntegrityError if there is neither.
    """
    published = reader.checkpoints(max(reader.size() - _LOOK_BACK, 0)) or reader.checkpoints()
    if published:
        return str(published[-1][1])
    head = reader.tip_head()
    if head is None or head[3] != 0:
        raise IntegrityError(f"{reader.path}: has no signed head and no published checkpoint")
    try:
        vkey = VerifierKey.parse(str(reader.genesis().event.get("vkey")))
    except NoteError as exc:
        raise IntegrityError(f"{reader.path}: its genesis names no verifier key: {exc}") from exc
    return signed(Checkpoint(vkey.name, head[0], bytes(head[1])), bytes(head[2]), vkey)


_LOOK_BACK = 1 << 16  # entries; so that not every checkpoint ever published is read each time
