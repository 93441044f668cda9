"""What the writer asks of whatever keeps its key: sign, and where it can, hand over to the next.

A rotation is: `prepare` (the next key exists and outlives a crash), COMMIT of the entry that names
it, `settle` (the named key is the current one, no other is left). After a crash at any place
`settle` with the key that the ledger names finishes the rotation, or undoes it.
"""

from collections.abc import Sequence
from typing import Protocol

from audit_receiver.tlog.note import VerifierKey


class Signer(Protocol):
    """A private key that signs; it need not be in this process."""

    @property
    def verifier(self) -> VerifierKey:
        """Its public half, with the name that it signs under."""

    def sign(self, text: bytes) -> bytes:
        """64 bytes of Ed25519 over `text`. Raises LedgerUnavailable if it cannot sign now."""


class KeySource(Protocol):
    """Keeps the private key of a ledger's current epoch. Raises LedgerError."""

    name: str  # for people: `ledger.key`, `the environment variable AUDIT_KEY`
    rotates: bool  # whether it can make the next key and destroy the one before

    def left(self) -> Sequence[str]:
        """What a new ledger's first key would overwrite; it is refused then."""

    def clear(self) -> None:
        """Remove what an interrupted creation left."""

    def create(self, origin: str) -> Signer:
        """The first key of a new ledger; it is durable once this returns."""

    def find(self, named: VerifierKey) -> Signer:
        """The private half of the key that the ledger names. Changes nothing."""

    def prepare(self, origin: str) -> Signer:
        """A new key beside the current one; it is durable once this returns."""

    def settle(self, named: VerifierKey) -> str:
        """Make the named key the only one. May be called at any time, and again.

        Returns what an operator should know of how the other was destroyed, "" if all is well.
        Raises LedgerError or OSError: something is left, call it again later.
        """
