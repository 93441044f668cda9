"""Signed notes (C2SP signed-note): text, an empty line, one line a signature. Ed25519 only."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

ED25519 = b"\x01"  # C2SP signed-note, signature type 0x01
_DASH = "\u2014 "
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
MAX_NOTE_CHARACTERS = 1_000_000


class NoteError(ValueError):
    """A key or a note is not in the one form that is accepted; the message says where."""


def decode_base64(text: str) -> bytes:
    """Strict base64: one spelling for every value. Raises NoteError."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise NoteError(f"{text[:60]!r} is not base64") from exc
    if base64.b64encode(data).decode() != text:
        raise NoteError(f"{text[:60]!r} is not the one base64 spelling of its value")
    return data


def encode_base64(data: bytes) -> str:
    """The one spelling that `decode_base64` reads."""
    return base64.b64encode(data).decode()


def check_name(name: str) -> None:
    """Raise NoteError unless `name` can name a key: not empty, no space, no plus."""
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise NoteError(f"{name!r} cannot name a key: it is empty or has a space or a plus")


def key_id(name: str, public: bytes) -> int:
    """The C2SP key id: the first four bytes of SHA-256(name, LF, 0x01, public key)."""
    digest = sha256(name.encode() + b"\n" + ED25519 + public).digest()
    return int.from_bytes(digest[:4], "big")


@lru_cache(maxsize=256)
def _load(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name, as one line of text: name+id+base64(0x01 || key)."""

    name: str
    key_id: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read one line (a trailing newline is let pass). Raises NoteError."""
        parts = text.removesuffix("\n").split("+", 2)
        if len(parts) != 3:
            raise NoteError("a verifier key is name+id+key on one line")
        name, hexed, encoded = parts
        check_name(name)
        data = decode_base64(encoded)
        if data[:1] != ED25519 or len(data) != 33:
            raise NoteError("the verifier key is not an Ed25519 key (type 01, 32 bytes)")
        key = cls(name, key_id(name, data[1:]), data[1:])
        if f"{key.key_id:08x}" != hexed:
            raise NoteError(f"the key id {hexed!r} is not that of this name and key")
        return key

    def __str__(self) -> str:
        encoded = base64.b64encode(ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id:08x}+{encoded}"

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes) is this key's over `text`."""
        try:
            _load(self.public).verify(signature, text)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


class SignerKey:
    """A private key with its name."""

    __slots__ = ("_private", "verifier")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        check_name(name)
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._private = private
        self.verifier = VerifierKey(name, key_id(name, public), public)

    @classmethod
    def generate(cls, name: str) -> "SignerKey":
        """A new key from the operating system's randomness."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> "SignerKey":
        """Read PKCS#8 PEM. Raises NoteError if it is no unencrypted Ed25519 key."""
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise NoteError("the private key is not an unencrypted PKCS#8 PEM file") from exc
        if not isinstance(private, Ed25519PrivateKey):
            raise NoteError("the private key is not an Ed25519 key")
        return cls(name, private)

    def to_pem(self) -> bytes:
        """PKCS#8 PEM, unencrypted."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, text: bytes) -> bytes:
        """64 bytes of Ed25519 over `text`."""
        return self._private.sign(text)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line."""

    name: str
    key_id: int
    signature: bytes

    def __str__(self) -> str:
        data = self.key_id.to_bytes(4, "big") + self.signature
        return f"{_DASH}{self.name} {base64.b64encode(data).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> "NoteSignature":
        """Read one line without its newline. Raises NoteError."""
        if not line.startswith(_DASH):
            raise NoteError("a signature line begins with an em dash and a space")
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        check_name(name)
        data = decode_base64(encoded)
        if len(data) < 5:
            raise NoteError("a signature line holds a four-byte key id and a signature")
        return cls(name, int.from_bytes(data[:4], "big"), data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, note: str) -> "Note":
        """Read a note in the one form there is. Raises NoteError."""
        if len(note) > MAX_NOTE_CHARACTERS:
            raise NoteError("the note is longer than a million characters")
        if any((ord(c) < 0x20 and c != "\n") or c == "\ufffd" for c in note):
            raise NoteError("the note has a control or replacement character")
        cut = note.rfind("\n\n")
        if cut < 0:
            raise NoteError("the note has no empty line between text and signatures")
        text, lines = note[: cut + 1], note[cut + 2 :]
        if not lines.endswith("\n"):
            raise NoteError("the note does not end in a signature line")
        parsed = cls(text, tuple(NoteSignature.parse(line) for line in lines[:-1].split("\n")))
        if str(parsed) != note:
            raise NoteError("the note is not in the one form that is accepted")
        return parsed

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))

    def signed_by(self, keys: Sequence[VerifierKey]) -> VerifierKey | None:
        """The first of `keys` whose signature is here and holds, or None.

        Raises NoteError if a line that claims to be by one of them does not verify.
        """
        known = {(key.name, key.key_id): key for key in keys}
        holder = None
        for line in self.signatures:
            key = known.get((line.name, line.key_id))
            if key is None:
                continue
            if not key.verify(self.text.encode(), line.signature):
                raise NoteError(f"the signature of {line.name} does not verify")
            holder = holder or key
        return holder
