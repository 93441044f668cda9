"""A bucket as a place for a mirror: S3, with Object Lock where retention is asked for.

Versions are read, too: a delete marker hides nothing here, and a version that was put over another
takes nothing away. boto3 is the extra `object-store`; credentials come from its own chain.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from audit_receiver.errors import ConfigError
from audit_receiver.mirror.layout import CHECKPOINTS, checkpoint_key, checkpoint_size
from audit_receiver.mirror.stores import StoreError

MODE = "COMPLIANCE"
_CONNECT_SECONDS, _READ_SECONDS = 5, 30
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_ABSENT = ("NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed", "405")
_NO_LOCK = ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "404")
_NO_VERSIONS = ("NotImplemented", "501")
_LARGEST = 10**19 - 1
_PAGE, _FEW = 1000, 4  # names in one answer: many, or where only the next one is asked for


class Place(NamedTuple):
    """Where in S3: `s3://bucket/prefix`, and how to get there."""

    bucket: str
    prefix: str  # "" or with a slash at its end
    endpoint_url: str | None = None
    region: str | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class Retention(NamedTuple):
    """Lock every object that is written for so long, in compliance mode."""

    seconds: float
    now: Callable[[], int]  # Unix nanoseconds

    def until(self) -> datetime:
        """The date from now on, in whole seconds."""
        return self.time() + timedelta(seconds=self.seconds)

    def time(self) -> datetime:
        """Now, in whole seconds."""
        return datetime.fromtimestamp(self.now() // 10**9, UTC)


class Kept(NamedTuple):
    """One version of an object."""

    key: str
    version_id: str
    etag: str


def parse(url: str, endpoint_url: str | None = None, region: str | None = None) -> Place:
    """Read `s3://bucket/prefix`. Raises ConfigError."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"{url}: is no bucket; write it as in s3://bucket/prefix")
    prefix = parts.path.strip("/")
    return Place(parts.netloc, f"{prefix}/" if prefix else "", endpoint_url, region)


def client_for(place: Place, connections: int = 10) -> Any:
    """A client of boto3. Raises ConfigError without the extra, or if it cannot be made."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise ConfigError("S3 needs boto3: pip install audit-receiver[object-store]") from exc
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"max_attempts": 2, "mode": "standard"},
        max_pool_connections=connections,
        # Content-MD5 goes with each object instead: Object Lock asks for one of the two, and
        # servers of some age refuse the newer one.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return boto3.client(
            "s3", endpoint_url=place.endpoint_url, region_name=place.region, config=config
        )
    except (BotoCoreError, ValueError) as exc:
        raise ConfigError(f"{place}: {exc}") from exc


class S3Store:
    """Objects under a prefix of a bucket. Methods may be called from several threads."""

    def __init__(self, place: Place, client: Any, retention: Retention | None = None) -> None:
        self.place = place
        self.keeps_for_good = retention is not None
        self._client = client
        self._retention = retention

    def __str__(self) -> str:
        return str(self.place)

    def candidates(self, key: str) -> Iterator[bytes]:
        """The current version, then the others, newest first; each is fetched when asked for."""
        seen = set[str]()
        current = self._get(key, None)
        if current is not None:
            seen.add(current[1])
            yield current[0]
        for version in self._versions(key):
            if version["Key"] != self.place.prefix + key:
                return
            if version["VersionId"] not in seen:
                found = self._get(key, version["VersionId"])
                if found is not None:
                    yield found[0]

    def sizes(self, least: int = 0, page: int = _PAGE) -> Iterator[int]:
        """The sizes of all checkpoints that were ever kept, deleted or not."""
        before = -1
        after = checkpoint_key(least - 1) if least else ""
        for version in self._versions(CHECKPOINTS, after, page):
            size = checkpoint_size(version["Key"].removeprefix(self.place.prefix))
            if size is not None and size >= least and size > before:  # the marker may come, too
                before = size
                yield size

    def largest(self, below: int = _LARGEST + 1) -> int | None:
        """The largest size under `checkpoints/` that is smaller than `below`, None without one."""
        found = self._next_size(0, below)
        if found is None:
            return None
        step = 1024
        while (farther := self._next_size(found + step, below)) is not None:
            found, step = farther, step * 16
        low, high = found + 1, min(found + step, below)  # nothing lies at high or behind it
        while low < high:
            middle = (low + high) // 2
            size = self._next_size(middle, below)
            if size is None:
                high = middle
            else:
                found, low = size, size + 1
        return found

    def _next_size(self, least: int, below: int) -> int | None:
        """The smallest size that is at least `least`, if it is smaller than `below`."""
        size = next(self.sizes(least, _FEW), None) if least < below else None
        return size if size is not None and size < below else None

    def all_versions(self, key: str) -> Iterator[tuple[Kept, bytes]]:
        """Every version that was ever put under a name, newest first."""
        for version in self._versions(key):
            if version["Key"] != self.place.prefix + key:
                return
            found = self._get(key, version["VersionId"])
            if found is not None:
                etag = str(version.get("ETag", "")).strip('"')
                yield Kept(key, version["VersionId"], etag), found[0]

    def until(self) -> datetime:
        """The date until which what is put now is to be locked."""
        assert self._retention is not None
        return self._retention.until()

    def now(self) -> datetime:
        """The time by which retention is reckoned."""
        assert self._retention is not None
        return self._retention.time()

    def put(self, key: str, data: bytes) -> bool:
        """Keep an object, locked if so asked for."""
        return self.keep(key, data) is not None

    def keep(self, key: str, data: bytes, until: datetime | None = None) -> Kept | None:
        """The same, with what the server says of it; None if the name is taken."""
        until = until or (self.until() if self._retention else None)
        return self._put(key, data, {**_lock(until), "IfNoneMatch": "*"})

    def replace(self, key: str, data: bytes) -> None:
        """A new version; `checkpoint` is not locked, what it says is kept beside."""
        self._put(key, data, {})

    def drop(self, folder: str, keep: str = "") -> None:
        """Delete what lies under a folder; in a bucket with versions, hide it."""
        start = f"{self.place.prefix}{folder}/"
        for item in self._pages("list_objects_v2", "Contents", Prefix=start):
            if item["Key"] != start + keep:
                self._call("delete_object", item["Key"], Key=item["Key"])

    def retained_until(self, kept: Kept) -> datetime | None:
        """Until when the server says that it keeps this version in compliance mode."""
        answer = self._call(
            "get_object_retention",
            kept.key,
            none=_NO_LOCK,
            Key=self.place.prefix + kept.key,
            VersionId=kept.version_id,
        )
        found = (answer or {}).get("Retention") or {}
        until = found.get("RetainUntilDate")
        return until if found.get("Mode") == MODE and isinstance(until, datetime) else None

    def lock_state(self) -> tuple[bool, bool]:
        """Whether the bucket keeps versions, and whether it has Object Lock."""
        versions = self._call("get_bucket_versioning", "", none=("NotImplemented",)) or {}
        lock = self._call(
            "get_object_lock_configuration",
            "",
            none=("ObjectLockConfigurationNotFoundError", "NotImplemented", "404"),
        )
        enabled = ((lock or {}).get("ObjectLockConfiguration") or {}).get("ObjectLockEnabled")
        return versions.get("Status") == "Enabled", enabled == "Enabled"

    def _put(self, key: str, data: bytes, more: dict[str, Any]) -> Kept | None:
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        answer = self._call(
            "put_object",
            key,
            none=_TAKEN,
            Key=self.place.prefix + key,
            Body=data,
            ContentMD5=digest,
            ContentType=_content_type(key),
            **more,
        )
        if answer is None:
            return None
        return Kept(key, answer.get("VersionId", ""), answer.get("ETag", "").strip('"'))

    def _get(self, key: str, version: str | None) -> tuple[bytes, str] | None:
        more = {} if version is None else {"VersionId": version}
        answer = self._call("get_object", key, none=_ABSENT, Key=self.place.prefix + key, **more)
        if answer is None:
            return None
        try:
            return answer["Body"].read(), answer.get("VersionId", "null")
        except Exception as exc:  # urllib3's own, which boto3 does not translate
            raise StoreError(f"{self}/{key}: ended too early: {exc}") from exc

    def _versions(
        self, prefix: str, after: str = "", page: int = _PAGE
    ) -> Iterator[dict[str, Any]]:
        more = {"KeyMarker": self.place.prefix + after} if after else {}
        prefix = self.place.prefix + prefix
        return self._pages("list_object_versions", "Versions", Prefix=prefix, MaxKeys=page, **more)

    def _pages(self, operation: str, what: str, **more: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self._call(operation, "", none=_NO_VERSIONS, **more) or {}
            yield from page.get(what, ())
            if not page.get("IsTruncated"):
                return
            if "NextContinuationToken" in page:
                more["ContinuationToken"] = page["NextContinuationToken"]
            else:
                more["KeyMarker"] = page["NextKeyMarker"]
                if page.get("NextVersionIdMarker"):
                    more["VersionIdMarker"] = page["NextVersionIdMarker"]

    def _call(
        self, operation: str, key: str, none: tuple[str, ...] = (), **more: Any
    ) -> dict[str, Any] | None:
        """One request; None for the error codes that mean "it is not so". Raises StoreError."""
        from botocore.exceptions import BotoCoreError, ClientError

        where = f"{self}/{key}" if key else str(self)
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(
                Bucket=self.place.bucket, **more
            )
        except ClientError as exc:
            error = exc.response.get("Error", {})
            code = str(error.get("Code", ""))
            if code in none:
                return None
            said = f"{code}: {error.get('Message', '')}"[:300]
            raise StoreError(f"{where}: {operation.replace('_', ' ')}: {said}") from exc
        except (BotoCoreError, ValueError) as exc:
            raise StoreError(f"{where}: {str(exc)[:300]}") from exc
        except RecursionError as exc:  # botocore's, which looks for another region each time
            raise StoreError(
                f"{where}: the server redirects, and does so again where it leads. Configure the"
                " endpoint and region that answer"
            ) from exc
        return answer


def _lock(until: datetime | None) -> dict[str, Any]:
    return {} if until is None else {"ObjectLockMode": MODE, "ObjectLockRetainUntilDate": until}


def _content_type(key: str) -> str:
    if key.startswith("checkpoint"):
        return "text/plain; charset=utf-8"
    return "application/octet-stream"
