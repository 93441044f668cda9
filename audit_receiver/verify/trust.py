"""What a verifier trusts besides the ledger's key, as functions: witnesses and time authorities.

This room does no I/O and knows no certificate: whoever asks for a verification says how tokens are
judged. Without that they are counted and named as not judged.
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple


class Seen(NamedTuple):
    """Somebody outside saw a checkpoint at a time."""

    by: str
    unix_nano: int


class NotTrusted(ValueError):
    """A token may be good, but nothing that was given from outside says so."""


Cosigned = Callable[[str], Sequence[Seen]]
"""cosigned(note): what known witnesses say of it; raises ValueError if one's line fails."""

Stamped = Callable[[bytes, str], Seen]
"""stamped(token, note): an authority's word; NotTrusted if it is none of ours, ValueError if it is
no token of this note."""

Quorum = Callable[[Collection[str]], bool]
"""quorum(names): whether these witnesses are enough."""


class Trust(NamedTuple):
    """How tokens are judged; None where nothing was given to judge them by."""

    cosigned: Cosigned | None = None
    quorum: Quorum | None = None
    stamped: Stamped | None = None


NOTHING = Trust()
