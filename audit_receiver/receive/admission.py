"""Who sends: credentials checked before a body is read, and what is recorded of the sender."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from audit_receiver.errors import Forbidden
from audit_receiver.receive.tls import Certificate, certificate
from audit_receiver.receive.tokens import Tokens

MOST_HEADER_CHARACTERS = 1024


class Peer(NamedTuple):
    """A sender, as the body's `peer` object tells of it."""

    transport: str  # "http" or "grpc"
    headers: tuple[tuple[str, str], ...] = ()  # those that are recorded, sorted
    token: str = ""  # the name of its token
    certificate: Certificate | None = None  # its own, where the door asks for one


class Admission:
    """What one door asks of its senders, and what it notes of them."""

    def __init__(
        self,
        transport: str,
        record_headers: tuple[str, ...] = (),
        require_headers: tuple[str, ...] = (),
        tokens: Tokens | None = None,
        asks_for_certificates: bool = False,
    ) -> None:
        self._transport = transport
        self._plain = Peer(transport)
        self._recorded = tuple(sorted({*record_headers, *require_headers}))
        self._required = require_headers
        self._tokens = tokens
        self.asks_for_certificates = asks_for_certificates
        self.asks = tokens is not None or bool(require_headers)

    def admit(self, headers: Mapping[str, Any], shown: bytes | None = None) -> Peer:
        """The sender of a request by its headers, and by the certificate that it has shown.

        Raises Unauthenticated or Forbidden, which name what is missing.
        """
        if not self.asks and shown is None and not any(map(headers.__contains__, self._recorded)):
            return self._plain  # nearly always, where nothing is asked for
        token = ""
        if self._tokens is not None:
            token = self._tokens.holder(headers.get("authorization")).name
        for name in self._required:
            if not headers.get(name):
                raise Forbidden(
                    f"the header {name} is required here (receivers.otlp.require_headers)"
                )
        found = ((name, headers.get(name)) for name in self._recorded)
        noted = tuple((name, value[:MOST_HEADER_CHARACTERS]) for name, value in found if value)
        return Peer(self._transport, noted, token, certificate(shown) if shown else None)
