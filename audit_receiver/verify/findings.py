"""What a verification found, as values: findings, ranges merged. `report` has the whole result."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "altered",
    "body_missing",
    "canonical",
    "forked",
    "head",
    "index",
    "inserted",
    "key",
    "missing",
    "reordered",
    "rolled_back",
    "schema",
    "time",
    "truncated",
    "unreadable",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_RANGES = 1000  # of findings that say the same; what comes after widens the last of them
MOST_FINDINGS = 10_000
MOST_CHARACTERS = 500  # of an expected or found value, and of a message


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: what, from which seq to which, what should be, what is."""

    kind: Kind
    first: int | None
    last: int | None
    expected: str
    found: str
    message: str


class Findings:
    """Collects findings; what says the same of neighbouring entries becomes one with a range.

    However badly a ledger was treated, the collection stays small.
    """

    def __init__(self) -> None:
        self._all: list[list[Any]] = []  # [kind, first, last, expected, found, message]
        self._open: dict[tuple[str, str], list[Any]] = {}
        self._ranges: dict[tuple[str, str], int] = {}
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(
        self,
        kind: Kind,
        first: int | None,
        last: int | None,
        message: str,
        expected: object = "",
        found: object = "",
    ) -> None:
        """Take one finding; `expected` and `found` are shown as they are, cut if they are long."""
        message = _short(message)
        key = (kind, message)
        before = self._open.get(key)
        if before is not None and first is not None and last is not None:
            joins = before[1] <= first <= before[2] + 1
            if joins or self._ranges[key] >= MOST_RANGES:
                before[1], before[2] = min(before[1], first), max(before[2], last)
                return
        if len(self._all) >= MOST_FINDINGS:
            self._left_out += 1
            return
        entry = [kind, first, last, _short(str(expected)), _short(str(found)), message]
        self._all.append(entry)
        if first is not None and last is not None:
            self._open[key] = entry
            self._ranges[key] = self._ranges.get(key, 0) + 1

    def extend(self, findings: Iterable[Finding]) -> None:
        """Take findings that were made before."""
        for one in findings:
            self.add(one.kind, one.first, one.last, one.message, one.expected, one.found)

    def sorted(self) -> list[Finding]:
        """All of them, those about the whole file first, then by place."""
        made = [Finding(*entry) for entry in self._all]
        made.sort(key=lambda one: (one.first if one.first is not None else -(2**63), one.kind))
        if self._left_out:
            text = f"{self._left_out} more findings are left out"
            made.append(Finding("unreadable", None, None, "", "", text))
        return made


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of one kind that say the same of neighbouring entries, as one with a range."""
    collected = Findings()
    collected.extend(sorted(findings, key=lambda one: one.first if one.first is not None else -1))
    return collected.sorted()


def span_of(first: int | None, last: int | None) -> str:
    """A range of entries in words."""
    if first is None:
        return "the file"
    if last is None or last == first:
        return f"entry {first}"
    return f"entries {first} to {last}"


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
