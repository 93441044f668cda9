"""The error family: should the sender try again, and whose fault is it?

`otlp.status` turns these into HTTP and gRPC answers, the command line into exit codes.
Findings of a verification are values (`verify.findings`), not exceptions: a reader wants them all.
"""


class AuditReceiverError(Exception):
    """Anything raised on purpose. The message says what happened and what to do."""


class SenderError(AuditReceiverError):
    """The request itself is at fault: sending it again will not help."""


class MalformedRequest(SenderError):
    """The bytes cannot be decoded (400, INVALID_ARGUMENT). `field` names where, if it is known."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class UnsupportedEncoding(MalformedRequest):
    """The content encoding is not one that is served (400)."""


class UnsupportedMediaType(SenderError):
    """The content type is neither protobuf nor JSON (415)."""


class RequestTooLarge(SenderError):
    """Over a size or item limit, before or after inflating (413, RESOURCE_EXHAUSTED)."""


class Unauthenticated(SenderError):
    """No credentials, or none that are known (401, UNAUTHENTICATED)."""


class Forbidden(SenderError):
    """Known credentials that do not allow this (403, PERMISSION_DENIED)."""


class Conflict(SenderError):
    """A record id that is known with other content (409, ALREADY_EXISTS); only on `/v1/audit`.

    `found` has the record id, the integrity hash that is kept and the one that came, in hex.
    """

    def __init__(self, found: list[tuple[str, str, str]]) -> None:
        record_id, kept, came = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        super().__init__(
            f"the record {record_id[:100]} is kept with the integrity hash {kept}, and came with"
            f" {came}{more}; nothing of this request was stored"
        )
        self.found = found


class RetryLater(AuditReceiverError):
    """Our fault or our limit: the same request will be taken later (503, UNAVAILABLE)."""

    retry_after_seconds = 1


class LedgerBusy(RetryLater):
    """The queue, the in-flight budget or the deadline is used up."""


class LedgerUnavailable(RetryLater):
    """The ledger cannot be written now: full disk, read-only, replaced, lost key, clock."""


class ShuttingDown(RetryLater):
    """The service is stopping; nothing new is taken."""


class IntegrityError(AuditReceiverError):
    """The ledger does not hold: stop and look."""


class LedgerFatal(IntegrityError):
    """COMMIT failed and left the file's state unknown: the process must end (exit 1)."""


class ConfigError(AuditReceiverError):
    """The configuration cannot be used: names file, line, key and the mend."""


class LedgerError(AuditReceiverError):
    """The ledger cannot be opened as asked: missing, locked, wrong key, not a ledger (exit 2)."""
