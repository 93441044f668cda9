"""Which bodies may go, and which are to go: what a ledger's own records say of it (DESIGN 3.5)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from audit_receiver.verify.erased import ERASABLE, ERASING

Range = tuple[int, int]


def is_own(header: str) -> bool:
    """Whether this is one of the receiver's own records."""
    return '"kind":"ledger"' in header


def is_lasting(header: str) -> bool:
    """Whether the body of this entry may never be erased: what the ledger means depends on it.

    Such bodies hold no person's data by the rule for own records, so they are mirrored even where
    others are not.
    """
    return is_own(header) and action_of(header) not in ERASABLE


def action_of(header: str) -> str:
    """The action that a header states, "" if it states none."""
    try:
        action = orjson.loads(header).get("action")
    except (ValueError, AttributeError):
        return ""
    return action if isinstance(action, str) else ""


def event_of(body: str) -> dict[str, Any]:
    """The event of an own record's body, {} if it cannot be read."""
    try:
        event = orjson.loads(body)["event"]
    except (ValueError, TypeError, KeyError):
        return {}
    return event if isinstance(event, dict) else {}


def ranges_of(seq: int, header: str, body: str | None) -> Iterator[Range]:
    """What an erase or prune entry names: ranges that lie before it; nothing for other entries."""
    if body is None or not is_own(header) or action_of(header) not in ERASING:
        return
    ranges = event_of(body).get("ranges")
    for item in ranges if isinstance(ranges, list) else ():
        if isinstance(item, list) and len(item) == 2 and all(type(end) is int for end in item):
            first, last = max(item[0], 0), min(item[1], seq - 1)
            if first <= last:
                yield first, last


def named_in(ranges: Iterable[Range]) -> Callable[[int], bool]:
    """Whether a seq lies in one of them."""
    spans = tuple(ranges)
    return lambda seq: any(first <= seq <= last for first, last in spans)
