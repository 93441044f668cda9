"""The promise of Object Lock, kept by a real server that enforces it: Ceph's radosgw."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from audit_receiver.anchor.model import AnchorError
from audit_receiver.mirror import layout, s3
from audit_receiver.mirror.rebuild import rebuild
from tests.anchor.scene import published
from tests.anchor.test_object_store import anchor, another, tip
from tests.kit import buckets
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import TABLES, grow_to, rows, vkey_of
from tests.peers import programs, radosgw
from tests.peers.radosgw import Gateway

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    if not radosgw.is_root():
        pytest.skip("the monitor and the OSD of Ceph are started as root")
    programs.need("apt-get")
    radosgw.install()
    with radosgw.running(tmp_path_factory.mktemp("ceph")) as made:
        yield made


@pytest.fixture
def place(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> s3.Place:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", gateway.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", gateway.secret_key)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return buckets.bucket(gateway.endpoint_url)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LedgerLab]:
    made = LedgerLab(tmp_path)
    made.open()
    yield made
    made.discard()


async def test_what_the_anchor_kept_can_neither_be_deleted_nor_shortened_nor_downgraded(
    place: s3.Place,
) -> None:
    [token] = await anchor(buckets.locked(place)).publish(published(7))
    receipt = json.loads(token.content)
    client = s3.client_for(place)
    where = {"Bucket": place.bucket, "Key": receipt["key"], "VersionId": receipt["version_id"]}
    until = datetime.fromisoformat(receipt["retain_until"])
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**where)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**where, BypassGovernanceRetention=True)
    for mode, date in (("COMPLIANCE", until - timedelta(hours=1)), ("GOVERNANCE", until)):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object_retention(**where, Retention={"Mode": mode, "RetainUntilDate": date})
    with pytest.raises(ClientError):
        client.put_bucket_versioning(
            Bucket=place.bucket, VersioningConfiguration={"Status": "Suspended"}
        )
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        client.delete_bucket(Bucket=place.bucket)
    assert client.get_object(**where)["Body"].read().decode() == published(7).note


async def test_a_bucket_without_lock_is_noticed(gateway: Gateway, place: s3.Place) -> None:
    plain = buckets.bucket(gateway.endpoint_url, lock=False)
    with pytest.raises(AnchorError, match="no Object Lock"):
        await anchor(buckets.locked(plain)).publish(published(7))


async def test_a_server_that_never_saw_the_lock_is_noticed(place: s3.Place) -> None:
    retention = s3.Retention(86_400.0, time.time_ns)
    store = s3.S3Store(place, buckets.LosesLocks(s3.client_for(place)), retention)
    with pytest.raises(AnchorError):
        await anchor(store).publish(published(7))


async def test_a_conflict_is_seen_though_this_server_lets_one_be_put_over_another(
    place: s3.Place,
) -> None:
    store = buckets.locked(place)
    await anchor(store).publish(published(7))
    await anchor(store).publish(published(7))
    with pytest.raises(AnchorError) as caught:
        await anchor(store).publish(another(published(7)))
    assert caught.value.conflict


async def test_the_newest_is_found_behind_a_delete_marker(place: s3.Place) -> None:
    one = anchor(buckets.locked(place))
    for size in (5, 700, 12_345):
        await one.publish(published(size))
    client = s3.client_for(place)
    client.delete_object(Bucket=place.bucket, Key=place.prefix + layout.checkpoint_key(12_345))
    assert list(await one.newest()) == [published(size).note for size in (5, 700, 12_345)]


async def test_a_ledger_comes_back_equal_from_the_bucket_that_somebody_tried_to_empty(
    place: s3.Place, lab: LedgerLab, tmp_path: Path
) -> None:
    one = anchor(buckets.locked(place), lab.path, log=True)
    for size in (600, 700, 1_000):
        grow_to(lab, size)
        await one.publish(tip(lab))
    client = s3.client_for(place)
    pages = client.get_paginator("list_object_versions").paginate(Bucket=place.bucket)
    refused = 0
    for item in [one for page in pages for one in page["Versions"]]:
        where = {"Bucket": place.bucket, "Key": item["Key"]}
        try:
            client.delete_object(**where, VersionId=item["VersionId"])
        except ClientError:
            refused += 1
        client.put_object(**where, Body=b"something else")
        client.delete_object(**where)
    assert refused >= 20
    made = rebuild(s3.S3Store(place, client), tmp_path / "again.db", [vkey_of(lab.path)])
    assert (made.size, made.without_body, made.remarks) == (1_000, 0, [])
    for table in TABLES:
        assert rows(tmp_path / "again.db", table) == rows(lab.path, table)
