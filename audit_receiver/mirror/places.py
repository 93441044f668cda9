"""The place that a command line names: a directory, s3://bucket/prefix, http(s)://…"""

from pathlib import Path

from audit_receiver.errors import ConfigError
from audit_receiver.mirror import s3
from audit_receiver.mirror.stores import DirectoryStore, Source, Store
from audit_receiver.mirror.web import WebSource
from audit_receiver.mirror.writer import AT_ONCE


def store(text: str, endpoint_url: str | None = None, region: str | None = None) -> Store:
    """Where a mirror is written. Raises ConfigError."""
    if text.startswith("s3://"):
        place = s3.parse(text, endpoint_url, region)
        return s3.S3Store(place, s3.client_for(place, AT_ONCE))
    if "://" in text:
        raise ConfigError(f"{text}: nothing can be written there; name a directory or s3://bucket")
    return DirectoryStore(Path(text))


def source(text: str, endpoint_url: str | None = None, region: str | None = None) -> Source:
    """Where a mirror is read. Raises ConfigError."""
    if text.startswith(("http://", "https://")):
        return WebSource(text)
    if not text.startswith("s3://") and not Path(text).is_dir():
        raise ConfigError(f"{text}: is no directory; name one, s3://bucket/prefix or https://…")
    return store(text, endpoint_url, region)
