"""What a verification found, as values and in words."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

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
Verdict = Literal["intact", "intact_unanchored", "tampered", "undecided"]
EXIT_CODES: dict[Verdict, int] = {
    "intact": 0,
    "tampered": 1,
    "undecided": 2,
    "intact_unanchored": 3,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: what, from which seq to which, what should be, what is."""

    kind: Kind
    first: int | None
    last: int | None
    expected: str
    found: str
    message: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result of a verification; `as_dict` is what `verify --format json` prints."""

    verdict: Verdict
    size: int
    root: str  # hex
    origin: str
    key_pinned: bool  # whether the key came from outside
    anchored_size: int  # size of the largest checkpoint from outside that holds; 0 without one
    unanchored: int  # records (span, log, audit) after it
    unanchored_since: str | None  # `received` of the first of them
    last_received: str | None
    entries_checked: int
    heads_checked: int
    signatures_checked: int
    undecided: tuple[str, ...]  # what could not be judged, in words
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready object with the members above."""
        return asdict(self)


def exit_code(report: VerifyReport) -> int:
    """0 holds, 1 does not hold, 2 could not judge, 3 holds but is not covered from outside."""
    return EXIT_CODES[report.verdict]


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of one kind that say the same of neighbouring entries, as one with a range."""
    merged: list[Finding] = []
    ordered = sorted(
        findings, key=lambda f: (f.kind, f.message, f.first if f.first is not None else -1)
    )
    for finding in ordered:
        before = merged[-1] if merged else None
        if (
            before is not None
            and before.kind == finding.kind
            and before.message == finding.message
            and before.last is not None
            and finding.first is not None
            and finding.first <= before.last + 1
        ):
            last = max(before.last, finding.last if finding.last is not None else finding.first)
            merged[-1] = Finding(
                before.kind, before.first, last, before.expected, before.found, before.message
            )
            continue
        merged.append(finding)
    return sorted(merged, key=lambda f: (f.first if f.first is not None else -1, f.kind))


def span_of(first: int | None, last: int | None) -> str:
    """A range of entries in words."""
    if first is None:
        return "the file"
    if last is None or last == first:
        return f"entry {first}"
    return f"entries {first} to {last}"
