"""Anchor `object_store` under test: ministack as S3, behind a port that can fail."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from audit_receiver.mirror import layout
from tests.anchor.scene import ORIGIN, published
from tests.anchor.subject import Subject, over_http
from tests.kit import buckets
from tests.kit.outside import Asked, Outside, forwarding

_DIGEST = re.compile("checksum|content-md5|sha256")


@contextmanager
def object_store(server: str) -> Iterator[Subject]:
    """A new bucket; `wrong`: its server loses locks, `conflict`: another ledger writes there."""
    place = buckets.bucket(server)
    hand_on = forwarding(urlsplit(server).netloc)

    def lose_locks(asked: Asked) -> Any:
        kept = {k: v for k, v in asked.headers.items() if not k.startswith("x-amz-object-lock")}
        return hand_on(asked._replace(headers=kept))

    def be_late(asked: Asked) -> Any:
        head, slash, name = urlsplit(asked.path).path.rpartition("/")
        if asked.method == "PUT" and slash and name.isdigit() and head.endswith("checkpoints"):
            other = {k: v for k, v in asked.headers.items() if not _DIGEST.search(k)}
            hand_on(asked._replace(headers=other, body=published(int(name)).note.encode()))
        return hand_on(asked)

    def newest(_: Path) -> int:
        """The largest checkpoint of ours that is locked."""
        store = buckets.locked(place)
        size = store.largest()
        while size is not None:
            for kept, data in store.all_versions(layout.checkpoint_key(size)):
                if ORIGIN.encode() not in data and store.retained_until(kept) is not None:
                    return size
            size = store.largest(below=size)
        return 0

    with Outside(hand_on, {"wrong": lose_locks, "conflict": be_late}) as outside:
        section = {
            "url": f"s3://{place.bucket}/{place.prefix}",
            "endpoint_url": outside.url,
            "region": place.region,
            "retention": "1d",
            "content": "checkpoints",
            "timeout": "4s",
        }
        yield over_http("object_store", section, outside, newest, "wrong", "conflict")
