"""kill -9 under load: whatever was acknowledged is there exactly once, and the ledger holds.

Several senders, each by its own door, remember what was acknowledged and resend everything else.
AUDIT_RECEIVER_SEED=<number> repeats the moments of a run.
"""

import http.client
import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.oracle import events, holds, rows, settle
from tests.kit import build
from tests.kit.senders import FORMS
from tests.kit.server import Server

GIVE_UP_SECONDS = 60.0


def _seed() -> int:
    seed = int(os.environ.get("AUDIT_RECEIVER_SEED") or random.randrange(1 << 32))
    print(f"AUDIT_RECEIVER_SEED={seed}")
    return seed


class Crowd:
    """Senders that never stop before everything they sent is acknowledged."""

    def __init__(self, server: Server, seed: int) -> None:
        self.acknowledged: list[str] = []
        self.sent: list[str] = []
        self.failure: BaseException | None = None
        self._server = server
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(name, form, random.Random(f"{seed}{name}")))
            for name, form in enumerate(FORMS)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, name: int, form: str, rng: random.Random) -> None:
        try:
            for number in itertools.count():
                if self._stop.is_set():
                    return
                ids = [f"{name}-{number}-{i}" for i in range(rng.choice((1, 1, 1, 5, 40)))]
                records = [
                    build.log_record(
                        attributes={**build.LOG_ATTRIBUTES, "audit.record.id": record_id},
                        body="x" * rng.randrange(2000),
                    )
                    for record_id in ids
                ]
                self.sent += ids
                self._until_acknowledged(build.request(*records), form)
                self.acknowledged += ids
        except BaseException as error:
            self.failure = error

    def _until_acknowledged(self, message: Any, form: str) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            with self._server.sender(timeout_seconds=10) as sender:
                try:
                    reply = sender.send(message, form)
                except (OSError, http.client.HTTPException):
                    reply = None  # no answer: it may be stored or not
                if reply is not None and reply.acknowledged:
                    return
                assert reply is None or reply.code in (503, "UNAVAILABLE", "CANCELLED"), reply
            time.sleep(0.02)
        raise AssertionError(f"a request was not acknowledged for {GIVE_UP_SECONDS} s")

    def finish(self) -> None:
        """Send what is still unacknowledged, until nothing is."""
        self._stop.set()
        for thread in self._threads:
            thread.join(GIVE_UP_SECONDS + 20)
            assert not thread.is_alive()
        if self.failure is not None:
            raise self.failure


def _kill_and_restart(server: Server, times: int, check_every: int) -> None:
    seed = _seed()
    rng = random.Random(seed)
    server.start()
    crowd = Crowd(server, seed)
    for kill in range(1, times + 1):
        moment = rng.random()
        if rng.random() < 0.2:  # while it starts and checks the ledger
            server.kill()
            server.launch()
            time.sleep(moment)
            if not server.running:
                raise AssertionError(server.stderr)
        else:
            wanted = len(crowd.acknowledged) + rng.randrange(1, 400)
            deadline = time.monotonic() + moment
            while len(crowd.acknowledged) < wanted and time.monotonic() < deadline:
                time.sleep(0.001)
        server.kill()
        if kill % check_every == 0:
            holds(server.ledger)
        server.start()
    crowd.finish()
    settle(server)
    stored = Counter(
        row["record_id"] for row in rows(server.ledger, "SELECT record_id FROM audit_records_all")
    )
    assert crowd.acknowledged == [] or set(crowd.acknowledged) == set(crowd.sent)
    assert len(crowd.sent) > times
    assert [record for record in crowd.acknowledged if stored[record] != 1] == []
    assert set(stored) == set(crowd.acknowledged)
    incidents = [event["incident"] for event in events(server.ledger, "incident")]
    assert incidents.count("unclean_stop") >= times / 2


@pytest.mark.timeout(300)
def test_ten_kills_lose_nothing_and_double_nothing(make_server: Callable[..., Server]) -> None:
    _kill_and_restart(make_server(), times=10, check_every=10)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_kills_lose_nothing_and_double_nothing(
    make_server: Callable[..., Server],
) -> None:
    _kill_and_restart(make_server(), times=200, check_every=20)


@pytest.mark.timeout(300)
def test_killed_while_it_creates_the_ledger_the_next_start_mends_it(
    make_server: Callable[..., Server],
) -> None:
    rng = random.Random(_seed())
    for _ in range(4):
        server = make_server().launch()
        directory = server.ledger.parent
        while not directory.exists():
            assert server.running, server.stderr
            time.sleep(0.001)
        time.sleep(rng.random() * 0.08)
        server.kill()
        server.start()
        with server.sender() as sender:
            assert sender.send(build.request(build.span()), "grpc").acknowledged
        settle(server)
