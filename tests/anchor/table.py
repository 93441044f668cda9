"""The table of docs/anchor-faults.md: what each fault of an anchor looks like.

`python -m tests.anchor.table` fills it from the last run of tests/anchor/test_faults.py.
"""

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "anchor-faults.md"
RESULTS = ROOT / ".pytest_cache" / "anchor-faults"
BEGIN, END = "<!-- table: filled by tests/anchor -->", "<!-- end of table -->"
MEANING = {
    "refuses": "it refuses and keeps nothing",
    "lost": "it keeps, and the answer is lost",
    "slow": "no answer within the timeout",
    "wrong": "a wrong signature, token or answer",
    "conflict": "it holds another history",
    "gone": "gone for long, then back",
    "garbage": "200 with a page that is none of its own",
    "huge": "an answer without end",
    "redirect": "it redirects elsewhere",
}
HEAD = "| fault | anchor | state | kept meanwhile | reason |"


class Row(NamedTuple):
    """What was seen of one anchor under one fault."""

    fault: str
    anchor: str
    state: str
    kept: str  # yes or no: whether the outside has it although the state says failing
    reason: str

    def __str__(self) -> str:
        cells = (MEANING[self.fault], f"`{self.anchor}`", self.state, self.kept, f"`{self.reason}`")
        return f"| {' | '.join(cells)} |"


def stable(reason: str) -> str:
    """A reason without what differs from run to run."""
    reason = re.sub(r"https?://127\.0\.0\.1:\d+[^\s,;:'\"]*", "ADDRESS", reason)
    reason = re.sub(r"/\S*/volume", "VOLUME", reason)
    reason = re.sub(r"s3://\S+/\d{19}\b", "OBJECT", reason)
    reason = re.sub(r"s3://audit-\d+-\d+[^\s:]*", "BUCKET", reason)
    reason = re.sub(r"\b[0-9a-f]{64}\b", "ROOT", reason)
    reason = re.sub(r"\b\d{4}-\d\d-\d\d\b", "DATE", reason)
    reason = re.sub(r"/[0-9a-f]{16}\b", "/INCARNATION", reason)
    reason = re.sub(r"the ledger has \d+", "the ledger has N", reason)
    return reason.replace("|", "\\|")


def documented() -> list[str]:
    """The rows of the document."""
    lines = DOCUMENT.read_text().split(BEGIN)[1].split(END)[0].strip().splitlines()
    return lines[2:]


def main() -> None:
    """Write the table from the last run."""
    rows = [Row(*cells) for f in MEANING for cells in json.loads((RESULTS / f).read_text())]
    if missing := [fault for fault in MEANING if not (RESULTS / fault).exists()]:
        sys.exit(f"no result for {missing}; run pytest tests/anchor/test_faults.py first")
    table = "\n".join([HEAD, "|---|---|---|---|---|", *map(str, rows)])
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
