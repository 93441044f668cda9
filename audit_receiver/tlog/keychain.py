"""From a ledger's first key to its later ones without the ledger: a file of proofs.

For each `key` entry there is its body and a C2SP tlog-proof that the entry is the last one under
the head by the key before; for a `recover` entry, that it is the last one under the first head of
the new key, for which the key before has signed in the body. Whoever holds the first key checks
them one after another.

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
from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.tlog.note import NoteError, VerifierKey, decode_base64, encode_base64
from audit_receiver.tlog.proof import ProofError

MAGIC = "audit-receiver/keys@v1"
_END = "=\n"


class Link(NamedTuple):
    """One entry that names a key: its body, and the proof of its header."""

    body: bytes
    proof: Proof

    def __str__(self) -> str:
        return f"body {encode_base64(self.body)}\n{self.proof}{_END}"


class Reign(NamedTuple):
    """A key and the size of the first head that is its."""

    first_size: int
    key: VerifierKey


class KeyChain:
    """The keys of a ledger, each from the size on at which it begins to sign."""

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
    name = f"the entry {seq}, which should name the next key,"
    header, event = _json(link.proof.leaf), _json(link.body).get("event")
    digest = hashlib.sha3_256(link.body).hexdigest()
    action = header.get("action")
    stated = header.get("kind"), header.get("seq"), header.get("body")
    if stated != ("ledger", seq, digest) or action not in ("ledger.key", "ledger.recover"):
        raise ProofError(f"{name} is no such entry, or its body is another one")
    event = event if isinstance(event, dict) else {}
    try:
        key = VerifierKey.parse(str(event.get("vkey")))
    except NoteError as exc:
        raise ProofError(f"{name} names no verifier key: {exc}") from exc
    if action == "ledger.recover":
        _check_recovery(name, reign.key, key, event)
    elif key.name != reign.key.name:
        raise ProofError(f"{name} names a key of another ledger: {key.name}")
    try:  # a `key` entry stands under the key before, a `recover` entry under its own
        checkpoint = link.proof.verify(key if action == "ledger.recover" else reign.key)
    except ProofError as exc:
        raise ProofError(f"{name} does not hold: {exc}") from exc
    if checkpoint.size != seq + 1:
        raise ProofError(f"{name} is not the last one under its head of {checkpoint.size}")
    if checkpoint.size < reign.first_size:
        raise ProofError(f"{name} stands before the key that has to sign for it")
    return Reign(seq + (1 if action == "ledger.recover" else 2), key)


def _check_recovery(name: str, old: VerifierKey, new: VerifierKey, event: dict[str, Any]) -> None:
    """A new incarnation is followed if the key before signed for it. Raises ProofError."""
    size, root = event.get("size"), event.get("root")
    try:
        head = head_text(old.name, int(size), bytes.fromhex(root))  # type: ignore[arg-type]
        signature = decode_base64(str(event.get("signature")))
    except (TypeError, ValueError) as exc:
        raise ProofError(f"{name} does not say what it goes on from") from exc
    text = f"recover/v1\n{head}{event.get('origin')}\n{new}\n"
    if new.name != event.get("origin") or not old.verify(text.encode(), signature):
        raise ProofError(f"{name} begins a new incarnation that the key before did not sign for")


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
