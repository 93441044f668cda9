"""The signed head at a ledger's tip, checked before it is handed out."""

from typing import TYPE_CHECKING, NamedTuple

from audit_receiver.errors import IntegrityError

if TYPE_CHECKING:
    from audit_receiver.ledger.epochs import Reign
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.tlog.note import VerifierKey


class SignedTip(NamedTuple):
    """A tree head with the note that says it and the key that signed it."""

    size: int
    root: bytes
    note: str
    vkey: "VerifierKey"
    reigns: "tuple[Reign, ...]"  # every key epoch, the genesis first


def signed_tip(reader: "Reader") -> SignedTip:
    """The newest head as a note. Raises IntegrityError unless the ledger's key signed it."""
    from audit_receiver.ledger import epochs, keys
    from audit_receiver.tlog.checkpoint import Checkpoint, head_text, signed

    path = reader.path
    row = reader.tip_head()
    if row is None:
        raise IntegrityError(f"{path}: has no signed head. {_VERIFY}")
    size, root, signature, epoch = row
    reigns = reader.reigns()
    beside = keys.read_vkey(reader.files)
    if beside is not None and beside != reigns[0].key:
        raise IntegrityError(
            f"{path}: its genesis names the key {reigns[0].key}, {reader.files.vkey.name} beside it"
            f" is {beside}. One of them was replaced. {_VERIFY}"
        )
    well_formed = isinstance(size, int) and isinstance(root, bytes) and isinstance(signature, bytes)
    reign = epochs.at(reigns, size) if well_formed else reigns[0]
    vkey = reign.key
    if (
        not well_formed
        or epoch != reign.seq
        or not vkey.verify(head_text(vkey.name, size, root).encode(), signature)
    ):
        raise IntegrityError(f"{path}: its newest head is not signed by its key. {_VERIFY}")
    note = signed(Checkpoint(vkey.name, size, root), signature, vkey)
    return SignedTip(size, root, note, vkey, tuple(reigns))


def published(reader: "Reader", tip: SignedTip, seq: int) -> SignedTip | None:
    """The newest published checkpoint that covers the entry, with the lines that its note has.

    None if there is none. Raises IntegrityError where it is not what the ledger's key signed.
    """
    from audit_receiver.ledger import epochs
    from audit_receiver.tlog.checkpoint import CheckpointError, open_checkpoint

    rows = [row for row in reader.checkpoints(seq + 1) if isinstance(row[0], int)]
    rows = [row for row in rows if row[0] <= tip.size]
    if not rows:
        return None
    size, note = rows[-1]
    vkey = epochs.at(list(tip.reigns), size).key
    try:
        checkpoint = open_checkpoint(str(note), [vkey])
    except CheckpointError as exc:
        raise IntegrityError(
            f"{reader.path}: its published checkpoint of size {size}: {exc}. {_VERIFY}"
        ) from exc
    return SignedTip(checkpoint.size, checkpoint.root, str(note), vkey, tip.reigns)


_VERIFY = "Run `audit-receiver verify` on it and keep the file as it is"
