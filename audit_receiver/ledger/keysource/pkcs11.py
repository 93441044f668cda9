"""A key in a PKCS#11 token: a hardware security module, a smart card, SoftHSM.

The private key is made in the token and never leaves it; destroying it is the token's own doing.
A key's CKA_ID begins with a digest of the ledger's origin, so ledgers may share token and label.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audit_receiver.errors import ConfigError, LedgerError
from audit_receiver.ledger.keysource.remote import RemoteSigner
from audit_receiver.tlog.note import VerifierKey, key_id

_CURVE = bytes.fromhex("06032b6570")  # id-Ed25519, RFC 8410, as an OBJECT IDENTIFIER in DER


class Pkcs11Source:
    """Key pairs of mechanism CKM_EDDSA in one token, under one label."""

    rotates = True

    def __init__(self, module: Path, token: str, pin_file: Path, label: str) -> None:
        self.name = f"PKCS#11 token {token}, label {label}"
        self._module, self._token, self._pin_file, self._label = module, token, pin_file, label
        self._session: Any = None
        self._origin = ""  # of the key that was found last: a recovery leaves it behind

    def left(self) -> Sequence[str]:
        """A new ledger has a new origin, so no key in the token is its own yet."""
        return ()

    def clear(self) -> None:
        """An interrupted creation's key has an origin that nobody knows; it stays in the token."""

    def create(self, origin: str) -> RemoteSigner:
        """A new key pair in the token."""
        return self.prepare(origin)

    def find(self, named: VerifierKey) -> RemoteSigner:
        """The key pair with this public key."""
        if named.public not in self._told(lambda: self._pairs(named.name)):
            raise LedgerError(
                f"{self.name}: has not the key {named} that the ledger names. Connect the token"
                " that belongs to this ledger; another key cannot continue it"
            )
        self._origin = named.name
        return self._signer(named)

    def prepare(self, origin: str) -> RemoteSigner:
        """Generate a key pair; tokens keep what they generate."""
        raw = self._told(lambda: self._generate(origin))
        return self._signer(VerifierKey(origin, key_id(origin, raw), raw))

    def settle(self, named: VerifierKey) -> str:
        """Destroy all of this ledger's key pairs but the named one."""

        def destroy_others() -> None:
            pairs = self._pairs(named.name)
            if named.public not in pairs:
                return
            pairs |= self._pairs(self._origin)
            for public, identifier in pairs.items():
                if public != named.public:
                    self._destroy(identifier)

        self._told(destroy_others)
        return ""

    def _signer(self, verifier: VerifierKey) -> RemoteSigner:
        handle: list[Any] = []  # of the session that is open, made anew with it

        def sign(text: bytes) -> bytes:
            from pkcs11 import Mechanism

            try:
                if not handle:
                    identifier = self._pairs(verifier.name)[verifier.public]
                    handle.append(self._private(identifier))
                return bytes(handle[0].sign(text, mechanism=Mechanism.EDDSA))
            except Exception:
                handle.clear()
                self._session = None  # the token may have been away: log in again next time
                raise

        return RemoteSigner(verifier, sign, self.name)

    # ---- in the token ---------------------------------------------------------------------------

    def _open(self) -> Any:
        if self._session is None:
            import pkcs11

            token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
            pin = self._pin_file.read_text("utf-8").strip()
            try:
                self._session = token.open(rw=True, user_pin=pin)
            except pkcs11.exceptions.UserAlreadyLoggedIn:  # a login is the process's, not ours
                self._session = token.open(rw=True)
        return self._session

    def _pairs(self, origin: str) -> dict[bytes, bytes]:
        """Public key -> CKA_ID of every key pair of this origin."""
        from pkcs11 import Attribute, ObjectClass

        wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: self._label}
        found = {}
        for key in self._open().get_objects(wanted):
            identifier = bytes(key[Attribute.ID])
            if identifier[:8] == _mark(origin):
                found[_raw(bytes(key[Attribute.EC_POINT]))] = identifier
        return found

    def _private(self, identifier: bytes) -> Any:
        from pkcs11 import ObjectClass

        return self._open().get_key(object_class=ObjectClass.PRIVATE_KEY, id=identifier)

    def _generate(self, origin: str) -> bytes:
        from pkcs11 import Attribute, KeyType, Mechanism

        curve = self._open().create_domain_parameters(
            KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _CURVE}, local=True
        )
        public, _ = curve.generate_keypair(
            mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            store=True,
            id=_mark(origin) + os.urandom(8),
            label=self._label,
            private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        )
        return _raw(bytes(public[Attribute.EC_POINT]))

    def _destroy(self, identifier: bytes) -> None:
        """The private object first: a public one alone signs nothing."""
        from pkcs11 import Attribute, ObjectClass

        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            wanted = {Attribute.CLASS: kind, Attribute.ID: identifier}
            for found in list(self._open().get_objects(wanted)):
                found.destroy()

    def _told(self, ask: Any) -> Any:
        """What the token says, its objections as LedgerError."""
        try:
            import pkcs11
        except ImportError as exc:
            raise ConfigError(
                "ledger.key.pkcs11: needs python-pkcs11; pip install audit-receiver[pkcs11]"
            ) from exc
        try:
            return ask()
        except OSError as exc:
            raise LedgerError(f"{self._pin_file}: the PIN cannot be read: {exc.strerror}") from exc
        except pkcs11.exceptions.PKCS11Error as exc:
            self._session = None
            said = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            raise LedgerError(
                f"{self.name}: {said}. Look at ledger.key.pkcs11: module, token and pin_file, and"
                " whether the token has CKM_EDDSA"
            ) from exc


def _mark(origin: str) -> bytes:
    return hashlib.sha256(f"audit-receiver\n{origin}".encode()).digest()[:8]


def _raw(point: bytes) -> bytes:
    """The 32 bytes of a public key: tokens give them bare, or as an OCTET STRING in DER."""
    return point[2:] if len(point) == 34 and point[:2] == b"\x04\x20" else point
