"""What every anchor is: something outside that keeps checkpoints, and may give evidence back."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from audit_receiver.errors import AuditReceiverError


class Published(NamedTuple):
    """One published checkpoint: a tree head as a signed note."""

    origin: str
    size: int
    root: bytes
    note: str  # C2SP signed note: the line of the ledger's current key, then the log key's
    unix_nano: int  # when it was published


class Token(NamedTuple):
    """What an anchor gave back that is evidence by itself; the ledger keeps it."""

    kind: str  # cosignature, timestamp, object
    content: bytes


class AnchorError(AuditReceiverError):
    """A checkpoint was not kept outside, as far as anybody can tell; the next one is tried again.

    `conflict`: the outside holds another history of this ledger. That does not pass by itself.
    """

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


class NotDue(AuditReceiverError):
    """Nothing is wrong and nothing was kept: this anchor takes one checkpoint now and then.

    `size` is that of the newest checkpoint that it keeps. The next one is offered as ever.
    """

    def __init__(self, message: str, size: int = 0) -> None:
        super().__init__(message)
        self.size = size


class Anchor(Protocol):
    """Keeps checkpoints outside. One call at a time; it neither queues nor tries again itself."""

    name: str  # its key in the configuration: `file`, `witness/auditor`

    async def publish(self, published: Published) -> Sequence[Token]:
        """Return once the checkpoint is kept outside. Raises AnchorError, NotDue."""

    async def newest(self) -> Sequence[str]:
        """The newest notes that the outside knows, for the start checks; () if it cannot tell.

        Raises AnchorError where it could tell and cannot be reached.
        """

    async def close(self) -> None:
        """Let go of connections and files."""
