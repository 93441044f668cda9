"""A client of the audit signal for Python: emit a record, get a receipt or an exception.

    from audit_receiver.client import AuditClient

    with AuditClient("http://127.0.0.1:4318", service="billing", vkey=VKEY) as audit:
        receipt = audit.emit(
            "user.role.update", actor="alice", action="UPDATE", outcome="success", target="bob"
        )

What is emitted is stored, durably, when `emit` returns. Everything else is an exception, and never
silence: `Refused` where sending again cannot help, `NotStored` where it may, `Altered` where the
answer does not fit what was sent.
"""

from audit_receiver.client.asynchronous import AsyncAuditClient
from audit_receiver.client.outcome import Altered, AuditError, AuditReceipt, NotStored, Refused
from audit_receiver.client.record import AuditRecord
from audit_receiver.client.synchronous import AuditClient

__all__ = [
    "Altered",
    "AsyncAuditClient",
    "AuditClient",
    "AuditError",
    "AuditReceipt",
    "AuditRecord",
    "NotStored",
    "Refused",
]
