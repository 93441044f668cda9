"""What a ledger says of its own retention: policy in force, holds, deletions, what is unfinished.

Read from the signed entries alone; there is no other place where any of it is kept.
"""

import bisect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import epochs
from audit_receiver.ledger.reader import Reader
from audit_receiver.record import timestamp
from audit_receiver.retention.policy import Policy
from audit_receiver.retention.ranges import Range, merged, of_seqs, pieces

# Bodies that may go: the schema's trigger lets no others (docs/ledger-format.md).
ERASABLE = ("ledger.start", "ledger.stop", "ledger.heartbeat", "ledger.read", "ledger.incident")
_MAY_GO = f"(kind <> 'ledger' OR action IN {ERASABLE!r})"
# Sorted afterwards: asked for in order, SQLite would walk through the whole ledger.
_EVENTS = "SELECT seq, body FROM main.entry WHERE action = ? AND kind = 'ledger' AND body NOTNULL"
# The entries of ranges that are given as a JSON array of [first, last], in their order.
_OF_RANGES = (
    " FROM json_each(?) AS r CROSS JOIN main.entry AS e NOT INDEXED"
    " ON e.seq BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]')"
    " WHERE e.body IS NOT NULL"
)
_PRESENT = f"SELECT e.seq, e.kind, coalesce(e.action, ''){_OF_RANGES} AND {_MAY_GO}"
_SALTS = (
    "SELECT json_extract(e.body, '$.salt'), json_extract(e.body, '$.subject.salt')" + _OF_RANGES
)
_ACTOR = f"SELECT seq FROM main.entry WHERE actor = ? AND {_MAY_GO}"
_TARGET = f"SELECT seq FROM main.entry WHERE target = ? AND {_MAY_GO}"
_READS = "SELECT seq FROM main.entry WHERE action = 'ledger.read' AND instr(body, ?) > 0"
_MENTIONS = "SELECT count(*) FROM main.entry NOT INDEXED WHERE instr(body, ?) > 0"
_RECEIVED = "SELECT json_extract(header, '$.received') FROM main.entry WHERE seq = ?"
_RECOVER = "ledger.recover"
WINDOW = 50_000


class Hold(NamedTuple):
    """What must not go, and since which entry."""

    name: str
    ranges: tuple[Range, ...]
    authoriser: str
    reason: str
    seq: int


class Deletion(NamedTuple):
    """An `erase` or `prune` entry."""

    seq: int
    event: str
    ranges: tuple[Range, ...]
    bodies: int


class State(NamedTuple):
    """Where the ledger stands."""

    policy: Policy
    policy_seq: int  # of the entry that states it; 0: the genesis
    holds: tuple[Hold, ...]
    deletions: tuple[Deletion, ...]
    unfinished: tuple[Deletion, ...]  # those that no `deleted` entry names


def read(reader: Reader) -> State:
    """The state by the entries that are there now. Raises LedgerError if one cannot be read."""
    try:
        return _read(reader)
    except (ValueError, TypeError, KeyError) as exc:
        raise LedgerError(
            f"{reader.path}: an own record about retention cannot be read: {exc!r}. Run"
            " `audit-receiver verify` on it"
        ) from exc


def _read(reader: Reader) -> State:
    changes = list(_events(reader, "retention"))
    seq, event = (
        changes[-1] if changes else (0, {"policy": reader.genesis().event.get("retention")})
    )
    deletions = sorted(
        Deletion(at, name, _ranges(event), int(event.get("count", 0)))
        for name in ("erase", "prune")
        for at, event in _events(reader, name)
    )
    done = {one for _, event in _events(reader, "deleted") for one in event.get("entries", ())}
    return State(
        Policy.parse(event.get("policy") or {}),
        seq,
        tuple(_holds(reader)),
        tuple(deletions),
        tuple(one for one in deletions if one.seq not in done),
    )


def held(state: State) -> list[Range]:
    """All seqs that some hold keeps."""
    return merged(one for hold in state.holds for one in hold.ranges)


def present(reader: Reader, wanted: Sequence[Range]) -> list[Range]:
    """Which of these seqs have a body that may go."""
    return of_seqs(seq for seq, _, _ in _present(reader, wanted))


def of_person(reader: Reader, person: str, also_target: bool) -> list[Range]:
    """The entries that name this actor (or target), and the reads whose filter names them."""
    found = {seq for (seq,) in _rows(reader, _ACTOR, (person,))}
    if also_target:
        found |= {seq for (seq,) in _rows(reader, _TARGET, (person,))}
    found |= {seq for (seq,) in _rows(reader, _READS, (_quoted(person),))}
    return of_seqs(sorted(found))


def mentions(reader: Reader, person: str) -> int:
    """In how many bodies that are left the name stands as a text of its own."""
    [(number,)] = _rows(reader, _MENTIONS, (_quoted(person),))
    return int(number)


def due(reader: Reader, policy: Policy, now_unix_nano: int) -> list[Range]:
    """The bodies that the policy lets go now, by the time at which they were received."""
    shortest = policy.shortest_nanos
    size = reader.size()
    if shortest is None or size == 0:
        return []
    ends: dict[int, int] = {}

    def end(keep_nanos: int) -> int:
        if keep_nanos not in ends:
            ends[keep_nanos] = received_before(reader, now_unix_nano - keep_nanos, size)
        return ends[keep_nanos]

    found = []
    last = end(shortest) - 1
    for seq, kind, action in _present(reader, [(0, last)]) if last >= 0 else ():
        keep = policy.keeps_nanos(kind, action)
        if keep is not None and seq < end(keep):
            found.append(seq)
    return of_seqs(found)


def received_before(reader: Reader, unix_nano: int, size: int) -> int:
    """How many entries were received before this time; `received` rises with seq."""

    def received(seq: int) -> int:
        [(text,)] = _rows(reader, _RECEIVED, (seq,))
        return timestamp.parse(text)

    return bisect.bisect_left(range(size), unix_nano, key=received)


def salts(reader: Reader, wanted: Sequence[Range]) -> Iterator[str]:
    """The salts of these bodies and subjects: what no other entry has, to search the file for."""
    for row in _of_ranges(reader, _SALTS, wanted):
        yield from (salt for salt in row if salt)


def _present(reader: Reader, wanted: Sequence[Range]) -> Iterator[tuple[int, str, str]]:
    yield from ((seq, kind, action) for seq, kind, action in _of_ranges(reader, _PRESENT, wanted))


def _of_ranges(reader: Reader, sql: str, wanted: Sequence[Range]) -> Iterator[tuple[Any, ...]]:
    """Rows for the entries of many ranges, in short transactions."""
    for group in pieces(wanted, WINDOW):
        yield from _rows(reader, sql, (_json(group),))


def _json(ranges: Sequence[Range]) -> str:
    return orjson.dumps(ranges).decode()


def _holds(reader: Reader) -> list[Hold]:
    active: dict[str, Hold] = {}
    for seq, event in _events(reader, "hold"):
        name = str(event.get("hold"))
        if event.get("state") == "add":
            told = (str(event.get("authoriser")), str(event.get("reason")))
            active[name] = Hold(name, _ranges(event), *told, seq)
        else:
            active.pop(name, None)
    return list(active.values())


def _events(reader: Reader, event: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Own records of this kind that have force: whoever can write the file can append others, and
    a recovery behind them covers those with its head."""
    tails = epochs.unsigned((seq, body) for seq, body in _rows(reader, _EVENTS, (_RECOVER,)))
    for seq, body in sorted(_rows(reader, _EVENTS, (f"ledger.{event}",))):
        if not any(seq in tail for tail in tails):
            yield seq, orjson.loads(body)["event"]


def _ranges(event: dict[str, Any]) -> tuple[Range, ...]:
    return tuple(merged((first, last) for first, last in event.get("ranges", ())))


def _quoted(person: str) -> str:
    """As a text of its own in canonical JSON."""
    return orjson.dumps(person).decode()


def _rows(reader: Reader, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return list(reader.select(sql, parameters)[1])
