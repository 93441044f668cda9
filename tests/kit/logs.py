"""A small log of anybody's: leaves, a key, signed heads of any size, what it sends a witness."""

from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.merkle import EMPTY_ROOT, fold, leaf_hash
from audit_receiver.tlog.note import Note, NoteSignature, SignerKey
from audit_receiver.tlog.proof import prove_consistency
from audit_receiver.tlog.submission import Submission


class SmallLog:
    """Leaf i is the decimal text of i, with `twist` in front from leaf `turn` on: a fork."""

    def __init__(
        self, origin: str = "log.example/one", twist: str = "", turn: int = 0, size: int = 300
    ) -> None:
        self.origin = origin
        self.key = SignerKey.generate(origin)
        self._leaves = [leaf_hash(f"{twist if i >= turn else ''}{i}".encode()) for i in range(size)]

    @property
    def vkey(self) -> str:
        return str(self.key.verifier)

    def forked(self, turn: int) -> "SmallLog":
        """The same key, another history from leaf `turn` on."""
        other = SmallLog(self.origin, "x", turn)
        other.key = self.key
        return other

    def root(self, size: int) -> bytes:
        return fold(self._leaves[:size]) if size else EMPTY_ROOT

    def text(self, size: int) -> str:
        return Checkpoint(self.origin, size, self.root(size)).text()

    def line(self, text: str) -> NoteSignature:
        """Its signature line over a text."""
        verifier = self.key.verifier
        return NoteSignature(verifier.name, verifier.key_id, self.key.sign(text.encode()))

    def note(self, size: int) -> str:
        text = self.text(size)
        return str(Note(text, (self.line(text),)))

    def path(self, old: int, new: int) -> list[bytes]:
        """The consistency proof; none from nothing, nor where there can be none."""
        if not 0 < old <= new:
            return []
        return prove_consistency(old, new, lambda lo, hi: fold(self._leaves[lo:hi]))

    def submission(self, old: int, new: int) -> bytes:
        """The body of add-checkpoint, as an honest log writes it."""
        return str(Submission(old, tuple(self.path(old, new)), self.note(new))).encode()
