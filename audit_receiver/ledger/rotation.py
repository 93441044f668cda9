"""The daily change of the key (DESIGN 3.2): a new one made, named in a commit, the old destroyed.

A step that fails is told once and tried again; the ledger stays in service meanwhile, because
records are worth more than a punctual key. What a crash leaves is put right by the first `turn`.
"""

import logging
from math import inf
from typing import NamedTuple

from audit_receiver.errors import AuditReceiverError, LedgerFatal, RetryLater
from audit_receiver.ledger.clockwatch import SECOND, Reading
from audit_receiver.ledger.keysource.model import KeySource, Signer
from audit_receiver.ledger.pen import Pen, Successor, Written

RETRY_SECONDS = 60.0
SCHEDULED = "scheduled"

_log = logging.getLogger(__name__)


class Turned(NamedTuple):
    """What came of one turn."""

    written: Written | None = None  # the commit that names the new key
    incident: str = ""  # key_not_rotated, old_key_kept; once until it succeeds
    reason: str = ""


class Rotation:
    """When the next key is due, and what is left to do for it. Used by the writer thread only."""

    def __init__(self, pen: Pen, source: KeySource, seconds: float, asked: str = "") -> None:
        self._pen = pen
        self._source = source
        self._every = int(seconds * SECOND) if source.rotates else 0
        self._asked = asked  # an operator's reason to do it now
        self._next: Signer | None = None  # prepared, not named in the ledger yet
        self._unsettled = True  # a crash may have left something
        self._not_before = 0  # monotonic; after a failure
        self._told = ""  # the incident of this episode

    def wait_seconds(self, now: Reading) -> float:
        """Until `turn` has something to do; infinity if it never has."""
        wait = 0.0 if self._unsettled else self._wait_for_the_next(now)
        return max(wait, (self._not_before - now.monotonic) / SECOND, 0.0)

    def turn(self, now: Reading, held: bool) -> Turned:
        """Do what is due. Raises LedgerFatal, RetryLater: the ledger cannot be written."""
        if self.wait_seconds(now) > 0:
            return Turned()
        written = None
        try:
            problem = self._settle()
            if self._wait_for_the_next(now) <= 0:
                written = self._change(now, held)
                problem = self._settle()
        except (LedgerFatal, RetryLater):
            raise
        except Exception as exc:
            self._not_before = now.monotonic + int(RETRY_SECONDS * SECOND)
            return self._failed(exc, written)
        self._told = ""
        return Turned(written, "old_key_kept" if problem else "", problem)

    def _wait_for_the_next(self, now: Reading) -> float:
        if self._asked:
            return 0.0
        return (self._pen.since + self._every - now.wall) / SECOND if self._every else inf

    def _change(self, now: Reading, held: bool) -> Written:
        """Prepare the next key and name it; from here on `settle` can finish what was begun."""
        pen = self._pen
        following = self._next = self._next or self._source.prepare(pen.vkey.name)
        fields = {"reason": self._asked or SCHEDULED, "vkey": str(following.verifier)}
        try:
            return pen.write([], now, held, successor=Successor(following, "key", fields))
        finally:  # committed perhaps into a file that is no longer at its place
            if pen.vkey == following.verifier:
                self._next, self._asked, self._unsettled = None, "", True

    def _settle(self) -> str:
        problem = ""
        if self._unsettled:
            problem = self._source.settle(self._pen.vkey)
            self._unsettled = False
        return problem

    def _failed(self, error: Exception, written: Written | None) -> Turned:
        incident = "old_key_kept" if self._unsettled else "key_not_rotated"
        foreseen = isinstance(error, AuditReceiverError | OSError)
        _log.error(
            "%s, tried again every %g s: %s",
            incident,
            RETRY_SECONDS,
            error,
            exc_info=None if foreseen else error,
        )
        if incident == self._told:
            return Turned(written)
        self._told = incident
        return Turned(written, incident, str(error))
