"""`python -m tests.fuzz --seconds 600`: a coverage-guided run with atheris over the kept corpus.

What reaches new code is kept in `.fuzz/`, so that a later run goes on from there; an input that
breaks an oracle is written to `.fuzz/crash-*`. Take it into tests/fuzz/corpus with its mend.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import atheris

FOLDER = Path(".fuzz")

with atheris.instrument_imports(include=["audit_receiver.otlp", "audit_receiver.record"]):
    from tests.fuzz import seeds, target


def main() -> None:
    """Run until the time is over; prints how many inputs ended how."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=600)
    given = parser.parse_args()
    found = FOLDER / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    counted: Counter[str] = Counter()

    def one(data: bytes) -> None:
        counted[target.one(data)] += 1
        total = counted.total()
        if (
            total % 1000 == 0
        ):  # libFuzzer ends the process itself, so the counts are kept as it goes
            (FOLDER / "counts.json").write_text(json.dumps({"inputs": total, **counted}))

    options = [
        f"-max_total_time={given.seconds}",
        "-max_len=65536",
        "-timeout=10",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={FOLDER}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(seeds.CORPUS)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
