"""Requests of `/v1/audit`: each record once under its record id, or nothing of the request.

`/v1/logs` takes the same id at another event time for another record; here the id alone counts. It
is looked up by time and tag, as everywhere, and by the record id itself, block by block
(docs/decisions/0030).
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from audit_receiver.errors import Conflict
from audit_receiver.ledger.dedup import Key, Known
from audit_receiver.ledger.seen import Seen
from audit_receiver.record import integrity, timestamp
from audit_receiver.record.model import Draft

_BY_RECORD = (
    "SELECT seq, body, json_extract(header, '$.received') FROM main.entry"
    " WHERE record_id = ? AND id = ? ORDER BY seq LIMIT 1"
)
_BY_TIME = (
    "SELECT seq, body, json_extract(header, '$.received') FROM main.entry INDEXED BY entry_time"
    " WHERE time IS ? AND id = ? ORDER BY seq LIMIT 1"
)


class Kept(NamedTuple):
    """Where a record stands, now or since an earlier request."""

    seq: int
    received_unix_nano: int
    integrity_hash: str  # hex
    is_new: bool


class Planned(NamedTuple):
    """What is to be done with a request that conflicts with nothing."""

    new: list[int]  # places in the request of the records that become entries
    kept: dict[int, Kept]  # the others, by place


def plan(
    connection: sqlite3.Connection,
    drafts: Sequence[Draft],
    keys: Sequence[Key],
    beside: dict[str, Known],
    received_unix_nano: int,
    seen: Seen,
) -> Planned:
    """Decide about a whole request. Raises Conflict if one of its ids has other content already.

    Args:
        connection: inside the transaction of the group.
        drafts, keys: of the request.
        beside: the entries of the group in the making, by tag.
        received_unix_nano: of the group, for duplicates of these.
        seen: tags of the ledger; what it does not know is not looked up.
    """
    new: list[int] = []
    kept: dict[int, Kept] = {}
    came: dict[str, tuple[int, str]] = {}  # of this request: tag -> place, hash
    conflicts: list[tuple[str, str, str]] = []
    for place, (draft, (time, tag)) in enumerate(zip(drafts, keys, strict=True)):
        body = orjson.loads(draft.body)
        record_id, digest = body["audit"]["record_id"], integrity.digest(body)
        held = _beside(beside.get(tag), received_unix_nano)
        if held is None and seen.may_have(tag):
            held = _find(connection, record_id, time, tag)
        if tag in came:
            first, other = came[tag]
            if other != digest:
                conflicts.append((record_id, other, digest))
            elif first in kept:
                kept[place] = kept[first]
            else:
                kept[place] = Kept(-1 - first, 0, digest, is_new=False)  # see `settled`
            continue
        came[tag] = place, digest
        if held is None:
            new.append(place)
        elif held.integrity_hash in ("", digest):  # "": erased since, so nobody can tell
            kept[place] = held._replace(integrity_hash=draft.integrity_hash or digest)
        else:
            conflicts.append((record_id, held.integrity_hash, digest))
    if conflicts:
        raise Conflict(conflicts)
    return Planned(new, kept)


def settled(planned: Planned, stored: dict[int, Kept], number: int) -> tuple[Kept, ...]:
    """Where each record of the request stands, once its new ones have their places."""
    found = {**planned.kept, **stored}
    for place, kept in planned.kept.items():
        if kept.seq < 0:  # the same record twice in one request
            found[place] = stored[-1 - kept.seq]._replace(is_new=False)
    return tuple(found[place] for place in range(number))


def _find(
    connection: sqlite3.Connection, record_id: str, time: str | None, tag: str
) -> Kept | None:
    for sql, value in ((_BY_TIME, time), (_BY_RECORD, record_id)):
        row = connection.execute(sql, (value, tag)).fetchone()
        if row is not None:
            seq, body, received = row
            digest = integrity.digest(orjson.loads(body)) if body is not None else ""
            return Kept(seq, timestamp.parse(received), digest, is_new=False)
    return None


def _beside(known: Known | None, received_unix_nano: int) -> Kept | None:
    if known is None or known.body is None:
        return None
    digest = integrity.digest(orjson.loads(known.body))
    return Kept(known.seq, received_unix_nano, digest, is_new=False)
