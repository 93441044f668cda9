"""TLS for both doors: certificates that are renewed on disk are served without a restart.

The files are looked at when somebody connects, at most once a second. Files that cannot be used
(half written, or key and certificate of different pairs) change nothing: the old ones stay.
"""

import logging
import os
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from audit_receiver.errors import ConfigError

LOOK_SECONDS = 1.0
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_MOST_NAMES = 32

_log = logging.getLogger(__name__)

Certificate = tuple[str, tuple[str, ...], str]
"""Subject (RFC 4514), alternative names as `uri:spiffe://…` or `dns:…`, SHA-256 in hex."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the certificates lie; with `client_ca_file` a client has to show one of its own."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    min_version: str = "1.2"

    def stamps(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when one of the files does. Raises OSError."""
        paths = [self.cert_file, self.key_file, *filter(None, [self.client_ca_file])]
        found = [os.stat(path) for path in paths]
        return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in found)


class Renewing:
    """The newest usable state of some files. `current` is cheap."""

    def __init__(self, files: Files) -> None:
        """Load them. Raises ConfigError if they cannot be used."""
        self.files = files
        self._look_at = 0.0
        try:
            self._stamps: object = files.stamps()
            self.context = server_context(files)
        except (OSError, ssl.SSLError, ValueError) as exc:
            raise ConfigError(
                f"TLS: {files.cert_file}, {files.key_file}: cannot be used: {exc}. Check that the"
                " files are PEM, belong together and can be read by the service"
            ) from exc

    def renewed(self) -> bool:
        """Look at the files; True if they changed since and can be used."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        try:
            stamps = self.files.stamps()
            if stamps == self._stamps:
                return False
            context = server_context(self.files)
        except (OSError, ssl.SSLError, ValueError) as exc:
            _log.error("TLS: the certificates stay as they were: %s", exc)
            return False
        self._stamps, self.context = stamps, context
        _log.warning("TLS: %s was read anew", self.files.cert_file)
        return True


def for_http(files: Files) -> ssl.SSLContext:
    """A context for a server socket, which hands each connection the newest certificates."""
    renewing = Renewing(files)
    outer = server_context(files)

    def choose(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        renewing.renewed()
        connection.context = renewing.context

    outer.sni_callback = choose  # called at every handshake, whether the client names a host or not
    return outer


def for_grpc(files: Files) -> Any:
    """grpc.ServerCredentials that look for new certificates at each handshake."""
    renewing = Renewing(files)
    mutual = files.client_ca_file is not None

    def configuration() -> Any:
        roots = files.client_ca_file.read_bytes() if files.client_ca_file else None
        pair = (files.key_file.read_bytes(), files.cert_file.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], roots)

    def fetch() -> Any:
        return configuration() if renewing.renewed() else None

    return grpc.dynamic_ssl_server_credentials(configuration(), fetch, mutual)


def server_context(files: Files) -> ssl.SSLContext:
    """A context of these files as they are now. Raises OSError, ssl.SSLError, ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[files.min_version]
    context.load_cert_chain(files.cert_file, files.key_file, lambda: "")  # no prompt for a password
    context.set_alpn_protocols(["http/1.1"])
    if files.client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.client_ca_file)
    return context


@lru_cache(256)
def certificate(der_or_pem: bytes) -> Certificate:
    """What is recorded of a client's certificate, which was verified already."""
    is_pem = der_or_pem.startswith(b"-----")
    load = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
    found = load(der_or_pem)
    return (
        found.subject.rfc4514_string(),
        tuple(_alternative_names(found)[:_MOST_NAMES]),
        found.fingerprint(hashes.SHA256()).hex(),
    )


def _alternative_names(found: x509.Certificate) -> list[str]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    kinds: dict[type, str] = {
        x509.UniformResourceIdentifier: "uri",
        x509.DNSName: "dns",
        x509.RFC822Name: "email",
        x509.IPAddress: "ip",
    }
    return [f"{kinds[type(name)]}:{name.value}" for name in names if type(name) in kinds]
