"""A key in the environment, as orchestrators hand secrets over: PKCS#8 PEM in a variable."""

from audit_receiver.ledger.keysource.file import signer_of
from audit_receiver.ledger.keysource.remote import Fixed
from audit_receiver.tlog.note import SignerKey


class EnvSource(Fixed):
    """The PEM text that the variable held when the service started."""

    def __init__(self, variable: str, pem: str) -> None:
        self.name = f"environment variable {variable}"
        self._pem = pem.replace("\\n", "\n").encode()  # variables are often written on one line

    def create(self, origin: str) -> SignerKey:
        """The key, under the new ledger's name."""
        return signer_of(self._pem, origin, self.name)
