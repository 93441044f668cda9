"""A bucket without lock as a place: versions, deletion, what a plain mirror does there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_receiver.cli.main import run
from audit_receiver.errors import ConfigError
from audit_receiver.mirror import layout, places, s3
from audit_receiver.mirror.rebuild import rebuild
from audit_receiver.mirror.stores import StoreError
from tests.kit import buckets
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import TABLES, grow_to, mirror, rows, vkey_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with buckets.ministack(tmp_path_factory.mktemp("s3") / "log") as url:
        yield url


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> s3.Place:
    for name, value in buckets.KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return buckets.bucket(server, lock=False)


def test_objects_are_put_once_replaced_and_dropped(bucket: s3.Place) -> None:
    store = s3.S3Store(bucket, s3.client_for(bucket))
    assert store.put("a/001.p/7", b"seven")
    assert not store.put("a/001.p/7", b"other")
    assert store.put("a/001.p/8", b"eight")
    assert list(store.candidates("a/001.p/7")) == [b"seven"]
    store.replace("a/001.p/7", b"more")
    assert list(store.candidates("a/001.p/7")) == [b"more"]
    store.drop("a/001.p", keep="8")
    assert list(store.candidates("a/001.p/7")) == []
    assert list(store.candidates("a/001.p/8")) == [b"eight"]
    assert list(store.candidates("a/001.p")) == []


def test_sizes_and_the_largest_are_found_among_many(bucket: s3.Place) -> None:
    store = s3.S3Store(bucket, s3.client_for(bucket))
    assert store.largest() is None
    sizes = [1, 2, 255, 256, 70_000, 10**12]
    for size in sizes:
        store.put(layout.checkpoint_key(size), b"x")
    store.put("checkpoints/none-of-ours", b"x")
    assert list(store.sizes()) == sizes
    assert list(store.sizes(256)) == sizes[3:]
    assert list(store.sizes(257)) == sizes[4:]
    below: int | None = None
    for size in reversed(sizes):
        below = store.largest() if below is None else store.largest(below=below)
        assert below == size
    assert store.largest(below=1) is None


def test_the_commands_take_a_bucket(
    lab: LedgerLab, bucket: s3.Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for size in (300, 600):
        grow_to(lab, size)
        words = [str(bucket), "--endpoint-url", str(bucket.endpoint_url), "--region", "us-east-1"]
        assert run(["mirror", str(lab.path), *words]) == 0
    target, vkey = tmp_path / "again.db", str(lab.path.with_suffix(".vkey"))
    assert run(["rebuild", words[0], str(target), *words[1:], "--vkey", vkey]) == 0
    assert "600 entries" in capsys.readouterr().err
    for table in TABLES:
        assert rows(target, table) == rows(lab.path, table)
    state = ("--state", str(tmp_path / "state"))
    assert run(["monitor", *words, "--vkey", vkey, "--once", *state]) == 0
    names = s3.client_for(bucket).list_objects_v2(Bucket=bucket.bucket)["Contents"]
    partial = [item["Key"] for item in names if "bodies/001.p" in item["Key"]]
    assert partial == []


def test_a_ledger_comes_back_from_a_bucket_without_versions(
    lab: LedgerLab, bucket: s3.Place, tmp_path: Path
) -> None:
    grow_to(lab, 300)
    store = s3.S3Store(bucket, s3.client_for(bucket))
    mirror(lab, store)
    made = rebuild(store, tmp_path / "again.db", [vkey_of(lab.path)])
    assert (made.size, made.checkpoints) == (300, 1)


@pytest.mark.parametrize("url", ["s3://", "http://x", "s3:///x", "s3://b/x?y", "ftp://x"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        s3.parse(url)


def test_places_are_told_apart(tmp_path: Path) -> None:
    assert str(places.source(str(tmp_path))) == str(tmp_path)
    assert str(places.source("https://audit.example/m/")) == "https://audit.example/m"
    assert str(places.store("s3://one/two/")) == "s3://one/two"
    for wrong in ("https://x", "ftp://x"):
        with pytest.raises(ConfigError):
            places.store(wrong)
    with pytest.raises(ConfigError):
        places.source(str(tmp_path / "none"))


def test_a_bucket_that_is_not_there_is_an_error_in_words(bucket: s3.Place) -> None:
    gone = s3.Place("no-such-bucket-here", "", bucket.endpoint_url, "us-east-1")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        s3.S3Store(gone, s3.client_for(gone)).put("a", b"b")
