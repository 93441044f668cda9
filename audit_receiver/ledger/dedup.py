"""Duplicates (DESIGN 3.7): what is known under a record's (time, id), and what follows from it."""

import sqlite3
from collections.abc import Sequence
from enum import Enum, auto
from functools import cache
from typing import NamedTuple

from audit_receiver.record import identity
from audit_receiver.record.model import Draft

Key = tuple[str | None, str]  # the header's time and id
ROWS = 256  # keys or rows in one statement: few, long statements leave the GIL to the others


class Known(NamedTuple):
    """A record that is there already, in the ledger or in the group that is being written."""

    seq: int
    body: str | None  # None once erased
    repeats: bool  # it is itself flagged as a duplicate


class Verdict(Enum):
    """What becomes of a record."""

    NEW = auto()  # nothing known: an entry
    KNOWN = auto()  # there already (or erased): acknowledged, no entry
    CONFLICT = auto()  # same identity, other content: an entry with a flag, and an incident
    REPEAT = auto()  # no identity of its own, sent before: an entry that names the first one


def judge(draft: Draft, known: Sequence[Known], nth: int) -> tuple[Verdict, int]:
    """Decide about one record; the number is the seq of the entry that it repeats or contradicts.

    `known` is in order of seq; `nth` counts equal records earlier in the same request, so that the
    second of two equal ones repeats the second of the request before.
    """
    if not known:
        return Verdict.NEW, 0
    if not draft.own_identity:
        if any(entry.body is None for entry in known):
            return Verdict.KNOWN, known[0].seq
        originals = [entry.seq for entry in known if not entry.repeats] or [known[0].seq]
        return Verdict.REPEAT, originals[min(nth, len(originals) - 1)]
    for entry in known:
        if entry.body is None or identity.same_content(entry.body, draft.body):
            return Verdict.KNOWN, entry.seq
    return Verdict.CONFLICT, known[0].seq


def find(connection: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, list[Known]]:
    """Look up many (time, id) among the committed entries; keys without an entry are absent."""
    found: dict[Key, list[Known]] = {}
    distinct = list(dict.fromkeys(keys))
    for start in range(0, len(distinct), ROWS):
        part = distinct[start : start + ROWS]
        flat = [value for key in part for value in key]
        for time, tag, seq, body, repeats in connection.execute(_statement(len(part)), flat):
            found.setdefault((time, tag), []).append(Known(seq, body, repeats is not None))
    return found


@cache
def _statement(number: int) -> str:
    """One join for `number` keys: a row-value IN would scan the table, IS serves a NULL time."""
    values = ",".join(["(?,?)"] * number)
    return (
        f"WITH k(t, i) AS (VALUES {values})"
        " SELECT k.t, k.i, e.seq, e.body, json_extract(e.header, '$.duplicate_of')"
        " FROM k CROSS JOIN main.entry AS e INDEXED BY entry_time"
        " ON e.time IS k.t AND e.id = k.i"
    )
