"""Rows of a ledger as a verifier gets them; on a tampered file a value can be of any type."""

from typing import Any, NamedTuple


class StoredEntry(NamedTuple):
    """A row of table `entry`."""

    seq: Any  # int
    header: Any  # str
    hash: Any  # bytes
    body: Any  # str, or None once erased


class StoredHead(NamedTuple):
    """A row of table `head`."""

    size: Any  # int
    root: Any  # bytes
    signature: Any  # bytes
    epoch: Any  # int


class StoredNode(NamedTuple):
    """A row of table `node`."""

    level: Any  # int
    idx: Any  # int
    hash: Any  # bytes
