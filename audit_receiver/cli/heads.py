"""The signed head at a ledger's tip, checked before it is handed out."""

from typing import TYPE_CHECKING, NamedTuple

from audit_receiver.errors import IntegrityError, LedgerError

if TYPE_CHECKING:
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.tlog.note import VerifierKey


class SignedTip(NamedTuple):
    """A tree head with the note that says it and the key that signed it."""

    size: int
    root: bytes
    note: str
    vkey: "VerifierKey"


def signed_tip(reader: "Reader") -> SignedTip:
    """The newest head as a note. Raises IntegrityError unless the ledger's key signed it."""
    from audit_receiver.ledger import keys
    from audit_receiver.tlog.checkpoint import Checkpoint, head_text, signed
    from audit_receiver.tlog.note import NoteError, VerifierKey

    path = reader.path
    row = reader.tip_head()
    if row is None:
        raise IntegrityError(f"{path}: has no signed head. {_VERIFY}")
    size, root, signature, epoch = row
    if epoch != 0:
        raise LedgerError(
            f"{path}: its newest head belongs to key epoch {epoch}, which this release does not"
            " know; use the release that wrote it"
        )
    event = reader.genesis().event
    try:
        vkey = VerifierKey.parse(str(event.get("vkey")))
    except (NoteError, ValueError) as exc:
        raise IntegrityError(
            f"{path}: its genesis names no verifier key: {exc}. {_VERIFY}"
        ) from exc
    beside = keys.read_vkey(reader.files)
    if beside is not None and beside != vkey:
        raise IntegrityError(
            f"{path}: its genesis names the key {vkey}, {reader.files.vkey.name} beside it is"
            f" {beside}. One of them was replaced. {_VERIFY}"
        )
    well_formed = isinstance(size, int) and isinstance(root, bytes) and isinstance(signature, bytes)
    if not well_formed or not vkey.verify(head_text(vkey.name, size, root).encode(), signature):
        raise IntegrityError(f"{path}: its newest head is not signed by its key. {_VERIFY}")
    note = signed(Checkpoint(vkey.name, size, root), signature, vkey)
    return SignedTip(size, root, note, vkey)


_VERIFY = "Run `audit-receiver verify` on it and keep the file as it is"
