"""One self-check in a process of its own, with the lowest priority: asked on stdin, told on stdout.

It opens the ledger read-only like any reader. What it remembers comes and goes with the question,
so nothing of it lies beside the ledger. SQLite's own check of the file's structure is left out: of
a live ledger it wants a whole copy; `audit-receiver verify` makes it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from audit_receiver import examine
from audit_receiver.errors import AuditReceiverError
from audit_receiver.inspection import state
from audit_receiver.verify.report import VerifyReport

LOWEST_PRIORITY = 19
MOST_FINDINGS = 20
RESULTS = {
    "intact": "holds",
    "intact_unanchored": "holds",
    "tampered": "does not hold",
    "undecided": "could not judge",
}


def main() -> int:
    """Judge the ledger that is named on the command line; `full` or `incremental`."""
    os.nice(LOWEST_PRIORITY)
    ledger, mode = Path(sys.argv[1]), sys.argv[2]
    given = sys.stdin.buffer.read()
    try:
        answer = _answer(ledger, mode, given)
    except AuditReceiverError as exc:
        answer = {"result": "failed", "to": -1, "findings": [], "words": [str(exc)], "state": None}
    sys.stdout.write(json.dumps(answer))
    return 0


def _answer(ledger: Path, mode: str, given: bytes) -> dict[str, Any]:
    memory = state.parse(given, "what the check before remembered") if given else None
    report, seen = examine.answer(
        examine.Question(
            ledger,
            remembered=("the check before", memory) if memory is not None else None,
            incremental=mode == "incremental",
            structure=False,
        )
    )
    return {
        "result": RESULTS[report.verdict],
        "to": report.size - 1,
        "from": report.checked_from,
        "findings": [[one.kind, one.first, one.last] for one in report.findings[:MOST_FINDINGS]],
        "words": _words(report),
        "state": state.render(seen).decode() if seen is not None else None,
    }


def _words(report: VerifyReport) -> list[str]:
    found = [f"{one.kind.replace('_', ' ')}: {one.message}" for one in report.findings]
    return [text[:300] for text in (*found, *report.undecided)[:MOST_FINDINGS]]


if __name__ == "__main__":
    sys.exit(main())
