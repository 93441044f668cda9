"""Offline proofs of one leaf (C2SP tlog-proof): leaf, inclusion path and checkpoint in one text."""

import re
from dataclasses import dataclass

from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from audit_receiver.tlog.merkle import leaf_hash
from audit_receiver.tlog.note import Note, NoteError, VerifierKey, decode_base64, encode_base64
from audit_receiver.tlog.proof import ProofError, root_from_inclusion

MAGIC = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True)
class Proof:
    """That `leaf` stands at `index` of the tree whose signed checkpoint is `note`.

    The leaf (the header text) travels as the format's `extra` data, so that the file alone shows
    what it proves.
    """

    index: int
    leaf: bytes
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        lines = [
            MAGIC,
            f"extra {encode_base64(self.leaf)}",
            f"index {self.index}",
            *map(encode_base64, self.path),
        ]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, text: str) -> "Proof":
        """Read the one form there is. Raises ProofError."""
        head, blank, note = text.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines[0] != MAGIC:
            raise ProofError(f"this is no proof file: it does not begin with {MAGIC}")
        if len(lines) < 3 or not lines[1].startswith("extra "):
            raise ProofError("the proof has no `extra` line, which carries the entry's header")
        index = _INDEX.match(lines[2])
        if index is None:
            raise ProofError("the proof has no `index` line after `extra`")
        try:
            leaf = decode_base64(lines[1].removeprefix("extra "))
            path = tuple(decode_base64(line) for line in lines[3:])
        except NoteError as exc:
            raise ProofError(str(exc)) from exc
        if any(len(sibling) != 32 for sibling in path):
            raise ProofError("a hash of the path does not have 32 bytes")
        return cls(int(index[1]), leaf, path, note)

    @property
    def size(self) -> int:
        """The size that the checkpoint states; nothing in it is believed yet. Raises ProofError."""
        try:
            return Checkpoint.parse(Note.parse(self.note).text).size
        except (NoteError, CheckpointError) as exc:
            raise ProofError(f"the checkpoint: {exc}") from exc

    def verify(self, vkey: VerifierKey) -> Checkpoint:
        """The checkpoint that includes the leaf. Raises ProofError if anything does not hold."""
        try:
            checkpoint = open_checkpoint(self.note, [vkey])
        except CheckpointError as exc:
            raise ProofError(f"the checkpoint: {exc}") from exc
        root = root_from_inclusion(self.index, checkpoint.size, leaf_hash(self.leaf), self.path)
        if root != checkpoint.root:
            raise ProofError(
                f"entry {self.index} is not in the tree of {checkpoint.size}: the path leads to"
                f" root {root.hex()}, the checkpoint says {checkpoint.root.hex()}"
            )
        return checkpoint
