"""The receipt that goes back with every export: `audit_receiver.v1.Receipt` (proto/)."""

import base64

from audit_receiver.v1.receipt_pb2 import Receipt

HTTP_HEADER = "Audit-Receipt"  # base64 of the message
GRPC_METADATA = "audit-receipt-bin"  # the message; gRPC itself puts -bin values into base64


def encode(
    *,
    first_seq: int | None,
    last_seq: int | None,
    tree_size: int,
    root: bytes,
    signature: bytes,
    key_id: int,
    origin: str,
    stored: int,
    duplicates: int,
    skipped: int,
) -> bytes:
    """A receipt as protobuf. Only to be made once COMMIT has returned.

    Args:
        first_seq: position of the first entry that the request stored, None if it stored none.
        last_seq: of the last one.
        tree_size: of the signed head that covers them, with its `root`, `signature`, `origin` and
            the C2SP `key_id` of the key that signed it.
        stored: how many records of the request became entries.
        duplicates: how many were there already.
        skipped: how many are not audit.
    """
    receipt = Receipt(
        first_seq=first_seq,
        last_seq=last_seq,
        tree_size=tree_size,
        root=root,
        signature=signature,
        key_id=key_id,
        origin=origin,
        stored=stored,
        duplicates=duplicates,
        skipped=skipped,
    )
    data: bytes = receipt.SerializeToString()
    return data


def decode(data: bytes) -> Receipt:
    """A receipt from protobuf; `HasField("first_seq")` tells whether anything was stored."""
    return Receipt.FromString(data)


def to_header(data: bytes) -> str:
    """An encoded receipt as the value of the HTTP header."""
    return base64.b64encode(data).decode()


def from_header(value: str) -> bytes:
    """The encoded receipt out of the HTTP header."""
    return base64.b64decode(value, validate=True)
