"""The fault matrix of anchors: each anchor, each fault, in a service that goes on.

One service has all anchors, and all their outsides fail in the same way at once. What is seen is
compared with docs/anchor-faults.md; `python -m tests.anchor.table` writes that from a run.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from audit_receiver.anchor import line, publisher
from tests.anchor.subject import Subject
from tests.anchor.subjects import Authorities, subjects
from tests.anchor.table import MEANING, RESULTS, Row, documented, stable
from tests.e2e.oracle import events, value
from tests.kit import buckets, build
from tests.kit.timestamping import TimestampAuthority
from tests.service.running import Running, running

PATIENCE_SECONDS = 30.0
RECORDS = 5
MOST_ATTEMPTS = 60  # pauses of 0.05, 0.1, 0.2, 0.4, 0.4 s …; without them it would be thousands
STAMP_SECONDS = 1.1  # after which a time stamp is due again


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of pauses in a second or two."""
    monkeypatch.setattr(line, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(line, "LONGEST_PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(line, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(publisher, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(publisher, "LEAST_SECONDS", 0.05)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    """The one that is trusted, and another."""
    folder = tmp_path_factory.mktemp("authorities")
    return TimestampAuthority(folder / "trusted"), TimestampAuthority(folder / "other")


@pytest.fixture(scope="module")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """S3 with Object Lock."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**buckets.KEYS, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        patch.setattr("boto3.DEFAULT_SESSION", None)
        with buckets.ministack(tmp_path_factory.mktemp("s3") / "log") as url:
            yield url


async def ledger_of(folder: Path) -> Path:
    """A ledger that is there already, so that a witness can be told its key."""
    async with running(folder, {"anchors": {}}) as run:
        return run.ledger


async def send(run: Running, count: int = RECORDS) -> None:
    """Records are taken at once, whatever the anchors do."""
    url = f"http://127.0.0.1:{run.port('OTLP/HTTP')}/v1/logs"
    headers = {"Content-Type": "application/x-protobuf"}
    begun = time.monotonic()
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            body = build.request(build.log_record(), signal="logs").SerializeToString()
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status == 200
    assert time.monotonic() - begun < count, "an anchor holds records up"


async def states(run: Running) -> dict[str, dict[str, Any]]:
    """How the anchors stand, as /readyz tells."""
    reply = await run.get("/readyz")
    assert reply.status == 200, "records can be stored, whatever the anchors do"
    return {one["anchor"]: one for one in reply.body["anchors"]}


async def until(
    run: Running, what: str, holds: Callable[[dict[str, dict[str, Any]]], bool]
) -> dict[str, dict[str, Any]]:
    """Wait until the states are so."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds(found := await states(run)):
        assert time.monotonic() < ends, (what, found)
        await asyncio.sleep(0.05)
    return found


def config(tried: list[Subject]) -> dict[str, Any]:
    """A service with all these anchors, and checkpoints after each record."""
    anchors = {one.name: {"timeout": "1500ms", **one.section} for one in tried}
    return {"anchors": anchors, "checkpoints": {"interval": "1s", "records": 1}}


def attempts(text: str, anchor: str, result: str) -> float:
    """The metric of attempts."""
    name = f'audit_receiver_anchor_attempts_total{{anchor="{anchor}",result="{result}"}} '
    return sum(float(row.split()[-1]) for row in text.splitlines() if row.startswith(name))


@pytest.mark.parametrize("fault", MEANING)
async def test_a_fault_is_told_and_mends(
    tmp_path: Path, authorities: Authorities, bucket_server: str, compressed: None, fault: str
) -> None:
    ledger = await ledger_of(tmp_path)
    with subjects(tmp_path / "outside", authorities, ledger, bucket_server) as tried:
        rows = await seen(fault, tmp_path, tried)
    keep_and_compare(fault, rows)


async def seen(fault: str, folder: Path, tried: list[Subject]) -> list[Row]:
    """One run of the service: all is well, the fault, all is well again; what was seen."""
    bad = [one for one in tried if fault in one.faults]
    good = [one for one in tried if fault not in one.faults]
    wanted = "conflict" if fault == "conflict" else "failing"
    result = "conflict" if fault == "conflict" else "failed"
    async with running(folder, config(tried)) as run:
        await until(run, "all on", lambda now: all(one["state"] == "on" for one in now.values()))
        await asyncio.to_thread(wait_until_kept, run.ledger, tried, 1)
        begun = {one.name: one.newest(run.ledger) for one in tried}
        metrics = (await run.get("/metrics")).body
        before = {one.name: attempts(metrics, one.name, result) for one in bad}
        for one in bad:
            one.fail(fault)
        await asyncio.sleep(STAMP_SECONDS)
        await send(run)
        found = await until(
            run, wanted, lambda now: all(now[one.name]["state"] == wanted for one in bad)
        )
        await send(run)
        await asyncio.sleep(1.2 if fault == "gone" else 0.3)  # many attempts and their pauses
        for one in good:
            assert found[one.name]["state"] == "on", "one anchor's fault is not another's"
        metrics = (await run.get("/metrics")).body
        rows = []
        for one in bad:
            assert 1 <= attempts(metrics, one.name, result) - before[one.name] <= MOST_ATTEMPTS
            assert f'audit_receiver_anchor_up{{anchor="{one.name}"}} 0.0' in metrics
            kept = "yes" if one.newest(run.ledger) > begun[one.name] else "no"
            reason = stable(found[one.name]["reason"])
            rows.append(Row(fault, one.name, wanted, kept, reason))
        for one in bad:
            one.fail("")
        await send(run, 1)
        await until(run, "all on again", lambda now: all(now[o.name]["state"] == "on" for o in bad))
        await asyncio.sleep(STAMP_SECONDS)
        await send(run, 1)
        now = await until(run, "all caught up", lambda now: caught_up(run, now))
        least = min(state["size"] for state in now.values())
        assert least > max(begun.values())
        await asyncio.to_thread(wait_until_kept, run.ledger, tried, least)
        told = events(run.ledger, "anchor")
    for one in bad:
        changes = [event["state"] for event in told if event["anchor"] == one.name]
        assert changes[-3:] == ["on", wanted, "on"], (one.name, changes)
        assert changes.count(wanted) == 1, "told once, not with every attempt"
        [failed] = [e for e in told if e["anchor"] == one.name and e["state"] == wanted]
        assert failed["reason"]
    return rows


def wait_until_kept(ledger: Path, tried: list[Subject], size: int) -> None:
    """What comes back is written, and what goes out is read, a moment after the state says so."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while short := [one.name for one in tried if one.newest(ledger) < size]:
        assert time.monotonic() < ends, f"{short} do not keep {size} entries"
        time.sleep(0.02)


def caught_up(run: Running, now: dict[str, dict[str, Any]]) -> bool:
    """Every anchor keeps a checkpoint over all records that were sent."""
    wanted = value(run.ledger, "SELECT max(seq) + 1 AS n FROM entry WHERE kind <> 'ledger'")
    return all(one["state"] == "on" and one["size"] >= wanted for one in now.values())


def keep_and_compare(fault: str, rows: list[Row]) -> None:
    """Leave the rows for the table, and hold them against the document."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / fault).write_text(json.dumps(rows))
    found = [row for row in documented() if row.startswith(f"| {MEANING[fault]} |")]
    assert found == list(map(str, rows)), "run python -m tests.anchor.table and read what changed"
