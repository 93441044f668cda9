"""What all keys have in common that sign outside this process."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from audit_receiver.errors import LedgerError, LedgerUnavailable
from audit_receiver.ledger.keysource.model import Signer
from audit_receiver.tlog.note import VerifierKey

Sign = Callable[[bytes], bytes]


class RemoteSigner:
    """Signs through a call, and looks at what comes back.

    A head whose signature does not hold would stop the next start, so none is committed.
    """

    def __init__(self, verifier: VerifierKey, sign: Sign, where: str) -> None:
        self.verifier = verifier
        self._sign = sign
        self._where = where

    def sign(self, text: bytes) -> bytes:
        """64 bytes of Ed25519. Raises LedgerUnavailable, once for whatever the other side says."""
        try:
            signature = self._sign(text)
        except Exception as exc:  # a network, a device, a library's own: nobody knows all of them
            said = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            raise LedgerUnavailable(f"key: {self._where} does not sign: {said}") from exc
        if not self.verifier.verify(text, signature):
            raise LedgerUnavailable(
                f"key: {self._where} gave a signature that is not of {self.verifier}. Look whether"
                " it is the right key, and one for pure Ed25519"
            )
        return signature


class Fixed(ABC):
    """A key source that makes no keys: what it has is what the ledger has for ever."""

    rotates = False
    name = ""
    _origin = ""  # of the ledger whose key this is known to be

    def left(self) -> Sequence[str]:
        """Nothing is overwritten: this key was there before the ledger."""
        return ()

    def clear(self) -> None:  # noqa: B027 (there is nothing to do)
        """What was there before stays."""

    @abstractmethod
    def create(self, origin: str) -> Signer:
        """The key, under the new ledger's name."""

    def find(self, named: VerifierKey) -> Signer:
        """The key, if it is the ledger's."""
        signer = self.create(named.name)
        found = signer.verifier
        if found.public != named.public:
            raise LedgerError(
                f"{self.name}: is the key {found}, the ledger names {named}. Give the key that"
                " belongs to this ledger; another one cannot continue it"
            )
        self._origin = named.name
        return signer

    def prepare(self, origin: str) -> Signer:
        """There is no next key; a recovery goes on with this one under its new origin."""
        if origin == self._origin:
            raise LedgerError(
                f"{self.name}: cannot be changed by the service; only keys in a file or a PKCS#11"
                " token can"
            )
        return self.create(origin)

    def settle(self, named: VerifierKey) -> str:
        """There is never another key to destroy."""
        return ""
