"""What became of an emitted record: a receipt that was checked, or an exception."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from audit_receiver.v1.audit_pb2 import AuditResponse
from audit_receiver.v1.receipt_pb2 import Receipt


class AuditReceipt(NamedTuple):
    """Proof that a record was stored: keep it, and an inclusion proof can be demanded for `seq`."""

    record_id: str
    integrity_hash: str  # hex, of the record as it was sent and as it is stored
    sink_timestamp: int  # nanoseconds since 1970
    seq: int
    duplicate: bool  # it was there already
    origin: str
    tree_size: int
    root: bytes
    signature: bytes  # of the head, Ed25519
    key_id: int


class AuditError(Exception):
    """A record that was emitted has no receipt."""


class Refused(AuditError):
    """The sink will not take it, however often it is sent. `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class NotStored(AuditError):
    """No success within the time; it may be stored all the same. Emit it again with its id."""


class Altered(AuditError):
    """The answer does not fit what was sent, or its signature does not hold: tell somebody."""


class UnknownKey(Altered):
    """The head is signed by another key of the same sink than is known for its size."""


def checked(
    answer: bytes,
    ids: Sequence[str],
    hashes: Sequence[str],
    check_head: Callable[[Receipt], None] | None,
) -> list[AuditReceipt]:
    """The receipts of an answer, each held against the record that was sent.

    Raises Altered: a hash, an id or the head's signature does not fit; AuditError: no receipts.
    """
    response = AuditResponse.FromString(answer)
    if response.records_left_out:
        raise AuditError("stored, but the receipts were left out; emit fewer records at once")
    if [one.record_id for one in response.records] != list(ids):
        raise Altered("the receipts are not those of the records that were sent")
    head = response.receipt
    if check_head is not None:
        check_head(head)
    found = []
    for one, expected in zip(response.records, hashes, strict=True):
        if one.integrity_hash.hex() != expected:
            raise Altered(
                f"the record {one.record_id} was sent with the integrity hash {expected}, and is"
                f" stored with {one.integrity_hash.hex()}"
            )
        if one.seq >= head.tree_size:
            raise Altered(f"the signed head does not cover entry {one.seq}")
        found.append(
            AuditReceipt(
                one.record_id,
                expected,
                one.sink_timestamp,
                one.seq,
                one.duplicate,
                head.origin,
                head.tree_size,
                head.root,
                head.signature,
                head.key_id,
            )
        )
    return found
