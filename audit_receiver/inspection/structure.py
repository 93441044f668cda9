"""SQLite's own check of the file, and what it says in few words."""

import re
import threading
from collections.abc import Sequence
from pathlib import Path

from audit_receiver.errors import LedgerError
from audit_receiver.ledger.reader import Reader

CORRUPT, NOT_A_DATABASE = 11, 26  # sqlite3.h: SQLITE_CORRUPT, SQLITE_NOTADB
_NUMBER = re.compile(r"[0-9]+")


class Structure:
    """SQLite's own check of the file, beside the reading of the entries: SQLite lets Python run."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._messages: list[str] = []
        self._error: Exception | None = None
        # A daemon, so that Ctrl-C ends the program and not only the reading.
        self._thread = threading.Thread(target=self._run, name="integrity-check", daemon=True)
        self._thread.start()

    def result(self) -> tuple[list[str], str]:
        """Wait for it: what it found, and why it could not be made ("" if it was)."""
        self._thread.join()
        if self._error is None:
            return self._messages, ""
        if is_damage(self._error, CORRUPT, NOT_A_DATABASE):
            raise self._error
        return [], f"the file's structure could not be checked: {self._error}"

    def _run(self) -> None:
        try:
            with Reader(self._ledger) as reader:
                self._messages = reader.integrity_check()
        except (LedgerError, OSError) as exc:
            self._error = exc


def condensed(messages: Sequence[str]) -> list[str]:
    """One message for all that differ in their numbers only: an index can lie about every row."""
    alike: dict[str, list[str]] = {}
    for message in messages:
        alike.setdefault(_NUMBER.sub("#", message), []).append(message)
    return [
        f"{some[0]} (and {len(some) - 1} more like this)" if len(some) > 1 else some[0]
        for some in alike.values()
    ]


def is_damage(error: Exception, *codes: int) -> bool:
    """Whether SQLite called the file itself broken; a full disk is no finding."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in codes
