"""Cosignatures (C2SP tlog-cosignature, Ed25519): a witness says when it saw a tree head as newest.

One is a line of a signed note whose key id is of type 0x04 and whose signature is a time and an
Ed25519 signature over `cosignature/v1`, the time and the note's text. It says that as of that time
this was the largest head that the witness had seen of this log, and that all it saw were one tree.
Lines of other types (ML-DSA-44, 0x06) are other keys' lines and left alone.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from audit_receiver.tlog.note import (
    Note,
    NoteError,
    NoteSignature,
    SignerKey,
    VerifierKey,
    check_name,
    decode_base64,
)

COSIGNATURE = b"\x04"  # C2SP signed-note, signature type 0x04
_LATEST = 2**63 - 1
_TIME_BYTES = 8


def cosigner_id(name: str, public: bytes) -> int:
    """The C2SP key id: the first four bytes of SHA-256(name, LF, 0x04, public key)."""
    digest = sha256(name.encode() + b"\n" + COSIGNATURE + public).digest()
    return int.from_bytes(digest[:4], "big")


def message(text: str, unix_seconds: int) -> bytes:
    """What a cosignature of the note text `text` signs."""
    return f"cosignature/v1\ntime {unix_seconds}\n{text}".encode()


class Cosignature(NamedTuple):
    """One that holds: who saw it, and when (Unix seconds)."""

    key: "CosignerKey"
    unix_seconds: int


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A witness's public key with its name, as one line: name+id+base64(0x04 || key)."""

    name: str
    key_id: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "CosignerKey":
        """Read one line (a trailing newline is let pass). Raises NoteError."""
        parts = text.removesuffix("\n").split("+", 2)
        if len(parts) != 3:
            raise NoteError("a witness's key is name+id+key on one line")
        name, hexed, encoded = parts
        check_name(name)
        data = decode_base64(encoded)
        if data[:1] != COSIGNATURE or len(data) != 33:
            raise NoteError(
                "this is no witness's Ed25519 key (type 04, 32 bytes); a log's key is of type 01"
            )
        key = cls.of(name, data[1:])
        if f"{key.key_id:08x}" != hexed:
            raise NoteError(f"the key id {hexed!r} is not that of this name and key")
        return key

    @classmethod
    def of(cls, name: str, public: bytes) -> "CosignerKey":
        """The key of 32 public bytes under a name."""
        return cls(name, cosigner_id(name, public), public)

    def __str__(self) -> str:
        encoded = base64.b64encode(COSIGNATURE + self.public).decode()
        return f"{self.name}+{self.key_id:08x}+{encoded}"

    def time_of(self, text: str, signature: bytes) -> int:
        """When this key cosigned `text`, in Unix seconds. Raises NoteError if it did not."""
        seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
        if len(signature) != _TIME_BYTES + 64 or not 0 < seconds <= _LATEST:
            raise NoteError(f"the cosignature of {self.name} is not a time and 64 bytes")
        inner = VerifierKey(self.name, self.key_id, self.public)
        if not inner.verify(message(text, seconds), signature[_TIME_BYTES:]):
            raise NoteError(f"the cosignature of {self.name} does not verify")
        return seconds


class Cosigner:
    """A witness's private key. It must sign nothing else: the text does not name the witness."""

    __slots__ = ("_signer", "verifier")

    def __init__(self, signer: SignerKey) -> None:
        self._signer = signer
        self.verifier = CosignerKey.of(signer.verifier.name, signer.verifier.public)

    def cosign(self, text: str, unix_seconds: int) -> NoteSignature:
        """The signature line over a note's text, as of a time."""
        if not 0 < unix_seconds <= _LATEST:
            raise ValueError(f"{unix_seconds} is not a time that a cosignature can state")
        signature = self._signer.sign(message(text, unix_seconds))
        when = unix_seconds.to_bytes(_TIME_BYTES, "big")
        return NoteSignature(self.verifier.name, self.verifier.key_id, when + signature)


def cosignatures(note: Note, keys: Iterable[CosignerKey]) -> tuple[Cosignature, ...]:
    """Those by `keys` on the note, in the order of its lines; one for each key, the first.

    Raises NoteError if a line that claims to be by one of them does not verify.
    """
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[CosignerKey, Cosignature] = {}
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is not None:
            seconds = key.time_of(note.text, line.signature)
            found.setdefault(key, Cosignature(key, seconds))
    return tuple(found.values())


def parse_lines(text: str) -> Sequence[NoteSignature]:
    """Signature lines alone, each ending in a newline: what a witness answers. Raises NoteError."""
    if not text.endswith("\n"):
        raise NoteError("the answer is not lines that end in a newline")
    return [NoteSignature.parse(line) for line in text[:-1].split("\n")]
