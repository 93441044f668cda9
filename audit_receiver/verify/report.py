"""The result of a verification: each verdict by itself, how much it is worth, and what it rests on.

`assurance` says how far the result reaches (docs/threat-model.md): LOCAL_CHAINED, the file agrees
with itself; SIGNED, by keys that were known from outside; ANCHORED, and what was known outside
still stands in it; WITNESSED, and independent witnesses saw it grow. NONE where it does not hold.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from audit_receiver.verify.findings import KINDS, Finding

Verdict = Literal["intact", "intact_unanchored", "tampered", "undecided"]
Level = Literal["NONE", "LOCAL_CHAINED", "SIGNED", "ANCHORED", "WITNESSED"]
EXIT_CODES: dict[Verdict, int] = {
    "intact": 0,
    "tampered": 1,
    "undecided": 2,
    "intact_unanchored": 3,
}
MOST_SHOWN = 100  # ranges of one verdict in the JSON object; `findings` has them all


@dataclass(frozen=True, slots=True)
class Gone:
    """Bodies that are gone as a signed entry allows."""

    first: int
    last: int
    by: int  # seq of the entry


@dataclass(frozen=True, slots=True)
class Assurance:
    """How much a result is worth, and why."""

    level: Level = "NONE"
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incarnation:
    """A stretch of the ledger under one origin; a `recover` entry begins each but the first."""

    first: int
    last: int
    origin: str
    key_pinned: bool  # its first key came from outside
    key_vouched: bool = False  # the key before it signed for its first key
    unsigned: int = 0  # entries in front of it that were under no signed head when it began
    reason: str = ""  # as the operator gave it
    lost: tuple[str, ...] = ()  # what its `recover` entry says is lost, in words
    declared: tuple[str, ...] = ()  # given from outside, not here, and declared lost


@dataclass(frozen=True, slots=True)
class Bracket:
    """Proof from outside that the tree of `size` entries existed at a time.

    Entries before `size` existed `before` that time. Those from `size` on were not in what was
    shown then: they came after it as far as the receiver showed its newest head, which it does.
    """

    size: int
    before: str  # RFC 3339
    by: str  # who says so
    kind: str  # cosignature or timestamp
    anchor: str  # under whose name it is kept


@dataclass(frozen=True, slots=True)
class Stored:
    """Published checkpoints and tokens that the ledger keeps."""

    checkpoints: int = 0
    signatures: int = 0
    tokens: int = 0
    judged: int = 0  # tokens, with trust from outside
    not_judged: tuple[str, ...] = ()  # the others: how many of which anchor, and why


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
    assurance: Assurance = field(default_factory=Assurance)
    pruned: tuple[Gone, ...] = ()
    erased: tuple[Gone, ...] = ()
    incarnations: tuple[Incarnation, ...] = ()
    brackets: tuple[Bracket, ...] = ()
    stored: Stored = field(default_factory=Stored)
    remarks: tuple[str, ...] = ()  # what a reader should know and is no finding
    checked_from: int = 0  # entries before it were checked by an earlier run only
    last_hash: str = ""  # of the last entry, hex
    last_action: str = ""  # of the last entry, if it is one of the receiver's own
    previous: dict[str, Any] | None = None  # what the genesis says of the ledger before this one

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready object with the members above, and each verdict by itself."""
        return {**asdict(self), "verdicts": verdicts(self)}


def exit_code(report: VerifyReport) -> int:
    """0 holds, 1 does not hold, 2 could not judge, 3 holds but is not covered from outside."""
    return EXIT_CODES[report.verdict]


def verdicts(report: VerifyReport) -> dict[str, Any]:
    """Each verdict by its name: what was found of it, or that nothing was."""
    result: dict[str, Any] = {kind: {"findings": 0, "ranges": []} for kind in KINDS}
    for finding in report.findings:
        found = result[finding.kind]
        found["findings"] += 1
        if finding.first is not None and len(found["ranges"]) < MOST_SHOWN:
            found["ranges"].append([finding.first, finding.last])
    for name, gone in (("pruned", report.pruned), ("erased", report.erased)):
        bodies = sum(one.last - one.first + 1 for one in gone)
        ranges = [[one.first, one.last] for one in gone[:MOST_SHOWN]]
        by = sorted({one.by for one in gone})[:MOST_SHOWN]
        result[name] = {"bodies": bodies, "ranges": ranges, "authorised_by": by}
    result["unanchored"] = {"records": report.unanchored, "since": report.unanchored_since}
    result["could_not_judge"] = {"reasons": len(report.undecided)}
    return result
