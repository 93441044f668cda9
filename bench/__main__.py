"""`python -m bench`: run the measurements one by one, print the table, keep the figures."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import anchors, report, scenario
from bench.scenario import clients_for

RESULTS = Path(__file__).resolve().parent / "results"
DOORS = ("http", "grpc")
SIZES = (1, 10, 100, 512)


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a second each: does the bench work?")
    parser.add_argument("--memory", action="store_true", help="also a million entries (minutes)")
    parser.add_argument(
        "--anchors", action="store_true", help="only what two anchors cost, against none"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="measured time of each load")
    parser.add_argument("--doors", nargs="+", choices=DOORS, default=DOORS)
    parser.add_argument("--records", nargs="*", type=int, default=SIZES, help="records a request")
    parser.add_argument(
        "--folder", type=Path, help="where the ledgers are written (default: bench/results)"
    )
    return parser.parse_args(arguments)


def measure(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All the figures that were asked for."""
    seconds = 0.5 if chosen.quick else chosen.seconds
    sizes = [size for size in chosen.records if not chosen.quick or size in (1, 512)]
    result: dict[str, Any] = {"machine": report.machine(folder), "durable": [], "null": []}
    if chosen.anchors:
        _say("two anchors against none")
        return result | {"anchors": anchors.measure(folder, seconds)}
    for door in chosen.doors:
        for size in sizes:
            case = {"transport": door, "records": size, "clients": clients_for(size)}
            _say(f"{door}, {size} records a request")
            figures = scenario.durable(folder / f"{door}-{size}", door, size, seconds)
            result["durable"].append(case | figures)
    for door in chosen.doors:
        for size in [size for size in sizes if size in (1, 512)]:
            _say(f"{door}, {size} records a request, on a receiver that does nothing")
            case = {"transport": door, "records": size}
            result["null"].append(case | scenario.null(door, size, min(seconds, 2.0)))
    if sizes:
        _say("spans that are not audit")
        result["skipped"] = scenario.skipped(folder / "skipped", min(seconds, 3.0))
    if chosen.memory:
        _say("memory over a million entries")
        result["memory"] = scenario.memory(folder / "memory")
    return result


def _say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print, keep."""
    chosen = options()
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen.folder or RESULTS) as folder:
        result = measure(chosen, Path(folder))
    report.show(result)
    print(f"kept in {report.keep(result, RESULTS)}", file=sys.stderr)


if __name__ == "__main__":
    main()
