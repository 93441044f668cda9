"""What a verifier remembers of a ledger that held, so that the next run can go on from there.

It is kept where the verifier is, not where the ledger is: then it is also an outside checkpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from audit_receiver.tlog.checkpoint import Checkpoint, check_origin
from audit_receiver.tlog.merkle import Frontier

FORMAT = "audit-receiver verify state, version 1"
MOST_LEARNT = 1_000_000


class StateError(ValueError):
    """A state is not one that a verifier wrote; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A ledger as it was found: its end, the tree's right edge, what its own records taught."""

    checkpoint: Checkpoint
    frontier: Frontier
    last_hash: str
    last_received: str
    records: int
    learnt: tuple[tuple[int, str, dict[str, Any]], ...]  # own records: seq, event, fields
    tallied_from: int  # first entry that no heartbeat has counted
    tallies: tuple[tuple[str, str, int], ...]  # action, outcome, how many since then
    tallies_complete: bool = True

    @property
    def size(self) -> int:
        """How many entries there were."""
        return self.checkpoint.size

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {
            "format": FORMAT,
            "origin": self.checkpoint.origin,
            "size": self.size,
            "root": self.checkpoint.root.hex(),
            "frontier": [peak.hex() for peak in self.frontier.peaks],
            "last_hash": self.last_hash,
            "last_received": self.last_received,
            "records": self.records,
            "learnt": [list(one) for one in self.learnt],
            "tallied_from": self.tallied_from,
            "tallies": [list(one) for one in self.tallies],
            "tallies_complete": self.tallies_complete,
        }

    @classmethod
    def from_dict(cls, told: Any) -> "Memory":
        """Read one back. Raises StateError."""
        try:
            if told["format"] != FORMAT:
                raise StateError(f"its format is {str(told['format'])[:80]!r}")
            check_origin(told["origin"])
            peaks = [bytes.fromhex(peak) for peak in told["frontier"]]
            frontier = Frontier.of_peaks(int(told["size"]), peaks)
            root = bytes.fromhex(told["root"])
            if frontier.root() != root:
                raise StateError("its root is not that of its frontier")
            return cls(
                Checkpoint(told["origin"], frontier.size, root),
                frontier,
                _hex(told["last_hash"]),
                str(told["last_received"]),
                int(told["records"]),
                tuple(
                    (int(seq), str(event), dict(fields)) for seq, event, fields in told["learnt"]
                ),
                int(told["tallied_from"]),
                tuple((str(a), str(b), int(count)) for a, b, count in told["tallies"]),
                bool(told["tallies_complete"]),
            )
        except StateError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise StateError(f"it is not a state that `verify` wrote: {exc!r}") from exc


class Resumption(NamedTuple):
    """A memory, and what the ledger has now where the memory ends."""

    memory: Memory
    tail: Sequence[bytes]  # leaf hashes behind the last complete 256-subtree
    roots: dict[int, bytes]  # at sizes that were given from outside


def _hex(text: Any) -> str:
    if type(text) is not str or len(bytes.fromhex(text)) != 32:
        raise StateError("its last hash is none")
    return text
