"""The catalogue of attacks: by name, who can do it, which layer finds it, and the function.

Each function takes a `Victim`, a copy of a ledger in a folder of its own with what the attacker
holds besides, and tampers with it. Nothing of the product is used. The agreement of the verifiers
(tests/standalone) and the table in docs/attack-matrix.md run all of them.
"""

from tests.kit import attacks_file, attacks_rows
from tests.kit.attack_model import CATALOGUE, Attack, Victim

__all__ = ["CATALOGUE", "Attack", "Victim", "attacks_file", "attacks_rows"]
