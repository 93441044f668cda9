"""A key in a key management service, through securesystemslib's signer URIs.

The library knows several services; a ledger's heads are Ed25519 and nothing else, which of its
schemes `hv:` (Vault) and `file2:` (a PEM file) do in the version that was tried.
"""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from audit_receiver.errors import ConfigError, LedgerError
from audit_receiver.ledger.keysource.remote import Fixed, RemoteSigner
from audit_receiver.tlog.note import VerifierKey, key_id


class KmsSource(Fixed):
    """Signs by asking; the private key never comes here."""

    def __init__(self, uri: str, public_key: Path) -> None:
        self.name = f"KMS key {uri}"
        self._uri = uri
        self._public = _read_public(public_key)
        self._signer: Any = None

    def create(self, origin: str) -> RemoteSigner:
        """The key, under the new ledger's name."""
        raw = self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._open()
        return RemoteSigner(VerifierKey(origin, key_id(origin, raw), raw), self._sign, self.name)

    def _open(self) -> None:
        try:
            from securesystemslib.signer import Signer, SSlibKey
        except ImportError as exc:
            raise ConfigError(
                "ledger.key.kms: needs securesystemslib; pip install audit-receiver[kms]"
            ) from exc
        try:
            key = SSlibKey.from_crypto(self._public)
            self._signer = Signer.from_priv_key_uri(self._uri, key)
        except Exception as exc:  # ValueError, UnsupportedLibraryError, OSError, a service's own
            raise LedgerError(
                f"{self.name}: cannot be opened: {type(exc).__name__}: {exc}. The URI is one of"
                " securesystemslib's; its library for the service must be installed, and the key"
                " be an Ed25519 one"
            ) from exc

    def _sign(self, text: bytes) -> bytes:
        return bytes.fromhex(self._signer.sign(text).signature)


def _read_public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as exc:
        raise LedgerError(f"{path}: the public key cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise LedgerError(f"{path}: is no public key in PEM: {exc}") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise LedgerError(
            f"{path}: is no Ed25519 key; a ledger's heads are signed with Ed25519 and nothing else."
            " Make such a key in the service, if it has them"
        )
    return key
