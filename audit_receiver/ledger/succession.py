"""Closing a ledger and beginning its successor, whose genesis names where the old one ended."""

from contextlib import suppress
from typing import Any, NamedTuple

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import closing, creation, opening
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.model import Clock, Job, LedgerSettings
from audit_receiver.ledger.reader import Reader
from audit_receiver.ledger.startup import Closed


class Continued(NamedTuple):
    """What a continuation did."""

    previous: dict[str, Any]  # origin, size, root, hash of the closed ledger, as its successor says
    note: str  # the checkpoint over `close`; "" if it was closed before
    vkey: str  # the successor's
    remark: str  # what an operator should know


def continue_as(old: LedgerSettings, new: LedgerSettings, clock: Clock, reason: str) -> Continued:
    """Close `old` (if it is not closed yet) and create `new` after it.

    A crash in between leaves the old one closed: called again, this creates the new one. Raises
    LedgerError, IntegrityError as a start does.
    """
    files = LedgerFiles.beside(new.path, new.key_path)
    if files.ledger.exists():
        raise LedgerError(f"{files.ledger}: exists already; a ledger is never overwritten")
    note = remark = ""
    with suppress(Closed):  # by a run of this that did not come to its end
        note, remark = _close(old, clock, reason)
    previous = _end_of(old)
    vkey = opening.create_only(new, clock, creation.Beginning(previous=previous))
    return Continued(previous, note, vkey, remark)


def _close(settings: LedgerSettings, clock: Clock, reason: str) -> tuple[str, str]:
    opened = opening.open_for_writing(settings, clock)
    pen = opened.ledger.pen
    try:
        if opened.created:  # nothing was here; open_for_writing makes what `create` allows
            raise LedgerError(f"{settings.path}: there was no ledger here to continue")
        now = opened.watch.read()
        if refusal := opened.watch.refusal(now):
            raise LedgerError(refusal)
        if opened.ledger.first_schema:
            opened.add_to_schema()
        pen.write([], now, held=False, beat=True)
        job = Job((), (("close", {"reason": reason}),), None, publish=True)
        written = pen.write([job], now, held=False)
        return written.note, closing.leave_wal(pen.connection, pen.guard)
    finally:
        pen.connection.close()
        opened.lock.release()


def _end_of(settings: LedgerSettings) -> dict[str, Any]:
    """Where a closed ledger ends, in the words of a genesis' `previous`."""
    with Reader(settings.path) as reader:
        size, root, _, _ = reader.tip_head() or (0, b"", b"", 0)
        [(_, _, digest, _)] = list(reader.entries(size - 1, size))
        [*_, (_, note)] = reader.checkpoints()
        origin = str(note).partition("\n")[0]
    return {"origin": origin, "size": size, "root": root.hex(), "hash": digest.hex()}
