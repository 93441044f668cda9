"""Every check of `verify` over a ledger file, read through the ledger's reading door.

The end is fixed when the reading begins, so that a ledger that is being written to can be judged.
Nothing is written, and no transaction stays open for longer than a chunk of rows.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import keys
from audit_receiver.ledger.reader import Reader, UnreadableLedger
from audit_receiver.ledger.statement import Row
from audit_receiver.tlog.note import VerifierKey
from audit_receiver.verify.check import Examination
from audit_receiver.verify.released import APPLICATION_ID
from audit_receiver.verify.report import VerifyReport
from audit_receiver.verify.trust import NOTHING, Trust

_NUMBER = re.compile(r"[0-9]+")
_CORRUPT, _NOT_A_DATABASE = 11, 26  # sqlite3.h: SQLITE_CORRUPT, SQLITE_NOTADB


class Watcher:
    """Hears how far an examination has come; every method may be left alone."""

    def begins(self, what: str, total: int | None) -> None:
        """Something begins, of so many steps if that is known."""

    def reached(self, done: int) -> None:
        """So many steps are done."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be judged, and what came from outside to judge it by."""

    ledger: Path
    pinned: VerifierKey | Sequence[VerifierKey] | None = None  # one for each incarnation
    checkpoints: Sequence[Sequence[str]] = ()  # name, text; of an anchor's: name, text, anchor
    every_head: bool = False
    trust: Trust = NOTHING  # how tokens that the ledger keeps are judged


def examine(question: Question, watcher: Watcher | None = None) -> VerifyReport:
    """Judge a ledger. Raises LedgerError if there is none to judge: no file, no right to read it.

    Whatever is wrong inside the file is a finding of the report.
    """
    watcher = watcher or Watcher()
    try:
        opened = Reader(question.ledger)
    except UnreadableLedger as exc:
        if not _is_damage(exc, _CORRUPT):  # else there is a SQLite file, and it was broken
            raise
        examination = Examination(question.pinned, checkpoints=question.checkpoints)
        examination.unreadable(str(exc))
        return examination.report()
    with opened as reader:
        examination = Examination(
            pinned=question.pinned,
            beside=_key_beside(reader, question.pinned),
            checkpoints=question.checkpoints,
            every_head=question.every_head,
            trust=question.trust,
        )
        unjudged = ""
        try:
            _schema(reader, examination)
            structure = _Structure(question.ledger)
            _log(reader, examination, watcher)
            watcher.begins("checking the file's structure", None)
            messages, unjudged = structure.result()
            examination.structure(condensed(messages))
        except UnreadableLedger as exc:
            examination.unreadable(str(exc))
    report = examination.report()
    return _with_undecided(report, unjudged) if unjudged else report


def _is_damage(error: Exception, *codes: int) -> bool:
    """Whether SQLite called the file itself broken; a full disk is no finding."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in codes


def _key_beside(reader: Reader, pinned: object) -> VerifierKey | None:
    """The key beside the ledger; one that cannot be read matters only if it is the only one."""
    try:
        return keys.read_vkey(reader.files)
    except LedgerError:
        if not pinned:
            raise
        return None


def _schema(reader: Reader, examination: Examination) -> None:
    facts, rows = reader.facts(), reader.schema_rows()
    tables = {row[1] for row in rows if row[0] == "table"}
    if facts.application_id != APPLICATION_ID and "entry" not in tables:
        raise LedgerError(f"{reader.path}: is a SQLite file, but no audit-receiver ledger")
    examination.schema(rows, facts.application_id, facts.user_version)


def _log(reader: Reader, examination: Examination, watcher: Watcher) -> None:
    # An entry and the head that covers it are committed together, so the larger of both is an end
    # at which a live ledger is complete.
    tip = reader.tip_head()
    stated = tip[0] if tip is not None and isinstance(tip[0], int) else 0
    size = max(reader.size(), stated)
    watcher.begins("checking entries and heads", size)
    beyond: list[str] = []
    heads = reader.heads(end_size=size + 1)
    nodes = _nodes(reader, size, beyond)
    examination.stored(
        _up_to_now(reader, reader.checkpoints(), size), _up_to_now(reader, reader.anchored(), size)
    )
    examination.log(reader.entries(end=size), heads, nodes, size, watcher.reached)
    examination.structure(beyond)


def _up_to_now(reader: Reader, rows: Iterable[Row], size: int) -> Iterator[Row]:
    """Rows that begin with a size, without those over entries that came while we read."""
    for row in rows:
        if not isinstance(row[0], int) or row[0] <= size or row[0] > reader.size():
            yield row


def _nodes(reader: Reader, size: int, beyond: list[str]) -> Iterator[tuple[Any, ...]]:
    """Tree nodes; into `beyond` those that no entry there is, now, can have completed."""
    for row in reader.nodes():
        level, idx = row[0], row[1]
        if isinstance(level, int) and isinstance(idx, int) and 0 < level < 8:
            end = (idx + 1) << (8 * level)
            if end > size and end > reader.size():
                beyond.append(f"tree node {level}/{idx} stands beyond the last entry")
        yield row


class _Structure:
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
        if _is_damage(self._error, _CORRUPT, _NOT_A_DATABASE):
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


def _with_undecided(report: VerifyReport, reason: str) -> VerifyReport:
    verdict = report.verdict if report.findings else "undecided"
    return replace(report, verdict=verdict, undecided=(*report.undecided, reason))
