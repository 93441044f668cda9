"""Times as text: RFC 3339 in UTC with nine digits and Z, from nanoseconds and back."""

import re
from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1_000_000_000
LAST = 2**64 - 1  # the range of OTLP's times: 1970 to 2554-07-21T23:34:33.709551615Z
_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z")
_OUTSIDE = "is not between 1970 and 2**64 - 1 ns later"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(4096)
def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(4096)
def seconds(text: str) -> int:
    """The first 19 characters of a time as seconds since 1970. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(f"{text}+00:00") - _EPOCH
    except ValueError as exc:
        raise ValueError(f"{text} is not in the calendar: {exc}") from exc
    found = moment.days * 86_400 + moment.seconds
    if not 0 <= found <= LAST // SECOND:
        raise ValueError(f"{text} {_OUTSIDE}")
    return found


def render(unix_nano: int) -> str:
    """Nanoseconds since 1970 (0 up to 2**64 - 1) as text."""
    seconds, nanos = divmod(unix_nano, SECOND)
    return f"{_text(seconds)}.{nanos:09d}Z"


def parse(text: str) -> int:
    """Text in the one form as nanoseconds since 1970. Raises ValueError for every other text."""
    if _FORM.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a time as YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ")
    unix_nano = seconds(text[:19]) * SECOND + int(text[20:29])
    if unix_nano > LAST:
        raise ValueError(f"{text} {_OUTSIDE}")
    return unix_nano
