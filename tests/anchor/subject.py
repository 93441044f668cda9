"""One anchor under test, with the ways in which its outside can fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import Note
from tests.kit.outside import FAULTS, Outside


class Subject(NamedTuple):
    """One anchor: what it is configured with, what its outside keeps, how it fails."""

    name: str
    section: dict[str, Any]
    newest: Callable[[Path], int]  # size of the newest checkpoint that is provably kept, 0 if none
    faults: frozenset[str]
    fail: Callable[[str], None]  # by one of its faults; "" mends it


def size_of(note: str) -> int:
    """The size that a note states; it has to be one."""
    return Checkpoint.parse(Note.parse(note).text).size


def over_http(
    name: str, section: dict[str, Any], outside: Outside, newest: Callable[[Path], int], *more: str
) -> Subject:
    """One whose outside is an HTTP service; it has the faults of all of them, and `more`."""

    def fail(fault: str) -> None:
        outside.fault = fault
        if not fault:
            assert outside.redirected == [], "a redirect was followed"

    return Subject(name, section, newest, frozenset({*FAULTS, *more}), fail)
