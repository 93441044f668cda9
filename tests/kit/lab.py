"""LedgerLab: a ledger in a box, with a clock that the test moves; every test ends in `check`."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from audit_receiver.ledger.appender import (
    Appended,
    Appender,
    Clock,
    Commit,
    LedgerSettings,
    Observer,
)
from audit_receiver.record import body, timestamp
from audit_receiver.record.model import Draft, Observation, Shared
from audit_receiver.record.normalise import Vocabulary, normalise
from tests.kit.oracle import check

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z


def draft(
    record_id: str = "",
    *,
    time_unix_nano: int = START,
    action: str = "user.login",
    outcome: str = "success",
    service: str = "svc",
    span: str = "",
    kind: str = "",
    **attributes: Any,
) -> Draft:
    """One finished audit record: with a record id, as a span (two digits of `span`), or neither."""
    kind = kind or ("span" if span else "log")
    given = {"audit.action": action, "audit.outcome": outcome, "audit.actor.id": "ann"}
    given |= {"audit.target.id": "bob", "audit.source.id": "10.0.0.1"}
    if record_id:
        given["audit.record.id"] = record_id
    given.update({name.replace("_", "."): value for name, value in attributes.items()})
    otlp: dict[str, Any] = {}
    trace_id, span_id = span * 16, span * 8
    if span:
        otlp = {"name": "audit", "span_id": span_id, "trace_id": trace_id}
    if time_unix_nano:
        otlp["start" if kind == "span" else "time"] = timestamp.render(time_unix_nano)
    resource = {"attributes": {"service.name": service}}
    observation = Observation(
        kind=kind,
        resource=Shared(
            resource,
            json.dumps(resource, separators=(",", ":")),
            resource["attributes"],
            frozenset(),
        ),
        scope=Shared({}, "{}", {}, frozenset()),
        attributes=given,
        attributes_raw=None,
        otlp=otlp,
        name="audit" if span else "",
        event_attributes=(),
        status_code=0,
        time_unix_nano=time_unix_nano,
        trace_id=trace_id,
        span_id=span_id,
        flags=frozenset(),
    )
    return body.encode(normalise(observation, Vocabulary()), b"{}", os.urandom(32))


class FakeClock:
    """Two clocks that stand still until they are moved."""

    def __init__(self, wall: int = START, monotonic: int = 1_000 * SECOND) -> None:
        self.wall = wall
        self.monotonic = monotonic

    def pass_seconds(self, seconds: float) -> None:
        """Time goes by for both clocks."""
        self.wall += int(seconds * SECOND)
        self.monotonic += int(seconds * SECOND)

    def clock(self) -> Clock:
        """As the service lends it to the ledger."""
        return Clock(lambda: self.wall, lambda: self.monotonic)


class Witness(Observer):
    """Remembers what the writer told."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.incidents: list[str] = []
        self.troubles: list[str] = []
        self.fatals: list[Exception] = []
        self.changed = threading.Event()

    def committed(self, commit: Commit) -> None:
        self.commits.append(commit)

    def incident(self, kind: str) -> None:
        self.incidents.append(kind)

    def trouble(self, reason: str) -> None:
        self.troubles.append(reason)
        self.changed.set()

    def fatal(self, error: Exception) -> None:
        self.fatals.append(error)
        self.changed.set()


class LedgerLab:
    """A ledger in a directory of its own, with a clock that the test moves."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.path = directory / "lab" / "ledger.db"
        self.clock = FakeClock()
        self.witness = Witness()
        self.appender: Appender = None  # type: ignore[assignment]
        self._settings: dict[str, Any] = {
            "path": self.path,
            "name": "lab",
            "heartbeat_seconds": 3600.0,
            "disk_reserve_bytes": 0,
            "version": "0",
            "config_digest": "00",
            **settings,
        }

    def open(self, **changes: Any) -> Appender:
        """Start the writer; settings can change from one start to the next."""
        self._settings.update(changes)
        settings = LedgerSettings(**self._settings)
        self.appender = Appender.open(settings, self.clock.clock(), self.witness)
        return self.appender

    def close(self) -> str:
        """Stop cleanly."""
        return self.appender.close()

    def append(self, *drafts: Draft) -> Appended:
        """Store one request and wait for its commit; the two clocks go on by a millisecond."""
        self.clock.pass_seconds(0.001)
        return self.appender.append(drafts, timeout_seconds=20)

    def settle(self) -> None:
        """Let the writer take one turn: own records that wait are durable afterwards."""
        self.append()

    def together(self, *requests: Sequence[Draft]) -> list[Appended | Exception]:
        """Hold the writer back until all these requests wait, so that they become one group."""
        entered, gate, finished = threading.Event(), threading.Event(), threading.Semaphore(0)
        results: list[Appended | Exception] = [RuntimeError("no answer")] * len(requests)

        def hold(_: object) -> None:
            entered.set()
            gate.wait(20)

        def keep(place: int, result: Appended | Exception) -> None:
            results[place] = result
            finished.release()

        self.appender.submit([], hold)
        assert entered.wait(20)
        for place, drafts in enumerate(requests):
            self.appender.submit(drafts, partial(keep, place))
        gate.set()
        for _ in requests:
            assert finished.acquire(timeout=20)
        return results

    def wait_for_trouble(self, trouble: bool = True) -> str:
        """Wait until the ledger is out of service (or back); returns the reason."""
        deadline = time.monotonic() + 20
        while self.appender.status().ok is trouble:
            assert time.monotonic() < deadline, self.appender.status()
            time.sleep(0.005)
        return self.appender.status().reason

    def discard(self) -> None:
        """Stop whatever still runs, in any state, and close what it held."""
        if self.appender is None:
            return
        self.appender.close(drain_seconds=0)
        self.appender._writer.pen.connection.close()
        self.appender._lock.release()

    def crash(self) -> None:
        """Leave as a killed process does: nothing is written, only the kernel tidies up."""
        crash(self.appender)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Look into the file with a connection that can only read."""
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def headers(self) -> list[dict[str, Any]]:
        """All headers, parsed."""
        return [json.loads(text) for (text,) in self.rows("SELECT header FROM entry ORDER BY seq")]

    def events(self, action: str = "") -> list[dict[str, Any]]:
        """The `event` objects of the own records, with the name of each under "is"."""
        found = self.rows(
            "SELECT action, body FROM entry WHERE kind = 'ledger' AND body IS NOT NULL ORDER BY seq"
        )
        events = [
            {"is": name.removeprefix("ledger."), **json.loads(body)["event"]}
            for name, body in found
        ]
        return [event for event in events if action in ("", event["is"])]

    def incidents(self) -> list[str]:
        """The kinds of all recorded incidents."""
        return [event["incident"] for event in self.events("incident")]

    def dump(self) -> str:
        """One line an entry, for a test that fails."""
        return "\n".join(json.dumps(header, sort_keys=True) for header in self.headers())

    def check(self, size: int | None = None) -> None:
        """The oracle: raise AssertionError unless every invariant holds (and the size is this)."""
        check(self.path, size)


def crash(appender: Appender) -> None:
    """Take the ledger away from an appender the way kill -9 does, in this process.

    The connection is closed without the checkpoint and the deletion of the WAL that a last close
    does: a second connection is held open meanwhile, so that this one is not the last.
    """
    path = appender._writer.pen.guard._ledger
    bystander = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
    bystander.execute("SELECT count(*) FROM entry").fetchone()
    appender._closing = True
    appender._finish = lambda: None  # type: ignore[method-assign]
    appender._waiting.wake()
    appender._thread.join(30)
    assert not appender._thread.is_alive()
    appender._writer.pen.connection.close()
    bystander.close()
    appender._lock.release()


__all__ = [
    "SECOND",
    "START",
    "Appended",
    "FakeClock",
    "LedgerLab",
    "Witness",
    "check",
    "crash",
    "draft",
]
