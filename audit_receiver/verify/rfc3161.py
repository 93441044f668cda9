"""RFC 3161 tokens: what an authority whose clock is not ours says about when a note existed.

A token is the authority's whole answer (DER TimeStampResp) over the text of a published note, so
that `openssl ts -verify -data NOTE -in TOKEN -CAfile ROOTS` judges the same two files.
Not checked, as the library does not: the ESSCertID attribute, and whether a certificate was
revoked.
"""

import re
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from audit_receiver.errors import ConfigError
from audit_receiver.verify.der import DerError, gen_time, with_sorted_certificates
from audit_receiver.verify.trust import NotTrusted, Seen, Stamped

MOST_BYTES = 64 * 1024  # a token with a chain of certificates has 2 to 8 KiB


class Stamp(NamedTuple):
    """What a token proves: its message existed at this time, give or take the accuracy."""

    unix_nano: int
    accuracy_nano: int
    by: str  # the common name of the signer's certificate

    @property
    def latest_unix_nano(self) -> int:
        """The message existed by then at the latest."""
        return self.unix_nano + self.accuracy_nano


def stamped_under(roots: bytes) -> Stamped:
    """How tokens are judged by whoever trusts these authorities (PEM). Raises ConfigError."""
    certificates = trusted(roots)
    library()

    def stamped(token: bytes, note: str) -> Seen:
        found = stamp(token, note, certificates)
        return Seen(found.by, found.latest_unix_nano)

    return stamped


def trusted(roots: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file. Raises ConfigError if there is none."""
    try:
        return x509.load_pem_x509_certificates(roots)
    except ValueError as exc:
        raise ConfigError(
            f"the authorities that a time stamp must chain to cannot be read: {exc}. Give a PEM"
            " file with their root certificates"
        ) from exc


def library() -> Any:
    """The module `rfc3161_client`. Raises ConfigError where the extra is not installed."""
    try:
        import rfc3161_client
    except ImportError as exc:
        raise ConfigError(
            "time stamps need rfc3161-client: pip install 'audit-receiver[timestamp]'"
        ) from exc
    return rfc3161_client


def stamp(
    token: bytes, note: str, roots: list[x509.Certificate], nonce: int | None = None
) -> Stamp:
    """What a token says; `nonce` is that of the request, if it is known.

    Raises:
        NotTrusted: its certificate does not chain to `roots`.
        ValueError: it proves nothing of this note; says why.
    """
    rfc3161 = library()
    if len(token) > MOST_BYTES:
        raise ValueError(f"it has {len(token)} bytes, and a token has at most {MOST_BYTES}")
    verifier = rfc3161.VerifierBuilder(roots=list(roots), nonce=nonce).build()
    try:
        answer = rfc3161.decode_timestamp_response(with_sorted_certificates(token))
        if answer.status != 0:  # RFC 3161, 2.4.2: granted
            said = f"the authority did not grant it (status {answer.status}){_words(answer)}"
            raise ValueError(said)
        verifier.verify_message(answer, note.encode())
        return Stamp(gen_time(token), _accuracy(answer.tst_info.accuracy), _signer(answer))
    except DerError as exc:
        raise ValueError(f"it is no DER time-stamp response: {exc}") from exc
    except rfc3161.VerificationError as exc:
        raise _refusal(str(exc)) from exc
    except ValueError as exc:
        if "ASN.1" in str(exc):
            raise ValueError("it is no DER time-stamp response") from exc
        raise


def _signer(answer: Any) -> str:
    """Whose certificate the signature was verified with, by its common name."""
    [signer] = answer.signed_data.signer_infos
    for der in answer.signed_data.certificates:
        certificate = x509.load_der_x509_certificate(der)
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            return str(names[0].value) if names else certificate.subject.rfc4514_string()
    raise ValueError("it holds no certificate of its signer")


def _accuracy(stated: Any) -> int:
    """RFC 3161, 2.4.2: seconds, milliseconds and microseconds; what is not stated counts as 0."""
    if stated is None:
        return 0
    seconds, millis, micros = stated.seconds or 0, stated.millis or 0, stated.micros or 0
    return int((seconds * 1000 + millis) * 1000 + micros) * 1000


def _words(answer: Any) -> str:
    said = "; ".join(map(str, answer.status_string or ()))
    return f": {said[:200]!r}" if said else ""


_REASONS = (
    ("Mismatch between messages", "it is a stamp of another text than this note"),
    ("Nonce mismatch", "it answers another request: the nonce differs"),
    ("signer certificate not found", "it holds no certificate of its signer"),
)


def _refusal(said: str) -> ValueError:
    """The library's reason in ours; of what is not known, OpenSSL's own reasons."""
    for part, words in _REASONS:
        if part in said:
            return ValueError(words)
    unaccepted = re.search(r'data: "Verify error: ([^"]{1,100})"', said)
    if unaccepted is not None:
        why = unaccepted.group(1)
        return NotTrusted(f"its certificate does not chain to the authorities given: {why}")
    found = re.findall(r'reason: "([^"]{1,100})"', said) or [repr(said[:200])]
    return ValueError(f"its signature does not hold: {', '.join(found)}")
