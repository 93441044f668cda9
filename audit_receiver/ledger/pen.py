"""The transaction: the only code that writes to a ledger.

BEGIN IMMEDIATE, is all as we left it, duplicates, entries, nodes, signed head, COMMIT, is it still
our file. A crash before COMMIT returns leaves the ledger as it was; a crash after it leaves records
that were not acknowledged, which the sender's retry meets as duplicates.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from audit_receiver.errors import Conflict, LedgerFatal, LedgerUnavailable
from audit_receiver.ledger import database, dedup, exact, notary, trouble
from audit_receiver.ledger.clockwatch import Reading
from audit_receiver.ledger.counters import Counters, Tallies
from audit_receiver.ledger.dedup import Key, Known
from audit_receiver.ledger.group import End, Group, Placed, keys_of
from audit_receiver.ledger.guard import FileGuard, Sizes
from audit_receiver.ledger.keys import Keys
from audit_receiver.ledger.keysource.model import Signer
from audit_receiver.ledger.model import Job, Tip, Work
from audit_receiver.ledger.notary import Notary
from audit_receiver.ledger.seen import Seen
from audit_receiver.ledger.streams import Streams
from audit_receiver.record.model import Draft
from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.tlog.merkle import Frontier
from audit_receiver.tlog.note import VerifierKey

# e, h: the last entry and the last head; one row, or none if either is missing.
TIP = (
    "SELECT e.seq, e.hash, h.size, h.root, h.signature, h.epoch, e.header"
    " FROM main.entry AS e, main.head AS h"
    " WHERE e.seq = (SELECT max(seq) FROM main.entry)"
    " AND h.size = (SELECT max(size) FROM main.head)"
)
_UNCHANGED = (
    "SELECT e.seq, e.hash, h.size, h.root FROM main.entry AS e, main.head AS h"
    " WHERE e.seq = (SELECT max(seq) FROM main.entry)"
    " AND h.size = (SELECT max(size) FROM main.head)"
)
_HEAD = "INSERT INTO main.head(size, root, signature, epoch) VALUES (?, ?, ?, ?)"
_NODE = "INSERT INTO main.node(level, idx, hash) VALUES (?, ?, ?)"


class ForeignWrite(LedgerUnavailable):
    """Somebody else appended to the ledger or changed its schema: nothing is added to that."""


class Written(NamedTuple):
    """A committed group."""

    placed: list[Placed | Conflict]  # one for each job, in order
    entries: int
    sizes: Sizes
    incidents: list[str]
    seconds: float  # BEGIN to the return of COMMIT
    breaks: list[str]  # flags of producers' sequences that do not go on as they should
    note: str  # the checkpoint, if one was asked for


class Successor(NamedTuple):
    """Who signs from now on, and the own record that says so; it is the last of its commit.

    After a `key` entry the key before signs the head over it, and the new one all later heads. A
    `recover` entry stands under the new key already, which may have another origin.
    """

    signer: Signer
    event: str  # key, recover
    fields: Mapping[str, Any]  # `vkey` and, for recover, `origin` are the signer's

    @property
    def at_once(self) -> bool:
        """Whether the head over the entry is the successor's."""
        return self.event != "key"


class Pen:
    """The one connection that writes, and the ledger's end in memory. Owned by one thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        keys: Keys,
        tip: Tip,
        epoch: int,
        since: int,
        end: End,
        frontier: Frontier,
        tallies: Tallies,
        counters: Counters,
        guard: FileGuard,
        log: Notary,
    ) -> None:
        self.connection = connection
        self.tip = tip
        self.end = end
        self.tallies = tallies
        self.guard = guard
        self.since = since  # when the entry that names the current key was received
        self._dedup = keys.dedup
        self._signer = keys.signer
        self._notary = log
        self._epoch = epoch
        self._frontier = frontier
        self._counters = counters
        self._data_version: int | None = None
        self._streams = Streams()
        self._seen: Seen | None = None  # of use for `/v1/audit` only

    @property
    def vkey(self) -> VerifierKey:
        """The key that signs the next head."""
        return self._signer.verifier

    def write(
        self,
        jobs: Sequence[Job],
        now: Reading,
        held: bool,
        beat: bool = False,
        schema: Sequence[str] = (),
        successor: Successor | None = None,
    ) -> Written:
        """Commit these requests (and a heartbeat) as one transaction; returns once it is durable.

        `schema` are statements that add to the schema; a `schema` entry among `jobs` tells of them.
        With a `successor` the commit ends with the entry that names it, and it signs from then on.

        Raises LedgerUnavailable (nothing was acknowledged, try later), LedgerFatal (end the
        process), or whatever was wrong with the data. In each case nothing of it is in the ledger,
        but for LedgerFatal and Replaced, where it may be.
        """
        taken = self._counters.take() if beat else None
        committing = False
        begun = time.perf_counter()
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            group = Group(
                self.end,
                self._frontier.copy(),
                self.tallies.copy(),
                now.wall,
                held,
                self._streams.branch(),
            )
            foreign = self._check_unchanged(group)
            for statement in schema:
                self.connection.execute(statement)
            placed = self._place(group, jobs)
            if taken is not None:
                group.heartbeat(taken)
            tip, signer, epoch = self.tip, self._signer, self._epoch
            if successor is not None:
                named = group.event(successor.event, successor.fields)
                if successor.at_once:
                    signer, epoch = successor.signer, named
            if group.rows:
                tip = insert(self.connection, group, signer, signer.verifier.name, epoch)
            note = self._outside(jobs, tip)
            committing = True
            self.connection.execute("COMMIT")
            seconds = time.perf_counter() - begun
        except BaseException as exc:
            self._roll_back()
            if taken is not None:
                self._counters.add(taken)
            blame = trouble.of_ledger(exc, committing) if isinstance(exc, Exception) else None
            if blame is None or blame is exc:
                raise
            raise blame from exc
        entries = group.size - self.end.size
        self.tip, self.end = tip, group.end()
        if successor is not None:
            self._signer, self._epoch = successor.signer, self.end.size - 1
            self.since = self.end.last_received
        self._frontier, self.tallies, self._data_version = group.frontier, group.tallies, foreign
        self._streams.merge(group.streams)
        if self._seen is not None:
            self._seen.add(group.tags)
        self._counters.add(group.counted)
        sizes = self.guard.check()  # after COMMIT, before the acknowledgement
        return Written(placed, entries, sizes, group.incidents, seconds, group.streams.breaks, note)

    def add_to_schema(self, now: Reading) -> None:
        """Give a ledger of the first schema what came to it since, and say so in the ledger."""
        fields = {"old": database.FIRST_SCHEMA_SHA3, "new": database.SCHEMA_SHA3}
        job = Job((), (("schema", fields),), None)
        self.write([job], now, held=False, schema=database.additions())

    def work(self, work: Work) -> None:
        """Do a step that appends nothing; returns once it is durable. Raises as `write` does."""
        at_commit = not work.transaction
        try:
            if work.transaction:
                self.connection.execute("BEGIN IMMEDIATE")
            work.run(self.connection)
            if work.transaction:
                at_commit = True
                self.connection.execute("COMMIT")
        except BaseException as exc:
            self._roll_back()
            blame = trouble.of_ledger(exc, at_commit) if isinstance(exc, Exception) else None
            if blame is None or blame is exc:
                raise
            raise blame from exc
        self.guard.check()

    def know_tags(self) -> Seen:
        """The filter of tags; the first call reads them all, 1.5 s for a million entries."""
        if self._seen is None:
            self._seen = Seen.of(self.connection, self.end.size)
        return self._seen

    def _outside(self, jobs: Sequence[Job], tip: Tip) -> str:
        """Keep the head as a checkpoint, and what anchors gave back, where the jobs ask for it."""
        note = ""
        for job in jobs:
            if job.publish:
                note = note or self._notary.publish(self.connection, tip)
            if job.anchored:
                notary.keep(self.connection, job.anchored)
        return note

    def _check_unchanged(self, group: Group) -> int:
        """The ledger is as we left it, or nothing is written. Returns SQLite's data_version."""
        version: int = self.connection.execute("PRAGMA main.data_version").fetchone()[0]
        row = self.connection.execute(_UNCHANGED).fetchone()
        end, tip = self.end, self.tip
        if row != (end.size - 1, bytes.fromhex(end.last_hash), tip.size, tip.root):
            raise ForeignWrite(
                "foreign_write: the last entry or head is not the one written by this service."
                " Somebody else wrote to the ledger. Stop the service, run `verify`"
            )
        if version != self._data_version and self._data_version is not None:
            rows = self.connection.execute(database.SCHEMA_ROWS)
            if database.schema_digest(rows) != database.SCHEMA_SHA3:
                raise ForeignWrite(
                    "foreign_write: the ledger's schema was changed by somebody else. Stop the"
                    " service, run `verify`"
                )
            group.event("incident", {"incident": "foreign_write", "size": end.size})
        return version

    def _place(self, group: Group, jobs: Sequence[Job]) -> list[Placed | Conflict]:
        keys = [keys_of(job.drafts, self._dedup) for job in jobs]
        known = dedup.find(self.connection, list(chain.from_iterable(keys)))
        placed: list[Placed | Conflict] = []
        for job, job_keys in zip(jobs, keys, strict=True):
            if job.events:
                first = group.size
                for event, fields in job.events:
                    group.event(event, fields)
                placed.append(Placed(first, group.size - 1, group.size - first, 0, 0))
            elif job.exact:
                placed.append(self._place_exactly(group, job.drafts, job_keys, known))
            else:
                placed.append(group.place(job.drafts, job_keys, known))
        group.report_conflicts()
        return placed

    def _place_exactly(
        self,
        group: Group,
        drafts: Sequence[Draft],
        keys: Sequence[Key],
        known: dict[Key, list[Known]],
    ) -> Placed | Conflict:
        """A request of `/v1/audit`; the conflict is its answer, and changes nothing for others."""
        beside = {
            key[1]: entries[0]
            for key, entries in known.items()
            if entries and entries[0].seq >= self.end.size
        }
        try:
            seen = self.know_tags()
            planned = exact.plan(self.connection, drafts, keys, beside, group.received, seen)
        except Conflict as error:
            return error
        return group.place_exactly(drafts, keys, known, planned)

    def _roll_back(self) -> None:
        if not self.connection.in_transaction:  # SQLite has done it, or BEGIN failed
            return
        try:
            self.connection.execute("ROLLBACK")
        except sqlite3.Error as exc:
            raise LedgerFatal(f"ROLLBACK failed: {exc}. The start checks decide") from exc


def insert(
    connection: sqlite3.Connection, group: Group, signer: Signer, origin: str, epoch: int
) -> Tip:
    """Insert a group's entries, its completed tree nodes and its signed head."""
    rows = group.rows
    execute = connection.execute
    width = 4 * dedup.ROWS
    for start in range(0, len(rows), width):
        part = rows[start : start + width]
        execute(_insert_entries(len(part) // 4), part)
    for node in group.nodes:
        execute(_NODE, node)
    root = group.frontier.root()
    signature = signer.sign(head_text(origin, group.size, root).encode())
    execute(_HEAD, (group.size, root, signature, epoch))
    return Tip(group.size, root, signature, signer.verifier.key_id, origin, group.size - 1)


@cache
def _insert_entries(number: int) -> str:
    values: Any = ",".join(["(?,?,?,?)"] * number)
    return f"INSERT INTO main.entry(seq, header, hash, body) VALUES {values}"
