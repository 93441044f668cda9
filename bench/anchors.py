"""What anchors cost: the same load with two anchors on and with none, turn by turn, in one run."""

import statistics
from pathlib import Path
from typing import Any

from bench.load import Orders
from bench.scenario import clients_for, receiver, run_load

ROUNDS = 4
RECORDS = 512
ALLOWED = 0.95  # within 5 % of without


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Records per second with and without; the turns alternate, so that drift hits both."""
    rates: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(ROUNDS):
        for which in ("with", "without") if number % 2 else ("without", "with"):
            home = folder / f"anchors-{number}-{which}"
            path = home / "elsewhere" / "checkpoints.txt"
            anchors = {"stdout": {}, "file": {"path": str(path)}} if which == "with" else {}
            with receiver(home, {"anchors": anchors}) as server:
                orders = Orders("http", server.http, RECORDS, clients_for(RECORDS), seconds=seconds)
                figures = run_load(orders)
                if server.stop() != 0:
                    raise RuntimeError(f"the receiver did not stop cleanly:\n{server.stderr}")
                if which == "with":
                    _check_anchored(path)
            rates[which].append(figures["records_per_second"])
    medians = {which: statistics.median(found) for which, found in rates.items()}
    return {"rates": rates, "medians": medians, "ratio": medians["with"] / medians["without"]}


def _check_anchored(path: Path) -> None:
    """Both were on: the checkpoint over `stop` is in the file."""
    if path.read_text().count("\n=\n") < 2:
        raise RuntimeError(f"{path} holds no checkpoints: the anchors were not on")
