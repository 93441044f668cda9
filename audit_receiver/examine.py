"""Every check of `verify` over a ledger file, read through the ledger's reading door.

The end is fixed when the reading begins, so that a ledger that is being written to can be judged.
Nothing is written, and no transaction stays open for longer than a chunk of rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.errors import LedgerError
from audit_receiver.inspection import parallel, stored, structure
from audit_receiver.ledger import keys
from audit_receiver.ledger.reader import Reader, UnreadableLedger
from audit_receiver.tlog.note import VerifierKey
from audit_receiver.verify.check import Examination
from audit_receiver.verify.entries import leaf_of
from audit_receiver.verify.memory import Memory, Resumption
from audit_receiver.verify.released import APPLICATION_ID
from audit_receiver.verify.report import VerifyReport
from audit_receiver.verify.tree import BLOCK
from audit_receiver.verify.trust import NOTHING, Trust

MOST_COMPARED = 64  # older checkpoints from outside that an incremental run compares


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
    remembered: tuple[str, Memory] | None = None  # what an earlier run saw, and where that is kept
    incremental: bool = False  # only what came after that; the file's structure is not checked
    jobs: int = 1  # processes that judge entries
    structure: bool = True  # have SQLite check the file, too; of a live one it wants a copy


class Answer(NamedTuple):
    """The report, and what to remember for the next run; None unless the ledger held."""

    report: VerifyReport
    memory: Memory | None


def examine(question: Question, watcher: Watcher | None = None) -> VerifyReport:
    """Judge a ledger. Raises LedgerError if there is none to judge: no file, no right to read it.

    Whatever is wrong inside the file is a finding of the report.
    """
    return answer(question, watcher).report


def answer(question: Question, watcher: Watcher | None = None) -> Answer:
    """`examine`, and what the next run can go on from."""
    watcher = watcher or Watcher()
    try:
        opened = Reader(question.ledger)
    except UnreadableLedger as exc:
        if not structure.is_damage(
            exc, structure.CORRUPT
        ):  # else there is a SQLite file, and it was broken
            raise
        examination = Examination(question.pinned, checkpoints=question.checkpoints)
        examination.unreadable(str(exc))
        return Answer(examination.report(), None)
    with opened as reader:
        found = _judged(reader, question, watcher)
        if _erased_meanwhile(reader, found.report):
            found = _judged(reader, question, watcher)
        return found


def _judged(reader: Reader, question: Question, watcher: Watcher) -> Answer:
    if question.incremental and question.remembered is not None:
        found = _continued(reader, question, question.remembered[1], watcher)
        if found is not None:
            return found
    return _from_the_beginning(reader, question, watcher)


def _erased_meanwhile(reader: Reader, report: VerifyReport) -> bool:
    """Whether bodies are gone by an entry that may have come after the end that was fixed."""
    return any(one.kind == "body_missing" for one in report.findings) and (
        reader.size() > report.size
    )


def _from_the_beginning(reader: Reader, question: Question, watcher: Watcher) -> Answer:
    examination = _examination(reader, question)
    unjudged = ""
    try:
        _schema(reader, examination)
        checked = structure.Structure(question.ledger) if question.structure else None
        _log(reader, examination, watcher, question.jobs)
        if checked is not None:
            watcher.begins("checking the file's structure", None)
            messages, unjudged = checked.result()
            examination.structure(structure.condensed(messages))
    except UnreadableLedger as exc:
        examination.unreadable(str(exc))
    report = examination.report()
    return _answer(_with_undecided(report, unjudged) if unjudged else report, examination)


def _continued(
    reader: Reader, question: Question, memory: Memory, watcher: Watcher
) -> Answer | None:
    """Judge what came after the memory; None if what it remembers is not there any more."""
    size = _end(reader)
    if size < memory.size:
        return None
    examination = _examination(reader, question)
    try:
        resumption = _resumption(reader, memory, examination.sizes_before(memory.size))
        _schema(reader, examination)
        if not _log(reader, examination, watcher, question.jobs, resumption):
            return None
    except (UnreadableLedger, ValueError):
        return None  # the examination from the beginning says what is wrong
    return _answer(examination.report(), examination)


def _examination(reader: Reader, question: Question) -> Examination:
    return Examination(
        pinned=question.pinned,
        beside=_key_beside(reader, question.pinned),
        checkpoints=question.checkpoints,
        every_head=question.every_head,
        trust=question.trust,
        remembered=question.remembered,
    )


def _answer(report: VerifyReport, examination: Examination) -> Answer:
    held = report.verdict in ("intact", "intact_unanchored")
    return Answer(report, examination.memory() if held else None)


def _resumption(reader: Reader, memory: Memory, sizes: Sequence[int]) -> Resumption:
    first = memory.size - memory.size % BLOCK
    tail = [leaf_of(row[1]) for row in reader.entries(first=first, end=memory.size)]
    subtree = reader.subtree(memory.size)
    newest = [*sizes[:MOST_COMPARED]]
    return Resumption(memory, tail, {size: _root(subtree, size) for size in newest})


def _root(subtree: Callable[[int, int], bytes], size: int) -> bytes:
    try:
        return subtree(0, size)
    except LedgerError:
        return b""  # no root at all, so the checkpoint is not the one of this ledger


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


def _end(reader: Reader) -> int:
    # An entry and the head that covers it are committed together, so the larger of both is an end
    # at which a live ledger is complete.
    tip = reader.tip_head()
    stated = tip[0] if tip is not None and isinstance(tip[0], int) else 0
    return max(reader.size(), stated)


def _log(
    reader: Reader,
    examination: Examination,
    watcher: Watcher,
    jobs: int,
    resumption: Resumption | None = None,
) -> bool:
    size = _end(reader)
    watcher.begins("checking entries and heads", size)
    beyond: list[str] = []
    base = 0
    heads = reader.heads(end_size=size + 1)
    checkpoints, tokens = stored.checkpoints(reader), stored.tokens(reader)
    if resumption is not None:
        base = resumption.memory.size
        heads = reader.heads(first_size=base, end_size=size + 1)
        checkpoints, tokens = stored.checkpoints(reader, base), stored.tokens(reader, base)
    nodes = _nodes(reader, size, beyond)
    examination.stored(_up_to_now(reader, checkpoints, size), _up_to_now(reader, tokens, size))
    held = examination.log(
        parallel.entries(reader, base, size, jobs),
        heads,
        nodes,
        size,
        watcher.reached,
        again=lambda first, end: reader.entries(first=first, end=end),
        resumption=resumption,
    )
    examination.structure(beyond)
    return held


def _up_to_now(reader: Reader, rows: Iterable[Sequence[Any]], size: int) -> Iterator[Sequence[Any]]:
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


def _with_undecided(report: VerifyReport, reason: str) -> VerifyReport:
    verdict = report.verdict if report.findings else "undecided"
    return replace(report, verdict=verdict, undecided=(*report.undecided, reason))
