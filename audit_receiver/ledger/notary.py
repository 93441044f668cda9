"""Published checkpoints: the newest head as a signed note, in the transaction that it covers.

The ledger's own signature is the head's; the stable log key adds a second line, for witnesses and
other people's tools, which hold a fixed list of keys (DESIGN 3.2). It signs nothing else.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from audit_receiver.ledger.model import Tip
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import Note, NoteSignature, SignerKey

_NEWEST = "SELECT size, note FROM main.checkpoint ORDER BY size DESC LIMIT 1"
_KEEP = "INSERT INTO main.checkpoint(size, note) VALUES (?, ?)"
# An answer that is there already, or for a checkpoint that is not, is left out: anchors may repeat.
_ANCHORED = (
    "INSERT INTO main.anchored(size, anchor, kind, content) SELECT ?1, ?2, ?3, ?4"
    " WHERE EXISTS (SELECT 1 FROM main.checkpoint WHERE size = ?1) AND NOT EXISTS"
    " (SELECT 1 FROM main.anchored WHERE size = ?1 AND anchor = ?2 AND kind = ?3)"
)


class Anchored(NamedTuple):
    """What an anchor gave back for the checkpoint of this size; evidence by itself."""

    size: int
    anchor: str
    kind: str
    content: bytes


class Notary:
    """Makes notes of heads; owned by the writer."""

    def __init__(self, log_signer: SignerKey | None) -> None:
        self._log_signer = log_signer

    def publish(self, connection: sqlite3.Connection, tip: Tip) -> str:
        """Keep the tip as a checkpoint, inside the caller's transaction; returns the note."""
        newest = connection.execute(_NEWEST).fetchone()
        if newest is not None and newest[0] >= tip.size:
            return str(newest[1])
        note = self.note(tip)
        connection.execute(_KEEP, (tip.size, note))
        return note

    def note(self, tip: Tip) -> str:
        """The signed note of a head: the line of the ledger's key, then the log key's."""
        text = Checkpoint(tip.origin, tip.size, tip.root).text()
        lines = [NoteSignature(tip.origin, tip.key_id, tip.signature)]
        signer = self._log_signer
        if signer is not None:
            signature = signer.sign(text.encode())
            lines.append(NoteSignature(tip.origin, signer.verifier.key_id, signature))
        return str(Note(text, tuple(lines)))


def keep(connection: sqlite3.Connection, answers: Sequence[Anchored]) -> None:
    """Keep what anchors gave back, inside the caller's transaction."""
    connection.executemany(_ANCHORED, answers)
