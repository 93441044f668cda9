"""Anchor `object_store` against a server that locks, and against ways not to."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from audit_receiver import anchors
from audit_receiver.anchor.model import AnchorError, Published
from audit_receiver.anchor.object_store import ObjectStoreAnchor
from audit_receiver.config.load import parse
from audit_receiver.errors import ConfigError
from audit_receiver.ledger.reader import Reader
from audit_receiver.mirror import layout, s3
from audit_receiver.mirror.following import newest_note
from audit_receiver.mirror.rebuild import rebuild
from audit_receiver.mirror.stores import newest
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import Note
from tests.anchor.scene import published
from tests.kit import buckets
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import TABLES, grow_to, rows, vkey_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with buckets.ministack(tmp_path_factory.mktemp("s3") / "log") as url:
        yield url


@pytest.fixture
def place(server: str, monkeypatch: pytest.MonkeyPatch) -> s3.Place:
    for name, value in buckets.KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return buckets.bucket(server)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LedgerLab]:
    made = LedgerLab(tmp_path)
    made.open()
    yield made
    made.discard()


def anchor(store: s3.S3Store, ledger: Path = Path("none"), **changes: Any) -> ObjectStoreAnchor:
    options: dict[str, Any] = {"log": False, "bodies": True, "log_seconds": 0.0}
    options |= {"timeout_seconds": 30.0, **changes}
    return ObjectStoreAnchor("object_store", store, ledger, **options)


def tip(lab: LedgerLab) -> Published:
    with Reader(lab.path) as reader:
        note = newest_note(reader)
    found = Checkpoint.parse(Note.parse(note).text)
    return Published(found.origin, found.size, found.root, note, time.time_ns())


def another(one: Published) -> Published:
    """A checkpoint of the same size with another root."""
    text = Checkpoint(one.origin, one.size, bytes(32)).text()
    note = str(Note(text, Note.parse(one.note).signatures))
    return Published(one.origin, one.size, bytes(32), note, one.unix_nano)


async def test_a_checkpoint_is_kept_locked_and_its_receipt_says_where(place: s3.Place) -> None:
    store = buckets.locked(place)
    [token] = await anchor(store).publish(published(7))
    receipt = json.loads(token.content)
    assert token.kind == "object"
    assert receipt["key"] == f"some/where/{layout.checkpoint_key(7)}"
    until = datetime.fromisoformat(receipt["retain_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(days=1)
    client = s3.client_for(place)
    where = {"Bucket": place.bucket, "Key": receipt["key"], "VersionId": receipt["version_id"]}
    assert client.get_object(**where)["Body"].read().decode() == published(7).note
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**where)
    sooner = {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(hours=2)}
    with pytest.raises(ClientError):
        client.put_object_retention(**where, Retention=sooner)


async def test_the_same_checkpoint_again_gives_the_same_receipt(place: s3.Place) -> None:
    store = buckets.locked(place)
    [first] = await anchor(store).publish(published(7))
    [second] = await anchor(store).publish(published(7))
    assert first == second


async def test_a_bucket_without_lock_gets_nothing(server: str, place: s3.Place) -> None:
    plain = buckets.bucket(server, lock=False)
    with pytest.raises(AnchorError, match="no versions and no Object Lock") as caught:
        await anchor(buckets.locked(plain)).publish(published(7))
    assert not caught.value.conflict
    assert list(buckets.locked(plain).sizes()) == []


class Forgets(buckets.LosesLocks):
    """Of a server that answers with what it does not keep: 200 and nothing, or a date too soon."""

    def __init__(self, client: Any, answer: dict[str, Any]) -> None:
        super().__init__(client)
        self._answer = answer

    def get_object_retention(self, **_: Any) -> dict[str, Any]:
        return self._answer


SOON = datetime.now(UTC) + timedelta(hours=1)
LATE = datetime.now(UTC) + timedelta(days=900)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"Retention": {}},
        {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": SOON}},
        {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": LATE}},
    ],
    ids=["real-answer", "nothing", "empty", "too-soon", "governance"],
)
async def test_a_server_that_loses_locks_is_noticed_with_the_first_checkpoint(
    place: s3.Place, answer: dict[str, Any] | None
) -> None:
    client = s3.client_for(place)
    lossy = buckets.LosesLocks(client) if answer is None else Forgets(client, answer)
    store = s3.S3Store(place, lossy, s3.Retention(86_400.0, time.time_ns))
    with pytest.raises(AnchorError, match="loses locks"):
        await anchor(store).publish(published(7))


async def test_another_checkpoint_of_the_same_size_is_a_conflict(place: s3.Place) -> None:
    store = buckets.locked(place)
    await anchor(store).publish(published(7))
    other = another(published(7))
    with pytest.raises(AnchorError, match="another checkpoint of this size") as caught:
        await anchor(store).publish(other)
    assert caught.value.conflict


async def test_the_newest_is_found_behind_delete_markers_rubbish_and_overwriting(
    place: s3.Place,
) -> None:
    store = buckets.locked(place)
    one = anchor(store)
    assert list(await one.newest()) == []
    for size in (5, 700, 12_345):
        await one.publish(published(size))
    client = s3.client_for(place)
    name = place.prefix + layout.checkpoint_key(12_345)
    client.delete_object(Bucket=place.bucket, Key=name)
    client.put_object(Bucket=place.bucket, Key=name, Body=b"nothing to see")
    rubbish = place.prefix + layout.checkpoint_key(10**18)
    client.put_object(Bucket=place.bucket, Key=rubbish, Body=published(9).note.encode())
    assert list(await one.newest()) == [published(size).note for size in (5, 700, 12_345)]


async def test_a_ledger_comes_back_from_the_bucket_alone(
    place: s3.Place, lab: LedgerLab, tmp_path: Path
) -> None:
    grow_to(lab, 600)
    store = buckets.locked(place)
    one = anchor(store, lab.path, log=True)
    await one.publish(tip(lab))
    grow_to(lab, 700)
    await one.publish(tip(lab))
    await one.close()
    client = s3.client_for(place)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket)
    for key in [item["Key"] for page in pages for item in page["Contents"]]:
        client.delete_object(Bucket=place.bucket, Key=key)  # a marker on each of them
    made = rebuild(s3.S3Store(place, client), tmp_path / "again.db", [vkey_of(lab.path)])
    assert (made.size, made.without_body, made.remarks) == (700, 0, [])
    for table in TABLES:
        assert rows(tmp_path / "again.db", table) == rows(lab.path, table)


async def test_every_object_of_the_log_is_locked_and_bodies_stay_at_home(
    place: s3.Place, lab: LedgerLab
) -> None:
    grow_to(lab, 300)
    await anchor(buckets.locked(place), lab.path, log=True, bodies=False).publish(tip(lab))
    client = s3.client_for(place)
    listed = client.list_object_versions(Bucket=place.bucket)["Versions"]
    names = {item["Key"].removeprefix(place.prefix) for item in listed}
    assert {"checkpoint", "tile/0/000", "tile/1/000.p/1", "bodies/001.p/44"} <= names
    for item in listed:
        where = {"Bucket": place.bucket, "Key": item["Key"], "VersionId": item["VersionId"]}
        if item["Key"] != f"{place.prefix}checkpoint":
            found = client.get_object_retention(**where)["Retention"]
            assert found["Mode"] == "COMPLIANCE", item["Key"]
        body = client.get_object(**where)["Body"].read()
        assert b"record-" not in body


async def test_a_long_log_goes_on_where_the_time_was_up(place: s3.Place, lab: LedgerLab) -> None:
    grow_to(lab, 6_000)
    store = buckets.locked(place)
    one = anchor(store, lab.path, log=True, timeout_seconds=0.02)
    tries = 0
    while newest(store, layout.CHECKPOINT) is None:
        tries += 1
        assert tries < 40
        assert [token.kind for token in await one.publish(tip(lab))] == ["object"]
    assert tries > 1
    assert newest(store, layout.CHECKPOINT) == tip(lab).note.encode()


async def test_a_server_that_is_gone_is_an_error_and_no_conflict(place: s3.Place) -> None:
    gone = place._replace(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(AnchorError) as caught:
        await anchor(buckets.locked(gone)).publish(published(7))
    assert not caught.value.conflict
    with pytest.raises(AnchorError):
        await anchor(buckets.locked(gone)).newest()


def test_it_is_built_from_its_section(place: s3.Place) -> None:
    config = parse(
        "anchors: {object_store/worm: {url: 's3://audit-worm/one', region: eu-central-1,"
        " retention: 400d, content: checkpoints}}",
        "c.yaml",
        {},
    )
    [made] = anchors.build_all(config)
    assert isinstance(made, ObjectStoreAnchor)
    assert str(made._store) == "s3://audit-worm/one"
    assert made._store.until() - made._store.now() == timedelta(days=400)
    for wrong in (
        "url: 'https://x', retention: 1d",
        "url: 's3://abc/d'",
        "url: 's3://abc', retention: 1h",
    ):
        with pytest.raises(ConfigError, match=r"anchors\.object_store"):
            parse(f"anchors: {{object_store: {{{wrong}}}}}", "c.yaml", {})
