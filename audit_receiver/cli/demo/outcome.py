"""How a demo ends that does not go as told."""

from audit_receiver.errors import AuditReceiverError


class DemoFailed(AuditReceiverError):
    """Something did not happen as it was told."""
