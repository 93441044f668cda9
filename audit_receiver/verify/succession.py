"""A chain of ledgers: each was closed and continued in the next, whose genesis says where it ended.

A successor's genesis vouches for all of the ledger before it, so a checkpoint of the successor that
was kept outside covers that one too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from audit_receiver.verify.findings import Finding, Kind
from audit_receiver.verify.incarnations import root_of
from audit_receiver.verify.report import Verdict, VerifyReport

CLOSE = "ledger.close"
Named = tuple[str, VerifyReport]


@dataclass(frozen=True, slots=True)
class ChainReport:
    """The result of verifying several ledgers that continue each other."""

    verdict: Verdict
    size: int  # entries of all
    unanchored: int  # records that no checkpoint from outside covers, of all
    unanchored_since: str | None
    links: tuple[Finding, ...]  # what is wrong between them
    remarks: tuple[str, ...]
    ledgers: tuple[Named, ...]  # oldest first

    @property
    def findings(self) -> int:
        """How many there are, within ledgers and between them."""
        return len(self.links) + sum(len(report.findings) for _, report in self.ledgers)

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {
            "verdict": self.verdict,
            "size": self.size,
            "unanchored": self.unanchored,
            "unanchored_since": self.unanchored_since,
            "links": [
                {"kind": one.kind, "expected": one.expected, "found": one.found}
                | {"message": one.message}
                for one in self.links
            ],
            "remarks": list(self.remarks),
            "ledgers": [{"ledger": name, **report.as_dict()} for name, report in self.ledgers],
        }


def judge(given: Sequence[Named]) -> ChainReport:
    """One verdict over several ledgers, in whatever order they were given."""
    ordered = _in_order(given)
    remarks = [] if ordered == list(given) else ["the ledgers were put in the order of their links"]
    links: list[Finding] = []
    for before, after in pairwise(ordered):
        links += _link(before, after)
    name, first = ordered[0]
    if first.previous is not None:
        remarks.append(
            f"{name} continues a ledger that was not given: {_text(first.previous.get('size'))}"
            f" entries of {_text(first.previous.get('origin'))}"
        )
    open_ = _not_covered(ordered, bool(links))
    since = [report.unanchored_since for report in open_ if report.unanchored_since]
    return ChainReport(
        verdict=_verdict(ordered, links, open_),
        size=sum(report.size for _, report in ordered),
        unanchored=sum(report.unanchored for report in open_),
        unanchored_since=since[0] if since else None,
        links=tuple(links),
        remarks=tuple(remarks),
        ledgers=tuple(ordered),
    )


def _in_order(given: Sequence[Named]) -> list[Named]:
    """By their links where these make one chain, else as they were given."""
    behind: dict[str, Named] = {}
    for named in given:
        previous = named[1].previous
        if previous is not None:
            behind[str(previous.get("origin"))] = named
    origins = {report.origin for _, report in given}
    firsts = [
        named
        for named in given
        if named[1].previous is None or str(named[1].previous.get("origin")) not in origins
    ]
    if len(firsts) != 1:
        return list(given)
    ordered = [firsts[0]]
    while (successor := behind.get(ordered[-1][1].origin)) is not None and len(ordered) < len(
        given
    ):
        ordered.append(successor)
    return ordered if len(ordered) == len(given) else list(given)


def _link(before: Named, after: Named) -> list[Finding]:
    """What is wrong between a ledger and its successor."""
    (name, old), (other, new) = before, after
    said = new.previous
    if said is None or said.get("origin") != old.origin:
        found = "none" if said is None else _text(said.get("origin"))
        return [_finding("forked", f"{other} does not continue {name}", old.origin, found)]
    size = said.get("size")
    if type(size) is not int or size != old.size:
        fewer = type(size) is int and size > old.size
        message = (
            f"{name} was cut off after {other} had continued it"
            if fewer
            else f"entries were put behind the end of {name} after {other} had continued it"
        )
        kind: Kind = "truncated" if fewer else "inserted"
        return [_finding(kind, message, f"{_text(size)} entries", f"{old.size} entries")]
    if root_of(said.get("root")) != root_of(old.root) or said.get("hash") != old.last_hash:
        message = f"{name} is not the ledger that {other} continues: it was rewritten, or {other}"
        return [_finding("forked", message, _text(said.get("root")), old.root)]
    if old.last_action != CLOSE:
        message = f"{name} was continued by {other} and does not end with a `close` entry"
        return [_finding("missing", message, CLOSE, old.last_action or "a record")]
    return []


def _not_covered(ordered: Sequence[Named], broken: bool) -> list[VerifyReport]:
    """The ledgers with records that nothing outside covers, neither here nor in a successor."""
    open_: list[VerifyReport] = []
    covered = False
    for _, report in reversed(ordered):
        if report.verdict != "intact" and not (covered and not broken):
            open_.insert(0, report)
        covered = covered or report.anchored_size > 0
    return open_


def _verdict(
    ordered: Sequence[Named], links: Sequence[Finding], open_: Sequence[VerifyReport]
) -> Verdict:
    verdicts = {report.verdict for _, report in ordered}
    if links or "tampered" in verdicts:
        return "tampered"
    if "undecided" in verdicts:
        return "undecided"
    return "intact_unanchored" if open_ else "intact"


def _finding(kind: Kind, message: str, expected: str, found: str) -> Finding:
    return Finding(kind, None, None, expected[:500], found[:500], message[:500])


def _text(value: Any) -> str:
    return str(value)[:200]
