"""Published checkpoints for the tests of anchors: real notes, signed by a key of the test."""

from hashlib import sha256

from audit_receiver.anchor.model import Published
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import SignerKey

ORIGIN = "audit.example.com/0123456789abcdef"
START = 1_795_532_400_000_000_000  # 2026-11-24T15:00:00Z
SECOND = 10**9
_KEY = SignerKey.generate(ORIGIN)


def published(size: int, unix_nano: int = START) -> Published:
    """The checkpoint of so many entries."""
    checkpoint = Checkpoint(ORIGIN, size, sha256(b"%d" % size).digest())
    signature = _KEY.sign(checkpoint.text().encode())
    note = signed(checkpoint, signature, _KEY.verifier)
    return Published(ORIGIN, size, checkpoint.root, note, unix_nano)
