"""A real service that anchors in a bucket under Object Lock; its ledger made again from that."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit_receiver.mirror import s3
from tests.kit import buckets, build
from tests.kit.mirrors import TABLES, rows
from tests.kit.senders import FORMS
from tests.kit.server import Server, run_cli


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3.Place]:
    with buckets.ministack(tmp_path / "s3.log") as url:
        for name, value in buckets.KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        yield buckets.bucket(url)


def test_a_service_stops_and_the_bucket_alone_gives_its_ledger_back(
    tmp_path: Path, bucket: s3.Place
) -> None:
    section = {"url": str(bucket), "endpoint_url": bucket.endpoint_url, "region": bucket.region}
    section |= {"retention": "1d", "bodies": True}  # type: ignore[dict-item]
    folder = tmp_path / "receiver"
    folder.mkdir()
    config = {"checkpoints": {"interval": "1s"}, "anchors": {"object_store/worm": section}}
    with Server(folder, config) as server:
        with server.sender() as sender:
            for number in range(5):
                attributes = {**build.SPAN_ATTRIBUTES, "number": number}
                assert sender.send(build.request(build.span(attributes=attributes)), FORMS[0])
        receipt = _receipt(server)
        assert receipt["bucket"] == bucket.bucket
        assert server.stop() == 0, server.stderr
    with closing(sqlite3.connect(server.ledger)) as connection:
        [(size,)] = connection.execute("SELECT max(size) FROM head").fetchall()
        [(event,)] = connection.execute(
            "SELECT body FROM entry WHERE action = 'ledger.genesis'"
        ).fetchall()
    target = tmp_path / "again.db"
    done = run_cli(
        *("rebuild", str(bucket), target, "--endpoint-url", str(bucket.endpoint_url)),
        *("--region", "us-east-1", "--vkey", json.loads(event)["event"]["log_vkey"]),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert f"{size:,} entries" in done.stderr
    for table in TABLES:
        assert rows(target, table) == rows(server.ledger, table), table
    vkey = server.ledger.with_suffix(".vkey")
    done = run_cli("verify", target, "--vkey", vkey, "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout)["findings"] == []


def _receipt(server: Server) -> dict[str, str]:
    deadline = time.monotonic() + 40
    while True:
        with closing(sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True)) as connection:
            found = connection.execute(
                "SELECT content FROM anchored WHERE anchor = 'object_store/worm'"
                " AND kind = 'object' ORDER BY size DESC"
            ).fetchall()
        if found:
            receipt: dict[str, str] = json.loads(found[0][0])
            return receipt
        assert time.monotonic() < deadline, server.stderr
        time.sleep(0.2)
