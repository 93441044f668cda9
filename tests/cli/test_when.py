"""Periods as people write them; expected values by hand and by GNU date."""

import subprocess

import pytest

from audit_receiver.cli.when import duration, instant
from audit_receiver.record import timestamp
from tests.kit.lab import SECOND


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90d", 7_776_000), ("30m", 1800), ("24h", 86_400), ("2w", 1_209_600), ("1s", 1)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert duration(text) == seconds * SECOND


@pytest.mark.parametrize(
    "text", ["", "90", "d", "0d", "-1d", "1.5d", "1 d", "01d", "1y", "1D", "9999999d"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-31",
        "2026-03-31T10:00:00Z",
        "2026-03-31T10:00:00+02:00",
        "2026-03-31 10:00:00-05:30",
    ],
)
def test_an_instant_is_what_gnu_date_says(text: str) -> None:
    said = subprocess.run(
        ["date", "-u", "-d", text, "+%s"], capture_output=True, text=True, check=True, timeout=10
    )
    assert instant(text) == int(said.stdout) * SECOND


def test_fractions_have_up_to_nine_digits() -> None:
    whole = instant("2026-03-31T10:00:00Z")
    assert instant("2026-03-31T10:00:00.5Z") == whole + 500_000_000
    assert instant("2026-03-31T10:00:00.000000001Z") == whole + 1
    assert instant("2026-03-31t10:00:00.123456789z") == whole + 123_456_789


def test_a_day_as_an_end_is_included_and_a_time_is_not() -> None:
    assert instant("2026-03-31", end=True) == instant("2026-04-01")
    assert instant("2026-12-31", end=True) == instant("2027-01-01")
    assert instant("2026-03-31T00:00:00Z", end=True) == instant("2026-03-31")


@pytest.mark.parametrize("text", ["2555-01-01", "9999-12-31", "9999-12-31T23:59:59-23:00"])
@pytest.mark.parametrize("end", [True, False])
def test_what_lies_behind_all_times_is_their_end(text: str, end: bool) -> None:
    assert instant(text, end) == timestamp.LAST + 1
    assert timestamp.parse(timestamp.render(instant(text, end) - 1)) == timestamp.LAST


@pytest.mark.parametrize(
    "text",
    [
        *("", "today", "2026-02-30", "2026-3-1", "31.03.2026", "2026-03-31T10:00:00"),
        *("2026-03-31T25:00:00Z", "2026-03-31T10:00:00.1234567890Z", "2026-03-31T10:00:00.Z"),
        *("1969-12-31", "2026-03-31T10:00"),
    ],
)
def test_other_instants_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time|no time zone|before 1970"):
        instant(text)
