"""`max_lag` in a real service: records wait for an anchor where the configuration says so."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from audit_receiver.anchor import line, publisher
from tests.anchor.test_faults import send, until
from tests.kit import build
from tests.kit.outside import Outside, Reply
from tests.service.running import Running, running

PATIENCE_SECONDS = 30.0


async def post(run: Running) -> tuple[int, str | None]:
    """The answer to one record: its status, and when to come again."""
    url = f"http://127.0.0.1:{run.port('OTLP/HTTP')}/v1/logs"
    body = build.request(build.log_record(), signal="logs").SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After")


async def until_answered(run: Running, status: int) -> str | None:
    """Send records until they are answered so."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while (answer := await post(run))[0] != status:
        assert time.monotonic() < ends, answer
        await asyncio.sleep(0.1)
    return answer[1]


async def test_records_are_answered_503_while_an_anchor_lags_and_are_taken_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(publisher, "LEAST_SECONDS", 0.05)
    with Outside(lambda asked: Reply(204)) as held, Outside(lambda asked: Reply(204)) as free:
        anchors = {
            "webhook/held": {"url": held.url, "max_lag": "1s"},
            "webhook/free": {"url": free.url},
        }
        checkpoints = {"interval": "1s", "records": 1}
        async with running(tmp_path, {"anchors": anchors, "checkpoints": checkpoints}) as run:
            await until(run, "on", lambda now: all(one["state"] == "on" for one in now.values()))
            free.fault = "gone"
            await send(run)
            await asyncio.sleep(1.5)
            assert (await post(run))[0] == 200, "this one may lag for ever"

            held.fault = "gone"
            assert await until_answered(run, 503) == "1"
            reply = await run.get("/readyz")
            assert reply.status == 503
            assert "anchor webhook/held" in reply.body["reason"]
            assert "its max_lag is 1 s" in reply.body["reason"]

            held.fault = ""
            await until_answered(run, 200)
            assert (await run.get("/readyz")).status == 200
