"""The key with which redacted values are hashed: beside the ledger, never in it."""

import os
from pathlib import Path

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import creation
from audit_receiver.ledger.durable import sync_directory, write_new

KEY_BYTES = 32
SUFFIX = ".redact"


def load_or_make(ledger: Path) -> bytes:
    """The key of this ledger's redaction; made when it is asked for the first time."""
    path = ledger.with_suffix(SUFFIX)
    if not path.exists():
        creation.make_directory(path.absolute().parent)
        write_new(path, os.urandom(KEY_BYTES), 0o400)
        sync_directory(path.absolute().parent)
    try:
        key = path.read_bytes()
    except OSError as exc:
        raise LedgerError(f"{path}: the redaction key cannot be read: {exc.strerror}") from exc
    if len(key) != KEY_BYTES:
        raise LedgerError(
            f"{path}: has {len(key)} bytes, a redaction key has {KEY_BYTES}. Restore it from a"
            " backup; if it is lost, move the file away: a new one is made, and equal values from"
            " before and after have other hashes"
        )
    return key
