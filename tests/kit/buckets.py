"""ministack as S3, in a process of its own; buckets with and without Object Lock."""

import itertools
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit_receiver.mirror import s3
from tests.kit.server import environment, free_port

START_SECONDS = 60
_numbers = itertools.count()
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@contextmanager
def ministack(log: Path) -> Iterator[str]:
    """Its address, until the end of the block."""
    place = f"127.0.0.1:{free_port()}"
    command = [str(Path(sys.executable).with_name("hypercorn")), "ministack.app:app"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--bind", place],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**environment(), "SERVICES": "s3", "PERSIST_STATE": "0"},
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"http://{place}/"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait(20)


def bucket(url: str, lock: bool = True) -> s3.Place:
    """A new bucket with a prefix in it."""
    name = f"audit-{os.getpid()}-{next(_numbers)}"
    place = s3.Place(name, "some/where/", url, "us-east-1")
    s3.client_for(place).create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
    return place


def locked(place: s3.Place, seconds: float = 86_400.0) -> s3.S3Store:
    """The bucket as the anchor uses it."""
    retention = s3.Retention(seconds, time.time_ns)
    return s3.S3Store(place, s3.client_for(place), retention)


class LosesLocks:
    """A client of a server that takes the lock's headers and forgets them."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put_object(self, **given: Any) -> Any:
        kept = {k: v for k, v in given.items() if not k.startswith("ObjectLock")}
        return self._client.put_object(**kept)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).read()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
