"""What the tests of retention share: people's records, and a search for what is left of them."""

import re
from collections.abc import Iterable
from pathlib import Path

from audit_receiver.examine import Question, examine
from audit_receiver.retention.engine import Engine, Who
from tests.kit.lab import LedgerLab, draft
from tests.kit.oracle import check

WHO = Who("Data protection officer", "request 2026-17", "art-17")


def fill(lab: LedgerLab, number: int, every: int = 50) -> list[str]:
    """Records of as many people; each text that is theirs ends in their number."""
    for start in range(0, number, every):
        lab.append(
            *(
                draft(
                    f"rec-{one:05d}",
                    audit_actor_id=f"actor-{one:05d}",
                    audit_target_id=f"target-{one:05d}",
                    note=f"note-{one:05d}-" + "x" * (one * 37 % 300),
                )
                for one in range(start, min(start + every, number))
            )
        )
    return [f"{one:05d}" for one in range(number)]


def person(lab: LedgerLab, seq: int) -> str:
    """The number of the person in an entry."""
    [(actor,)] = lab.rows("SELECT actor FROM entry WHERE seq = ?", (seq,))
    return str(actor).removeprefix("actor-")


def left(lab: LedgerLab, people: Iterable[str]) -> set[str]:
    """Those of whom any text stands in any file of the ledger."""
    wanted = {one.encode() for one in people}
    found: set[bytes] = set()
    for path in lab.path.parent.iterdir():
        if path.is_file():
            data = path.read_bytes()
            found |= set(re.findall(rb"(?:rec|actor|target|note)-(\d{5})", data)) & wanted
    return {one.decode() for one in found}


def engine(lab: LedgerLab, **more: object) -> Engine:
    """An engine over the lab's writer."""
    return Engine(lab.appender, lab.path, **more)  # type: ignore[arg-type]


def holds(path: Path) -> None:
    """The oracle and `verify` find nothing."""
    check(path)
    report = examine(Question(path))
    assert report.findings == (), report.findings
