"""What is done about bodies: each thing first a signed entry, anchored, and only then the deletion.

One thing at a time. The entry names ranges of seqs, a code, a reason and who authorised it, never
the person. What is left unfinished (a crash, a reader that holds the file, an anchor that does not
answer) is finished before anything else is begun.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.errors import AuditReceiverError, LedgerError, LedgerUnavailable
from audit_receiver.ledger import deleting
from audit_receiver.ledger.appender import Appended, Appender, Done, Work
from audit_receiver.ledger.reader import Reader
from audit_receiver.retention import state
from audit_receiver.retention.policy import Policy
from audit_receiver.retention.ranges import Range, count, merged, overlap, pieces, text, without

STEP_BODIES = 128  # of one step of the writer: some 20 ms, then records come again
MOST_RANGES = 250  # of one entry: the trigger looks through them for each row
PATIENCE_SECONDS = 60.0  # for one step
READER_SECONDS = 5.0  # so long a reader is waited for; then it stays unfinished
ANCHOR_SECONDS = 15.0
_LOOK_SECONDS = 0.1


class RetentionError(LedgerError):
    """What was asked for is not done; the message says why."""


class Unfinished(RetentionError):
    """The entry stands, and what it authorises is not complete yet."""


class Who(NamedTuple):
    """On whose word, as the entry states it."""

    authoriser: str
    reason: str
    code: str = ""
    uid: int = -1
    user: str = ""

    def fields(self) -> dict[str, Any]:
        """Of the entry."""
        told: dict[str, Any] = {"authoriser": self.authoriser, "reason": self.reason}
        if self.code:
            told["code"] = self.code
        if self.uid >= 0:
            told["asked_by"] = {"uid": self.uid, "user": self.user}
        return told


class Engine:
    """Retention of one ledger that this process writes.

    `anchored` says whether something outside keeps a checkpoint of at least this size, `publish`
    asks for one; where no anchors are at hand, a checkpoint in the ledger is all.
    """

    def __init__(
        self,
        appender: Appender,
        path: Path,
        anchored: Callable[[int], bool] | None = None,
        hurry: Callable[[], None] | None = None,
    ) -> None:
        self._appender = appender
        self._path = path
        self._anchored = anchored
        self._hurry = hurry
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.trouble = ""  # why something is unfinished, "" if nothing is

    def stop(self) -> None:
        """Wait for nothing outside any more; what is on its way stays unfinished."""
        self._stopped.set()

    def resume(self) -> int:
        """Finish what was begun; returns how many entries were finished. Raises Unfinished."""
        with self._lock:
            return self._finish()

    def erase(self, wanted: Sequence[Range], who: Who) -> dict[str, Any]:
        """Delete the bodies of these seqs."""
        with self._lock:
            self._finish()
            with Reader(self._path) as reader:
                now = state.read(reader)
                last = max((last for _, last in wanted), default=-1)
                if last >= reader.size():
                    raise RetentionError(f"there is no entry {last}; {reader.size()} are there")
                ranges = state.present(reader, merged(wanted))
            self._refuse_held(now, overlap(merged(wanted), state.held(now)))
            return self._delete("erase", ranges, who.fields())

    def prune(self, who: Who, wall_unix_nano: int) -> dict[str, Any]:
        """Delete what the policy in force lets go; what is held stays."""
        with self._lock:
            self._finish()
            with Reader(self._path) as reader:
                now = state.read(reader)
                ranges = state.due(reader, now.policy, wall_unix_nano)
            kept = state.held(now)
            done = self._delete(
                "prune", without(ranges, kept), {**who.fields(), "policy": now.policy.stated()}
            )
            return {**done, "held": count(overlap(ranges, kept))}

    def hold(self, name: str, ranges: Sequence[Range], who: Who) -> dict[str, Any]:
        """Keep these seqs until the hold is released."""
        with self._lock:
            self._finish()
            with Reader(self._path) as reader:
                now = state.read(reader)
                gone = count(ranges) - count(state.present(reader, ranges))
            if name in {hold.name for hold in now.holds}:
                raise RetentionError(f"there is a hold {name} already; release it, or take a name")
            fields = {"hold": name, "state": "add", "ranges": _listed(ranges), **who.fields()}
            return {"seq": self._entry("hold", fields), "entries": count(ranges), "gone": gone}

    def release(self, name: str, who: Who) -> dict[str, Any]:
        """Let a hold go."""
        with self._lock:
            with Reader(self._path) as reader:
                names = [hold.name for hold in state.read(reader).holds]
            if name not in names:
                there = f"there are {', '.join(names)}" if names else "there are none"
                raise RetentionError(f"there is no hold {name}; {there}")
            return {"seq": self._entry("hold", {"hold": name, "state": "release", **who.fields()})}

    def set_policy(self, policy: Policy, who: Who) -> dict[str, Any]:
        """Change the policy; it is in force from the entry on."""
        with self._lock:
            fields = {"policy": policy.stated(), **who.fields()}
            return {"seq": self._entry("retention", fields)}

    def _refuse_held(self, now: state.State, kept: Sequence[Range]) -> None:
        if not kept:
            return
        names = [hold.name for hold in now.holds if overlap(kept, merged(hold.ranges))]
        raise RetentionError(
            f"held: entries {text(kept)} are kept by {', '.join(names)}. Nothing was erased; leave"
            " them out, or have the hold released first"
        )

    def _delete(
        self, event: str, ranges: Sequence[Range], fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        entries, bodies = [], 0
        for start in range(0, len(ranges), MOST_RANGES):
            part = ranges[start : start + MOST_RANGES]
            told = {**fields, "ranges": _listed(part), "count": count(part)}
            entries.append(self._entry(event, told))
            bodies += self._null_out(entries[-1], part)
        if entries:
            self._scrub(entries, bodies)
        return {"entries": entries, "bodies": bodies, "ranges": _listed(ranges)}

    def _finish(self) -> int:
        with Reader(self._path) as reader:
            unfinished = state.read(reader).unfinished
            newest = {one.event: one for one in unfinished}
            left = {one.seq: state.present(reader, one.ranges) for one in newest.values()}
        if not unfinished:
            self.trouble = ""
            return 0
        for seq, ranges in sorted(left.items()):
            self._null_out(seq, ranges)
        self._scrub([one.seq for one in unfinished], sum(one.bodies for one in unfinished))
        return len(unfinished)

    def _null_out(self, seq: int, ranges: Sequence[Range]) -> int:
        """Delete the bodies that entry `seq` names, once the outside has a head over it."""
        self._wait_for_anchor(seq)
        gone = 0

        for piece in pieces(ranges, STEP_BODIES):

            def run(connection: Any, piece: list[Range] = piece) -> None:
                nonlocal gone
                gone += deleting.null_out(connection, piece)

            self._work(Work(run, transaction=True))
        return gone

    def _wait_for_anchor(self, seq: int) -> None:
        self._wait(self._appender.publish)
        if self._anchored is None:
            return
        deadline = time.monotonic() + ANCHOR_SECONDS
        while not self._anchored(seq + 1):
            if self._hurry is not None:
                self._hurry()
            if self._stopped.is_set() or time.monotonic() > deadline:
                self._unfinished(f"no anchor keeps a checkpoint over entry {seq} yet")
            time.sleep(_LOOK_SECONDS)

    def _scrub(self, entries: Sequence[int], bodies: int) -> None:
        """Leave no copy of a text behind: indexes, statistics, the WAL."""
        for index in deleting.INDEXES:
            self._work(Work(lambda c, name=index: deleting.rebuild(c, name), transaction=False))  # type: ignore[misc]
        self._work(Work(deleting.forget_samples, transaction=True))
        deadline = time.monotonic() + READER_SECONDS
        cut = False
        while not cut:

            def run(connection: Any) -> None:
                nonlocal cut
                cut = deleting.cut_wal(connection)

            self._work(Work(run, transaction=False))
            if not cut and (self._stopped.is_set() or time.monotonic() > deadline):
                self._unfinished(
                    "a reader holds the ledger open, so the WAL still has old pages. It is tried"
                    " again until the reader has gone"
                )
            if not cut:
                time.sleep(_LOOK_SECONDS)
        self._entry("deleted", {"entries": list(entries), "count": bodies})
        self.trouble = ""

    def _unfinished(self, why: str) -> None:
        self.trouble = why
        raise Unfinished(f"unfinished: {why}")

    def _entry(self, event: str, fields: Mapping[str, Any]) -> int:
        done = self._wait(lambda done: self._appender.submit_record(event, fields, done))
        assert done.first_seq is not None
        return done.first_seq

    def _work(self, work: Work) -> None:
        self._wait(lambda done: self._appender.work(work, done))

    def _wait(self, submit: Callable[[Done], None]) -> Appended:
        results: list[Appended | Exception] = []
        ready = threading.Event()

        def done(result: Appended | Exception) -> None:
            results.append(result)
            ready.set()

        submit(done)
        if not ready.wait(PATIENCE_SECONDS):
            raise LedgerUnavailable(f"the writer did not get to it within {PATIENCE_SECONDS:g} s")
        if isinstance(results[0], AuditReceiverError):
            raise results[0]
        if isinstance(results[0], Exception):
            raise LedgerUnavailable(f"it failed: {results[0]!r}") from results[0]
        return results[0]


def _listed(ranges: Sequence[Range]) -> list[list[int]]:
    return [[first, last] for first, last in ranges]
