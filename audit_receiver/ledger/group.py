"""One group of requests as entries: places, headers, hashes, tree. Values only, no SQL.

A group is built on a copy of the ledger's end; nobody sees it before its COMMIT has returned.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from audit_receiver.ledger.counters import Counted, Tallies, tally_fields
from audit_receiver.ledger.dedup import Key, Known, Verdict, judge
from audit_receiver.ledger.exact import Kept, Planned, settled
from audit_receiver.ledger.streams import Branch, Streams
from audit_receiver.record import header, identity, integrity, own, timestamp
from audit_receiver.record.model import Draft
from audit_receiver.tlog.merkle import Frontier, Node, leaf_hash

CONFLICTS_PER_INCIDENT = 1000
_NO_FLAGS: tuple[str, ...] = ()


class End(NamedTuple):
    """Where the ledger ends; the next entry continues it."""

    size: int
    last_hash: str  # hex, the next entry's `prev`
    last_received: int
    untallied: int  # the first seq that no heartbeat has counted yet: the last heartbeat's own


class Placed(NamedTuple):
    """What became of one request."""

    first_seq: int | None
    last_seq: int | None
    stored: int
    duplicates: int
    conflicts: int
    kept: tuple[Kept, ...] = ()  # of an exact request


class Group:
    """Entries in the making, on top of an End."""

    def __init__(
        self,
        end: End,
        frontier: Frontier,
        tallies: Tallies,
        wall_unix_nano: int,
        held: bool,
        streams: Branch | None = None,
    ) -> None:
        self.size = end.size
        self.last_hash = end.last_hash
        self.untallied = end.untallied
        self.frontier = frontier  # ours: a copy
        self.tallies = tallies  # ours: a copy
        self.streams = streams or Streams().branch()
        self.received = max(wall_unix_nano, end.last_received + 1)  # of the next entry
        self.rows: list[Any] = []  # seq, header, hash, body, seq, header, ...: as INSERT takes them
        self.nodes: list[Node] = []
        self.tags: list[str] = []  # of the entries, "" for own records
        self.counted = Counted()
        self.incidents: list[str] = []
        self._flags = ("clock_held",) if held else _NO_FLAGS
        self._conflicts: list[list[int]] = []

    def end(self) -> End:
        """The ledger's end once this group is committed."""
        return End(self.size, self.last_hash, self.received - 1, self.untallied)

    def place(
        self, drafts: Sequence[Draft], keys: Sequence[Key], known: dict[Key, list[Known]]
    ) -> Placed:
        """Give one request's records their places; `known` learns them for the requests behind."""
        first = self.size
        duplicates = conflicts = 0
        fresh: dict[
            Key, list[Known]
        ] = {}  # of this request: equal ones without identity are separate
        for draft, key in zip(drafts, keys, strict=True):
            before, beside = known.get(key), fresh.get(key)
            if before is None and beside is None:
                seq = self._append(draft, key[1], self._flags, None)
                fresh[key] = [Known(seq, draft.body, repeats=False)]
                self.counted.stored(draft.service, conflict=False)
                continue
            beside = beside or []
            candidates = (before or []) + beside if draft.own_identity else before or []
            verdict, other = judge(draft, candidates, len(beside))
            if verdict is Verdict.KNOWN:
                duplicates += 1
                self.counted.duplicate(draft.service)
                continue
            seq = self._store(draft, key[1], verdict, other)
            conflicts += verdict is Verdict.CONFLICT
            self.counted.stored(draft.service, conflict=verdict is Verdict.CONFLICT)
            entry = Known(seq, draft.body, repeats=verdict is Verdict.REPEAT)
            fresh.setdefault(key, []).append(entry)
        for key, entries in fresh.items():
            known.setdefault(key, []).extend(entries)
        if self.size == first:
            return Placed(None, None, 0, duplicates, conflicts)
        return Placed(first, self.size - 1, self.size - first, duplicates, conflicts)

    def place_exactly(
        self,
        drafts: Sequence[Draft],
        keys: Sequence[Key],
        known: dict[Key, list[Known]],
        planned: Planned,
    ) -> Placed:
        """Give the new records of a request of `/v1/audit` their places, as it was planned."""
        first = self.size
        stored: dict[int, Kept] = {}
        for place in planned.new:
            draft, key = drafts[place], keys[place]
            received = self.received
            seq = self._append(draft, key[1], self._flags, None)
            self.counted.stored(draft.service, conflict=False)
            known.setdefault(key, []).append(Known(seq, draft.body, repeats=False))
            digest = draft.integrity_hash or integrity.digest(orjson.loads(draft.body))
            stored[place] = Kept(seq, received, digest, is_new=True)
        number, new = len(drafts), len(stored)
        for draft in (drafts[place] for place in planned.kept):
            self.counted.duplicate(draft.service)
        kept = settled(planned, stored, number)
        if not new:
            return Placed(None, None, 0, number, 0, kept)
        return Placed(first, self.size - 1, new, number - new, 0, kept)

    def event(self, event: str, fields: Mapping[str, Any]) -> int:
        """Write one of the receiver's own records; its time is the time of this group."""
        draft = own.draft(event, fields, self.received, os.urandom(16))
        if event == "incident":
            self.incidents.append(str(fields.get("incident", "")))
        return self._append(draft, "", self._flags, None)

    def report_conflicts(self) -> None:
        """The incident that belongs to the conflicts of this group, in the same transaction."""
        pairs = self._conflicts
        for start in range(0, len(pairs), CONFLICTS_PER_INCIDENT):
            part = pairs[start : start + CONFLICTS_PER_INCIDENT]
            self.event("incident", {"incident": "conflict", "entries": part})
        self._conflicts = []

    def heartbeat(self, counted_before: Counted) -> None:
        """Write the heartbeat: everything since the one before, this group included."""
        counted = Counted()
        counted.add(counted_before)
        counted.add(self.counted)
        self.counted = Counted()
        fields = {"from": self.untallied, "to": self.size - 1, **counted.fields()}
        fields["tallies"] = tally_fields(self.tallies)
        self.tallies.clear()
        self.untallied = self.event("heartbeat", fields)  # it is the first that the next counts

    def _store(self, draft: Draft, tag: str, verdict: Verdict, other: int) -> int:
        if verdict is Verdict.CONFLICT:
            seq = self._append(draft, tag, (*self._flags, "conflict"), None)
            self._conflicts.append([seq, other])
            return seq
        if verdict is Verdict.REPEAT:
            repeat = header.repeat(draft, other)
            return self._append(repeat, tag, (*self._flags, "duplicate"), other)
        return self._append(draft, tag, self._flags, None)

    def _append(
        self, draft: Draft, tag: str, flags: tuple[str, ...], duplicate_of: int | None
    ) -> int:
        seq, received = self.size, self.received
        time = draft.time_unix_nano
        if time and not -header.SKEW <= received - time <= header.LATE:
            flags = (*flags, *header.timing_flags(time, received))
        if draft.sequence is not None:
            flags = (*flags, *self.streams.flags(draft))
        text = header.render(
            draft, seq, self.last_hash, timestamp.render(received), tag, flags, duplicate_of
        )
        raw = text.encode()
        digest = hashlib.sha3_256(raw).digest()
        nodes = self.frontier.push(leaf_hash(raw))
        if nodes:
            self.nodes.extend(nodes)
        self.rows += (seq, text, digest, draft.body)
        self.tags.append(tag)
        self.size, self.last_hash, self.received = seq + 1, digest.hex(), received + 1
        self.tallies[draft.action, draft.outcome] += 1
        return seq


def keys_of(drafts: Sequence[Draft], dedup_key: bytes) -> list[Key]:
    """(time, id) of each record, as the header and the index have them."""
    tag = identity.tag
    return [(draft.time, tag(dedup_key, draft.identity)) for draft in drafts]
