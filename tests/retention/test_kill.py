"""kill -9 of a real service while it erases: the next start finishes it, and no more is gone."""

import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.oracle import events, rows, settle
from tests.kit.server import COMMAND, Server, environment, run_cli
from tests.retention.test_commands import WHO, everywhere, send


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rounds", [1, pytest.param(25, marks=pytest.mark.long)])
def test_a_service_that_is_killed_while_it_erases_finishes_at_the_next_start(
    tmp_path: Path, rounds: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with Server(tmp_path) as server:
        for number in range(rounds):
            person = f"person-{number:03d}"
            for part in range(4):
                send(server, *(f"{person}" if one % 2 else "other" for one in range(part * 9, 300)))
            command = ("erase", str(server.ledger), "--actor", person, *WHO, "--yes")
            asked = subprocess.Popen(
                [*COMMAND, *command],
                cwd=tmp_path,
                env=environment(),
                stderr=subprocess.PIPE,
                text=True,
            )
            before = len(events(server.ledger, "erase"))
            deadline = time.monotonic() + 30
            while len(events(server.ledger, "erase")) == before and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.4))
            server.kill()
            said = asked.communicate(timeout=60)[1]
            assert asked.returncode == 0 or "give this command again" in said, said
            server.start()
            deadline = time.monotonic() + 60
            while True:
                told = {
                    one for event in events(server.ledger, "deleted") for one in event["entries"]
                }
                if len(told) == len(events(server.ledger, "erase")):
                    break
                assert time.monotonic() < deadline, "it is not finished"
                time.sleep(0.05)
            # Scattered as they are they need several entries, and only the first may stand there.
            again = run_cli(*command, cwd=tmp_path)
            assert again.returncode == 0 or "no body to erase" in again.stderr, again.stderr
            assert everywhere(server, person) == []
        report = settle(server)
    left = rows(server.ledger, "SELECT actor, count(*) AS n FROM audit_records GROUP BY actor")
    assert {row["actor"] for row in left} == {None, "other"}
    gone = {row["n"] for row in left if row["actor"] is None}
    assert gone == {sum(event["count"] for event in events(server.ledger, "erase"))}
    assert report["erased"]
