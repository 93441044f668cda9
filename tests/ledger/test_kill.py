"""kill -9 at a random moment: every acknowledged record is there once, and the ledger holds."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit.lab import LedgerLab, draft

WRITER = """
import sys, threading, time
from pathlib import Path
from tests.kit.lab import LedgerLab, draft

lab = LedgerLab(Path(sys.argv[1]))
lab.clock.wall = time.time_ns()
first = int(sys.argv[2])
lab.open(heartbeat_seconds=0.05, key_rotation_seconds=float(sys.argv[3]))
lock = threading.Lock()

def send(lane):
    number = first + lane
    while True:
        lab.clock.pass_seconds(0.0001)
        names = [f"{number}-{place}" for place in range(lane + 1)]
        lab.appender.append([draft(name) for name in names])
        with lock:
            sys.stdout.write("".join(name + "\\n" for name in names))
            sys.stdout.flush()
        number += 4

for lane in range(4):
    threading.Thread(target=send, args=(lane,), daemon=True).start()
time.sleep(60)
"""


def run_and_kill(directory: Path, first: int, seconds: float, rotation: float) -> list[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(first), str(rotation)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip()]  # it is up
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=20)
    acknowledged += [line for line in rest.split("\n")[:-1] if line]
    return acknowledged


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.long)])
@pytest.mark.parametrize("rotation", [0.0, 0.01], ids=["one key", "a new key all the time"])
def test_what_was_acknowledged_survives_kill_9(
    lab: LedgerLab, rounds: int, rotation: float
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    acknowledged: list[str] = []
    for number in range(rounds):
        seconds = chance.uniform(0, 0.3)
        acknowledged += run_and_kill(lab.path.parent.parent, number * 1_000_000, seconds, rotation)
        lab.check()
    lab.clock.wall = time.time_ns()
    lab.open()
    again = lab.append(*(draft(name) for name in acknowledged))
    assert (again.duplicates, again.stored) == (len(acknowledged), 0)
    assert lab.incidents().count("unclean_stop") == rounds
    assert bool(lab.events("key")) is (rotation > 0)
    lab.check()
