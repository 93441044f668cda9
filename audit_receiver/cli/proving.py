"""Proofs of single entries, and of the keys that lead to the one they are signed with."""

from typing import TYPE_CHECKING

from audit_receiver.errors import IntegrityError, LedgerError

if TYPE_CHECKING:
    from audit_receiver.cli.heads import SignedTip
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.tlog.bundle import Proof


def prove(reader: "Reader", tip: "SignedTip", seq: int) -> "Proof":
    """That the entry is in the tree, under a published checkpoint where there is one behind it."""
    from audit_receiver.cli import heads

    return prove_under(reader, heads.published(reader, tip, seq) or tip, seq)


def prove_under(reader: "Reader", head: "SignedTip", seq: int) -> "Proof":
    """That the entry is in this tree. Raises LedgerError (no such entry), IntegrityError."""
    from audit_receiver.tlog.bundle import Proof
    from audit_receiver.tlog.proof import ProofError, prove_inclusion

    if seq >= head.size:
        raise LedgerError(f"{reader.path}: has entries 0 to {head.size - 1}; there is no {seq}")
    row = next(reader.entries(seq, seq + 1), None)
    if row is None or not isinstance(row[1], str):
        raise IntegrityError(f"{reader.path}: entry {seq} is missing. Run `audit-receiver verify`")
    path = prove_inclusion(seq, head.size, reader.subtree(head.size))
    proof = Proof(seq, row[1].encode(), tuple(path), head.note)
    try:
        proof.verify(head.vkey)
    except ProofError as exc:
        raise IntegrityError(
            f"{reader.path}: entry {seq} cannot be proven: {exc}. The ledger was changed; run"
            " `audit-receiver verify` on it and keep the file as it is"
        ) from exc
    return proof


def key_chain(reader: "Reader", tip: "SignedTip") -> tuple[str, int]:
    """How the first key leads to today's, as text, and the number of changes."""
    from audit_receiver.ledger import keyproofs
    from audit_receiver.tlog import keychain

    links = keyproofs.links(reader, list(tip.reigns))
    return keychain.render(links), len(links)
