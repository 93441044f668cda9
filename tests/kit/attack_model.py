"""What an attack is: a function over a victim, with who can do it and what finds it.

The attacks themselves: attacks_rows.py, attacks_file.py; whoever wants all imports attacks.py.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.kit.attacker import Attacker

K = 100  # the entry that is attacked; neither the first nor the last of its commit
LATER = 200  # another one
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Victim(NamedTuple):
    """A copy to tamper with, and what else an attacker may hold."""

    path: Path  # the copy; the verifier key lies beside it
    key: Ed25519PrivateKey  # the ledger's own, stolen
    early: Path  # the same ledger as it was before
    commit: int  # entries of the last commits: cutting these leaves a state that once was

    def open(self) -> Attacker:
        return Attacker(self.path)


class Attack(NamedTuple):
    """What is done, by whom (letters of docs/threat-model.md), and what finds it."""

    run: Callable[[Victim], None]
    who: str
    layer: str  # "outside" where nothing inside the file can
    kinds: frozenset[str]  # what a verifier with key and checkpoint from outside has to say


CATALOGUE: dict[str, Attack] = {}
Run = Callable[[Victim], None]


def attack(
    who: str, layer: str, kinds: str, **variants: Any
) -> Callable[[Callable[..., None]], Run]:
    """Enter a function under its name, once for each variant of its argument."""

    def enter(function: Callable[..., None]) -> Run:
        name = function.__name__.replace("_", " ")
        for label, value in (variants or {"": None}).items():
            run = partial(function, value=value) if variants else function
            words = f"{name}: {label.replace('_', ' ')}" if label else name
            CATALOGUE[words] = Attack(run, who, layer, frozenset(kinds.split()))
        return function

    return enter
