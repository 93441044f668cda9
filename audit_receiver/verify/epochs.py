"""Which key and origin a tree head of a given size belongs to (DESIGN 3.2)."""

from contextlib import suppress
from typing import Any, NamedTuple

from audit_receiver.tlog.note import NoteError, VerifierKey

BEGINNING = ("genesis", "key", "recover")


class Epoch(NamedTuple):
    """The reign of one key: heads of `first_size` and more, until the next epoch begins."""

    seq: int  # the entry that names the key: `head.epoch`
    first_size: int
    origin: str
    key: VerifierKey

    @property
    def is_successor(self) -> bool:
        """Whether it was handed over by the key before, in a `key` entry."""
        return self.first_size == self.seq + 2


class Epochs:
    """The epochs of a ledger, learnt from its own records as they come by.

    `fallback` is the key to judge heads by where the genesis cannot be read: one from outside, or
    the one beside the ledger.
    """

    def __init__(self, fallback: VerifierKey | None = None) -> None:
        self._epochs: list[Epoch] = []
        self._log_keys: dict[str, VerifierKey] = {}
        self._known: set[VerifierKey] = set()
        self._fallback = None if fallback is None else Epoch(0, 1, fallback.name, fallback)

    @property
    def origin(self) -> str:
        """The newest origin, "" before the genesis."""
        return self._epochs[-1].origin if self._epochs else ""

    @property
    def first(self) -> Epoch | None:
        """The epoch of the genesis, on which all others rest."""
        return self._epochs[0] if self._epochs and self._epochs[0].seq == 0 else None

    def all(self) -> tuple[Epoch, ...]:
        """Every epoch, oldest first."""
        if self.first is None and self._fallback is not None:
            return (self._fallback, *self._epochs)
        return tuple(self._epochs)

    def begin(self, seq: int, event: str, fields: dict[str, Any]) -> str:
        """Learn from a genesis, key or recover entry; returns what is wrong with it, or "".

        A `key` entry is the last of its commit and is covered by the head of size seq + 1 under the
        old key; a `recover` entry already stands under the new one.
        """
        try:
            key = VerifierKey.parse(str(fields.get("vkey")))
        except NoteError as exc:
            return str(exc)
        origin = self.origin if event == "key" else fields.get("origin", self.origin)
        if key.name != origin:
            return f"the key is named {key.name}, the origin is {origin}"
        if key in self._known:
            return "the key has had an epoch already, and should have been destroyed after it"
        first_size = seq + 2 if event == "key" else seq + 1
        if event == "recover":
            self._forget(fields.get("size"))
        self._known.add(key)
        self._epochs.append(Epoch(seq, first_size, key.name, key))
        if event != "key":
            with suppress(NoteError):
                self._log_keys[key.name] = VerifierKey.parse(str(fields.get("log_vkey")))
        return ""

    def _forget(self, signed: Any) -> None:
        """A recovery begins: what no signed head had covered before it names no key."""
        if type(signed) is int:
            self._epochs = [one for one in self._epochs if one.seq < max(signed, 1)]

    def keys_of(self, origin: str) -> list[VerifierKey]:
        """Every key that signs heads of this origin, oldest first."""
        return [epoch.key for epoch in self.all() if epoch.origin == origin]

    def log_key(self, origin: str) -> VerifierKey | None:
        """The stable key that adds a line to published checkpoints, if the origin has one."""
        return self._log_keys.get(origin)

    def at(self, size: int) -> Epoch | None:
        """The epoch that a head of this size belongs to."""
        for epoch in reversed(self._epochs):
            if size >= epoch.first_size:
                return epoch
        return self._fallback
