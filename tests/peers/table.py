"""`python -m tests.peers.table`: fill the table of docs/senders.md from the last run."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "senders.md"
RESULTS = ROOT / ".pytest_cache" / "peers"
SITUATIONS = ("plain", "refused", "killed", "slow")
BEGIN, END = "<!-- table: filled by tests/peers -->", "<!-- end of table -->"

Results = Mapping[tuple[str, str], tuple[int, int]]  # (peer, situation) -> stored, resent


def last_run() -> dict[tuple[str, str], tuple[int, int]]:
    """What the last run left behind."""
    found = (json.loads(path.read_text()) for path in RESULTS.glob("*.json"))
    return {(one["peer"], one["situation"]): (one["stored"], one["resent"]) for one in found}


def cell(stored: int, resent: int, count: int) -> str:
    """One cell: what arrived, and how much of it came again and was recognised."""
    again = f", {resent:,} resent" if resent else ""
    return f"all{again}" if stored == count else f"{count - stored:,} lost{again}"


def rendered(results: Results, peers: list[str], count: int) -> str:
    """The table in Markdown."""
    lines = [f"| sender | {' | '.join(SITUATIONS)} |", f"|---|{'---|' * len(SITUATIONS)}"]
    for peer in peers:
        cells = [cell(*results[peer, situation], count) for situation in SITUATIONS]
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write the table; every cell has to be there."""
    from tests.peers.senders import PEERS
    from tests.peers.test_senders import COUNT

    results = last_run()
    missing = [key for key in ((p, s) for p in PEERS for s in SITUATIONS) if key not in results]
    if missing:
        sys.exit(f"no result for {missing}; run `make test-peers` first")
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    table = rendered(results, list(PEERS), COUNT)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")


if __name__ == "__main__":
    main()
