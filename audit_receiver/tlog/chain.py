"""The chain: each header contains the hash of the header before it."""

from hashlib import sha3_256

GENESIS_PREV = "0" * 64


def entry_hash(header: bytes) -> bytes:
    """The hash of one entry: SHA3-256 over its header text, 32 bytes.

    SHA-3 because the stock sqlite3 shell has `sha3(X, 256)` built in (DESIGN 3.2).
    """
    return sha3_256(header).digest()
