"""From a ledger's first key to its later ones without the ledger: a file of proofs.

For each `key` entry there is its body and a C2SP tlog-proof that the entry is the last one under
the head by the key before. Whoever holds the first key checks them one after another.

    audit-receiver/keys@v1
    =
    body <base64 of the entry's body>
    c2sp.org/tlog-proof@v1
    ...
    =
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from audit_receiver.tlog.bundle import Proof
from audit_receiver.tlog.note import NoteError, VerifierKey, decode_base64, encode_base64
from audit_receiver.tlog.proof import ProofError

MAGIC = "audit-receiver/keys@v1"
_END = "=\n"


class Link(NamedTuple):
    """One `key` entry: its body, and the proof of its header under the key before."""

    body: bytes
    proof: Proof

    def __str__(self) -> str:
        return f"body {encode_base64(self.body)}\n{self.proof}{_END}"


class Reign(NamedTuple):
    """A key and the size of the first head that is its."""

    first_size: int
    key: VerifierKey


class KeyChain:
    """The keys of one origin, each from the size on at which it begins to sign."""

    def __init__(self, reigns: Sequence[Reign]) -> None:
        self.reigns = tuple(reigns)

    @classmethod
    def of(cls, first: VerifierKey, links: Iterable[Link] = ()) -> "KeyChain":
        """Check every link, from the first key on. Raises ProofError where the chain breaks."""
        return cls([Reign(1, first)]).followed(links)

    def followed(self, links: Iterable[Link]) -> "KeyChain":
        """This chain and what comes behind it. Raises ProofError where that breaks."""
        reigns = list(self.reigns)
        for link in links:
            reigns.append(_follow(reigns[-1], link))
        if len({reign.key for reign in reigns}) != len(reigns):
            raise ProofError("a key comes back that has had its time")
        return KeyChain(reigns)

    def at(self, size: int) -> VerifierKey:
        """The key of a head of this size."""
        return next(one.key for one in reversed(self.reigns) if size >= one.first_size)


def render(links: Iterable[Link]) -> str:
    """The file."""
    return "".join([f"{MAGIC}\n{_END}", *map(str, links)])


def parse(text: str) -> list[Link]:
    """Read the one form there is. Raises ProofError."""
    begin = f"{MAGIC}\n{_END}"
    if not text.startswith(begin):
        raise ProofError(f"this is no file of keys: it does not begin with {MAGIC}")
    links = []
    parts = text[len(begin) :].split(f"\n{_END}")
    if parts.pop():
        raise ProofError("the file of keys was cut off: it does not end with a line =")
    for number, part in enumerate(parts, 1):
        line, _, proof = part.partition("\n")
        if not line.startswith("body "):
            raise ProofError(f"key {number}: there is no `body` line")
        try:
            body = decode_base64(line.removeprefix("body "))
            links.append(Link(body, Proof.parse(f"{proof}\n")))
        except (NoteError, ProofError) as exc:
            raise ProofError(f"key {number}: {exc}") from exc
    return links


def _follow(reign: Reign, link: Link) -> Reign:
    """The reign that a link begins. Raises ProofError."""
    seq = link.proof.index
    name = f"the key entry {seq}"
    try:
        checkpoint = link.proof.verify(reign.key)
    except ProofError as exc:
        raise ProofError(f"{name}: {exc}") from exc
    if checkpoint.size != seq + 1:
        raise ProofError(f"{name} is not the last one under its head of {checkpoint.size}")
    if checkpoint.size < reign.first_size:
        raise ProofError(f"{name} stands before the key that has to sign for it")
    header, body = _json(link.proof.leaf), _json(link.body)
    digest = hashlib.sha3_256(link.body).hexdigest()
    stated = header.get("kind"), header.get("action"), header.get("seq"), header.get("body")
    if stated != ("ledger", "ledger.key", seq, digest):
        raise ProofError(f"{name}: what is proven is no such entry, or its body is another one")
    event = body.get("event")
    try:
        key = VerifierKey.parse(str(event.get("vkey") if isinstance(event, dict) else None))
    except NoteError as exc:
        raise ProofError(f"{name} names no verifier key: {exc}") from exc
    if key.name != reign.key.name:
        raise ProofError(f"{name} names a key of another ledger: {key.name}")
    return Reign(seq + 2, key)


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
