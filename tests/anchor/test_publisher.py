"""When a checkpoint is due (threats.md 4.5: every 10 s or 1,000 records, every 60 s when idle)."""

import pytest

from audit_receiver.anchor.publisher import Pace

PACE = Pace(interval_seconds=10, records=1000, idle_seconds=60)


@pytest.mark.parametrize(
    ("elapsed", "records", "due"),
    [
        (9.9, 1, False),
        (10.0, 1, True),
        (59.9, 0, False),
        (60.0, 0, True),
        (1.0, 1000, True),
        (1.0, 999, False),
        (0.9, 100_000, False),  # not more than one a second, however many records come
        (float("inf"), 0, True),  # the first one
    ],
)
def test_due(elapsed: float, records: int, due: bool) -> None:
    assert PACE.is_due(elapsed, records) is due
