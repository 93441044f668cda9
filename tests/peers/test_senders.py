"""N sent = N in the ledger, once, whatever is between: real senders, real receiver."""

import json
import threading
import time
from pathlib import Path

import pytest

from tests.checklist.door import fresh_action
from tests.e2e.oracle import settle
from tests.kit.server import Server
from tests.peers.faults import Fault
from tests.peers.ledgers import stored
from tests.peers.senders import COMPRESSIONS, PEERS, Job, Peer, collector

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]
COUNT = 1000
SITUATIONS = ("plain", "refused", "killed", "slow")


def front(server: Server, situation: str, peer: Peer) -> Fault:
    """What stands before the receiver in a situation."""
    return Fault(
        server.http,
        server.grpc,
        refusals=3 if situation == "refused" else 0,
        delays=2 if situation == "slow" else 0,
        delay_seconds=peer.patience_seconds + 1,
        pace_seconds=0.1 if situation == "killed" else 0,
    )


def kill_and_restart(server: Server, job: Job) -> None:
    """While the load comes in: kill -9, a second of nothing, a new start."""
    ends = time.monotonic() + 60
    while not stored(job.folder, job.run):
        assert time.monotonic() < ends
        time.sleep(0.05)
    server.kill()
    time.sleep(1)
    server.start()


def tell(name: str, situation: str, count: int, resent: int) -> None:
    """Leave the result where the table is made from it."""
    folder = Path(__file__).parents[2] / ".pytest_cache" / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    result = {"peer": name, "situation": situation, "stored": count, "resent": resent}
    (folder / f"{name}-{situation}.json".replace("/", "_")).write_text(json.dumps(result))


def resent(server: Server) -> int:
    """How many records came again and were recognised, since the last start."""
    lines = server.get("/metrics")[1].splitlines()
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in lines
        if line.startswith("audit_receiver_records_total") and 'result="duplicate"' in line
    )


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", PEERS)
def test_what_is_sent_is_in_the_ledger_once(tmp_path: Path, name: str, situation: str) -> None:
    peer = PEERS[name]
    server = Server(tmp_path).start()
    with front(server, situation, peer) as fault:
        job = Job(fault.http, fault.grpc, COUNT, fresh_action(), tmp_path)
        sending = threading.Thread(target=peer.send, args=(job,))
        sending.start()
        if situation == "killed":
            kill_and_restart(server, job)
        sending.join()
    found = stored(tmp_path, job.run)
    tell(name, situation, len(found), resent(server))
    settle(server)
    assert set(found.values()) == {1}, "a record is there twice"
    if situation not in peer.loses:
        assert len(found) == COUNT, (tmp_path / "sender.log", tmp_path / "relay.log")
    if situation == "refused":
        assert fault.refusals == 0
    if situation == "slow":
        assert fault.delays == 0


@pytest.mark.parametrize("encoding", ["proto", "json"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_of_the_collector_is_read(
    tmp_path: Path, compression: str, encoding: str
) -> None:
    server = Server(tmp_path).start()
    job = Job(server.http, server.grpc, 200, fresh_action(), tmp_path)
    collector("otlp_http", encoding, compression)(job)
    assert len(stored(tmp_path, job.run)) == 200
    settle(server)
