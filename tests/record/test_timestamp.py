"""Times as text. Expected values are GNU date's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_receiver.record import timestamp

KNOWN = {
    0: "1970-01-01T00:00:00.000000000Z",
    1: "1970-01-01T00:00:00.000000001Z",
    999_999_999: "1970-01-01T00:00:00.999999999Z",
    951_782_400 * 10**9: "2000-02-29T00:00:00.000000000Z",
    2**64 - 1: "2554-07-21T23:34:33.709551615Z",
}


@pytest.mark.parametrize(("unix_nano", "text"), KNOWN.items())
def test_known_times(unix_nano: int, text: str) -> None:
    assert timestamp.render(unix_nano) == text
    assert timestamp.parse(text) == unix_nano


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_text_orders_as_time_does_and_comes_back(one: int, other: int) -> None:
    first, second = timestamp.render(one), timestamp.render(other)
    assert (first < second) is (one < other)
    assert len(first) == 30
    assert timestamp.parse(first) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-04",
        "2026-03-04T05:06:07Z",
        "2026-03-04T05:06:07.00000000Z",
        "2026-03-04T05:06:07.0000000000Z",
        "2026-03-04T05:06:07.000000000",
        "2026-03-04T05:06:07.000000000Z\n",
        " 2026-03-04T05:06:07.000000000Z",
        "2026-03-04T05:06:07.000000000z",
        "2026-03-04t05:06:07.000000000Z",
        "2026-03-04 05:06:07.000000000Z",
        "2026-03-04T05:06:07,000000000Z",
        "2026-03-04T05:06:07.000000000+00:00",
        "2026-3-4T05:06:07.000000000Z",
        "2026-13-04T05:06:07.000000000Z",
        "2026-02-29T05:06:07.000000000Z",
        "2026-03-00T05:06:07.000000000Z",
        "2026-03-04T24:00:00.000000000Z",
        "2026-03-04T23:59:60.000000000Z",
        "0000-01-01T00:00:00.000000000Z",
        "1969-12-31T23:59:59.999999999Z",
        "2554-07-21T23:34:33.709551616Z",
        "2554-07-21T23:34:34.000000000Z",
        "\u0662026-03-04T05:06:07.000000000Z",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not (a time|in the calendar|between)"):
        timestamp.parse(text)
