"""Periods as people write them: 90d, 2026-03-31, 2026-03-31T10:00:00+02:00. All in UTC inside."""

import re
from datetime import UTC, datetime

from audit_receiver.record.timestamp import LAST, SECOND

_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d|w)\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_FRACTION = re.compile(r"([^.]*)\.([0-9]{1,9})(\D.*|)\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def duration(text: str) -> int:
    """Nanoseconds of a number with unit s, m, h, d or w. Raises ValueError."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number and s, m, h, d or w: 90d")
    return int(match[1]) * _UNITS[match[2]] * SECOND


def instant(text: str, end: bool = False) -> int:
    """Nanoseconds since 1970 of a day or a time with zone.

    A day begins at its midnight UTC; as the `end` of a period it is included, so that the end lies
    at the next midnight. A time without zone is refused: nobody could tell what was meant.
    Raises ValueError.
    """
    if _DAY.match(text):
        day = _nanos(_parse(f"{text}T00:00:00+00:00", text))
        return _bounded(day + _UNITS["d"] * SECOND if end else day)
    nanos = 0
    plain = text.upper().replace(" ", "T", 1)
    if "." in plain:
        match = _FRACTION.match(plain)
        if match is None:
            raise ValueError(f"{text!r} is not a time: a fraction has one to nine digits")
        plain, nanos = match[1] + match[3], int(match[2].ljust(9, "0"))
    moment = _parse(plain, text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write Z for UTC: {plain}Z")
    return _bounded(_nanos(moment) + nanos)


def _bounded(unix_nano: int) -> int:
    """Behind the last time that a record can state, everything is the end of time."""
    return min(unix_nano, LAST + 1)


def _parse(text: str, given: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(
            f"{given!r} is not a time; write 2026-03-31 or 2026-03-31T10:00:00Z"
        ) from exc


def _nanos(moment: datetime) -> int:
    passed = moment - _EPOCH
    total = (passed.days * 86_400 + passed.seconds) * SECOND
    if total < 0:
        raise ValueError("times before 1970 are not in any record")
    return total
