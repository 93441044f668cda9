"""Times as text: RFC 3339 in UTC with nine digits and Z, from nanoseconds and back."""

import re
from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1_000_000_000
_FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\.([0-9]{9})Z\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def render(unix_nano: int) -> str:
    """Nanoseconds since 1970 (0 up to 2**64 - 1, year 2554) as text."""
    seconds, nanos = divmod(unix_nano, SECOND)
    return f"{_second(seconds)}.{nanos:09d}Z"


def parse(text: str) -> int:
    """Text in the one form as nanoseconds since 1970. Raises ValueError for every other text."""
    match = _FORM.match(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a time as YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ")
    moment = datetime.fromisoformat(f"{match[1]}+00:00") - _EPOCH
    return (moment.days * 86_400 + moment.seconds) * SECOND + int(match[2])
