"""Producers' own signatures: `audit.integrity.value` against configured keys and certificates.

The signed bytes are those of the integrity hash (`record.integrity`). What the resource names as
its certificate chooses the key; a certificate that comes along whole has to be a configured one, or
be issued by one. A key that is not known is no failure: nothing can be said.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from audit_receiver.errors import ConfigError
from audit_receiver.record import integrity
from audit_receiver.record.model import Observation
from audit_receiver.telemetry import SIGNATURES

VALUE = "audit.integrity.value"
ALGORITHM = "audit.integrity.algorithm"  # both of the resource
CERTIFICATE = "audit.integrity.certificate"
MACS = {"HMAC-SHA256": "sha256", "HMAC-SHA512": "sha512"}
FLAG = "bad_signature"

Verdict = Literal["passed", "failed", "deferred"]


class Key(NamedTuple):
    """A producer's key: a name that records may use for it, and what verifies with it."""

    name: str
    public: Any  # of cryptography; None for a secret
    secret: bytes
    certificate: x509.Certificate | None


class Producers:
    """The keys of the producers whose signatures are verified."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        self._named = {name: key for key in self._keys for name in _names(key)}

    def judge(self, observation: Observation) -> Verdict | None:
        """Whether the producer's signature holds; None for a record without one."""
        value = observation.attributes.get(VALUE)
        if not isinstance(value, str):
            return None
        verdict = self._judge(observation, value)
        SIGNATURES.labels(verdict).inc()
        return verdict

    def _judge(self, observation: Observation, value: str) -> Verdict:
        resource = observation.resource.attributes
        algorithm, named = resource.get(ALGORITHM), resource.get(CERTIFICATE)
        try:
            signature = base64.b64decode(value, validate=True)
        except binascii.Error:
            return "failed"
        keys = self._candidates(named if isinstance(named, str) else "", algorithm in MACS)
        if not keys:
            return "deferred"
        verify = _ALGORITHMS.get(str(algorithm))
        if verify is None:
            return "deferred"
        signed = integrity.canonical(
            {"attributes": observation.attributes, "otlp": observation.otlp}
        )
        return "passed" if any(verify(key, signature, signed) for key in keys) else "failed"

    def _candidates(self, named: str, is_mac: bool) -> list[Key]:
        if not named:  # of a MAC the draft forbids a name; else it is found by trying
            return [key for key in self._keys if bool(key.secret) == is_mac]
        if named in self._named:
            return [self._named[named]]
        whole = _whole(named)
        return [whole] if whole is not None and self._is_trusted(whole) else []

    def _is_trusted(self, key: Key) -> bool:
        assert key.certificate is not None
        for known in self._keys:
            if known.certificate is None:
                continue
            if known.certificate == key.certificate:
                return True
            try:
                key.certificate.verify_directly_issued_by(known.certificate)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        return False


def load(name: str, path: Path) -> Key:
    """A key from a file: a certificate or a public key in PEM, else a secret for HMAC.

    Raises ConfigError.
    """
    try:
        data = path.read_bytes()
        if b"-----BEGIN CERTIFICATE-----" in data:
            found = x509.load_pem_x509_certificate(data)
            return Key(name, found.public_key(), b"", found)
        if b"PRIVATE KEY-----" in data:
            raise ValueError("this is a private key, which belongs to the producer alone")
        if b"-----BEGIN" in data:
            return Key(name, serialization.load_pem_public_key(data), b"", None)
    except (OSError, ValueError, UnsupportedAlgorithm) as exc:
        raise ConfigError(
            f"{path}: cannot be used as the producer key {name}: {exc}. Give a certificate or a"
            " public key in PEM, or a file that holds an HMAC secret and nothing else"
        ) from exc
    secret = data.rstrip(b"\r\n")
    if len(secret) < 16:
        raise ConfigError(f"{path}: the HMAC secret {name} has under 16 bytes; take a longer one")
    return Key(name, None, secret, None)


def _names(key: Key) -> list[str]:
    """What a record may call this key (OTEP 0267, `audit.integrity.certificate`)."""
    found = [key.name]
    if (certificate := key.certificate) is not None:
        found.append(f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}")
        found.append(f"sha1:{certificate.fingerprint(hashes.SHA1()).hex()}")
        found.append(f"{certificate.issuer.rfc4514_string()}/{certificate.serial_number}")
    if key.public is not None:
        found.append(x509.SubjectKeyIdentifier.from_public_key(key.public).digest.hex())
    return found


def _whole(named: str) -> Key | None:
    try:
        found = x509.load_der_x509_certificate(base64.b64decode(named, validate=True))
    except (binascii.Error, ValueError):
        return None
    return Key("", found.public_key(), b"", found)


def _verified(check: Callable[[], None]) -> bool:
    try:
        check()
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _rsa(digest: hashes.HashAlgorithm) -> Callable[[Key, bytes, bytes], bool]:
    def verify(key: Key, signature: bytes, signed: bytes) -> bool:
        return isinstance(key.public, rsa.RSAPublicKey) and _verified(
            lambda: key.public.verify(signature, signed, padding.PKCS1v15(), digest)
        )

    return verify


def _es256(key: Key, signature: bytes, signed: bytes) -> bool:
    if not isinstance(key.public, ec.EllipticCurvePublicKey):
        return False
    if len(signature) == 64:  # RFC 7518, 3.4: R and S; others send ASN.1
        halves = (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        signature = encode_dss_signature(*halves)
    return _verified(lambda: key.public.verify(signature, signed, ec.ECDSA(hashes.SHA256())))


def _eddsa(key: Key, signature: bytes, signed: bytes) -> bool:
    return isinstance(key.public, ed25519.Ed25519PublicKey) and _verified(
        lambda: key.public.verify(signature, signed)
    )


def _mac(digest: str) -> Callable[[Key, bytes, bytes], bool]:
    def verify(key: Key, signature: bytes, signed: bytes) -> bool:
        return bool(key.secret) and hmac.compare_digest(
            hmac.digest(key.secret, signed, digest), signature
        )

    return verify


_ALGORITHMS: dict[str, Callable[[Key, bytes, bytes], bool]] = {
    "RS256": _rsa(hashes.SHA256()),
    "RS512": _rsa(hashes.SHA512()),
    "ES256": _es256,
    "EdDSA": _eddsa,
    **{name: _mac(digest) for name, digest in MACS.items()},
}
