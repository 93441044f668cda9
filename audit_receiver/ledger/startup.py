"""Opening a ledger for writing: refuse, never heal (DESIGN 2 and 8).

No check here reads all entries: genesis, tip, signed head and the tree's right edge are enough to
know that what we append continues what was signed. `verify` checks the rest.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger import database, epochs, keys, outside, pen
from audit_receiver.ledger.counters import Counted, Counters, Tallies
from audit_receiver.ledger.epochs import Reign
from audit_receiver.ledger.group import End
from audit_receiver.ledger.guard import FileGuard
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.keysource.model import KeySource
from audit_receiver.ledger.model import Tip
from audit_receiver.ledger.notary import Notary
from audit_receiver.ledger.outside import does_not_hold, way_on
from audit_receiver.record import timestamp
from audit_receiver.tlog.chain import GENESIS_PREV
from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.tlog.merkle import Frontier, leaf_hash
from audit_receiver.tlog.note import NoteError, VerifierKey


class Closed(LedgerError):
    """The ledger was closed for good; its successor goes on."""


class Opened(NamedTuple):
    """A ledger that passed the start checks, ready for the writer thread."""

    pen: pen.Pen
    counters: Counters
    vkey: VerifierKey  # of the first epoch: what a verifier needs
    stopped_cleanly: bool
    config_before: dict[str, Any]  # the `event` of the last config entry, {} if there is none
    first_schema: bool  # it was made before there were published checkpoints


def open_ledger(
    files: LedgerFiles, source: KeySource, known: Sequence[outside.Known] = ()
) -> Opened:
    """Check and open an existing ledger. Call under the lock. `known` is what anchors know of it.

    Raises LedgerError (it cannot be used as asked, exit 2), IntegrityError (does not hold, exit 1).
    """
    connection = database.open_writer(files.ledger)
    try:
        opened = _open(connection, files, source)
        _compare_outside(connection, files.ledger, opened.pen.tip, known)
        return opened
    except sqlite3.Error as exc:
        connection.close()
        raise IntegrityError(
            f"{files.ledger}: cannot be read: {exc}. Run `audit-receiver verify` on it; keep the"
            " file as it is"
        ) from exc
    except BaseException:
        connection.close()
        raise


def _open(connection: sqlite3.Connection, files: LedgerFiles, source: KeySource) -> Opened:
    path = files.ledger
    first = _check_genesis(connection, path)
    reigns = epochs.walk(
        path,
        first,
        connection.execute(epochs.ENTRIES).fetchall(),
        lambda size: connection.execute(epochs.HEAD, (size,)).fetchone(),
    )
    reign = reigns[-1]
    found = keys.load(files, source, first.key, reign.key)
    tip, end = _check_tip(connection, path, reigns)
    frontier = _restore_tree(connection, path, tip)
    end = end._replace(untallied=_last(connection, "ledger.heartbeat") or 0)
    counters, tallies = Counters(), _recount(connection, end.untallied)
    counters.add(_recount_services(connection, end.untallied))
    start, stop = _last(connection, "ledger.start"), _last(connection, "ledger.stop")
    return Opened(
        pen=pen.Pen(
            connection,
            found,
            tip,
            reign.seq,
            reign.since,
            end,
            frontier,
            tallies,
            counters,
            FileGuard(path),
            Notary(keys.load_log_signer(files, _log_vkey(connection, tip.origin))),
        ),
        counters=counters,
        vkey=first.key,
        stopped_cleanly=start is None or (stop is not None and stop > start),
        config_before=_event(connection, _last(connection, "ledger.config")),
        first_schema=_schema_digest(connection) == database.FIRST_SCHEMA_SHA3,
    )


def _check_genesis(connection: sqlite3.Connection, path: Path) -> Reign:
    """Entry 0 and the schema that it states; returns the key that it names."""
    row = connection.execute("SELECT header, hash, body FROM main.entry WHERE seq = 0").fetchone()
    if row is None:
        raise does_not_hold(path, "has no genesis entry")
    header, digest, body = row
    fields = _header(path, 0, header, digest)
    if fields.get("prev") != GENESIS_PREV or fields.get("action") != "ledger.genesis":
        raise does_not_hold(path, "entry 0 is not a genesis entry")
    if (
        not isinstance(body, str)
        or fields.get("body") != hashlib.sha3_256(body.encode()).hexdigest()
    ):
        raise does_not_hold(path, "the genesis entry's body is not the one hashed")
    event = _event(connection, 0)
    changed = _event(connection, _last(connection, "ledger.schema"))
    stated, actual = changed.get("new", event.get("schema_sha3")), _schema_digest(connection)
    if stated != actual:
        raise IntegrityError(
            f"{path}: the schema (tables, triggers, views) has the digest {actual}, the ledger"
            f" states {stated}. It was changed. {way_on(path)}"
        )
    if actual not in (database.SCHEMA_SHA3, database.FIRST_SCHEMA_SHA3):
        raise LedgerError(
            f"{path}: has the schema {actual}, this program writes {database.SCHEMA_SHA3}. Use the"
            " release that created the ledger"
        )
    try:
        vkey = VerifierKey.parse(str(event.get("vkey")))
    except (NoteError, ValueError) as exc:
        raise does_not_hold(path, f"the genesis names no verifier key: {exc}") from exc
    if vkey.name != event.get("origin"):
        raise does_not_hold(path, "the genesis names two origins")
    return Reign(0, 1, vkey, timestamp.parse(str(fields.get("received"))))


def _log_vkey(connection: sqlite3.Connection, origin: str) -> str:
    """The log key that the newest incarnation names."""
    recovered = _event(connection, _last(connection, "ledger.recover"))
    event = recovered if recovered.get("origin") == origin else _event(connection, 0)
    return str(event.get("log_vkey"))


def _check_tip(connection: sqlite3.Connection, path: Path, reigns: list[Reign]) -> tuple[Tip, End]:
    """The last entry, its link and the signed head over it."""
    row = connection.execute(pen.TIP).fetchone()
    if row is None:
        raise does_not_hold(path, "has no signed head")
    seq, digest, size, root, signature, epoch, header = row
    fields = _header(path, seq, header, digest)
    if size != seq + 1:
        raise does_not_hold(
            path, f"the last signed head covers {size} entries, the last entry is {seq}"
        )
    if seq > 0:
        before = connection.execute("SELECT hash FROM main.entry WHERE seq = ?", (seq - 1,))
        previous = before.fetchone()
        if previous is None or fields.get("prev") != previous[0].hex():
            raise does_not_hold(path, f"entry {seq} does not continue the one before")
    if fields.get("action") == "ledger.close" and fields.get("kind") == "ledger":
        raise Closed(
            f"{path}: was closed by `audit-receiver continue`; nothing is appended to it any more."
            " Set ledger.path to its successor, whose genesis names it as `previous`"
        )
    reign = epochs.at(reigns, size)
    vkey = reign.key
    signed = vkey.verify(head_text(vkey.name, size, root).encode(), signature)
    if epoch != reign.seq or not signed:
        raise does_not_hold(
            path, f"the newest head (size {size}) is not signed by the ledger's key"
        )
    received = timestamp.parse(str(fields.get("received")))
    tip = Tip(size, root, signature, vkey.key_id, vkey.name, seq)
    return tip, End(size, digest.hex(), received, 0)


def _restore_tree(connection: sqlite3.Connection, path: Path, tip: Tip) -> Frontier:
    """The tree's right edge from nodes and tail; it must give the signed root."""

    frontier = _tree(connection, path, tip.size)
    if frontier.root() != tip.root:
        raise does_not_hold(
            path, f"the newest entries do not give the signed root (size {tip.size})"
        )
    return frontier


def _compare_outside(
    connection: sqlite3.Connection, path: Path, tip: Tip, known: Sequence[outside.Known]
) -> None:
    """The published checkpoints that are kept here, and what anchors know, against the entries."""
    genesis = _event(connection, 0)
    recovered = [(seq, _event(connection, seq)) for seq in _all(connection, "ledger.recover")]
    begun = [genesis, *(event for _, event in recovered)]
    ends = [*(seq for seq, _ in recovered), None]
    previous = genesis.get("previous")
    outside.compare(
        path,
        tip.size,
        known,
        [
            outside.Incarnation(str(event.get("origin")), end)
            for event, end in zip(begun, ends, strict=True)
        ],
        outside.lost(begun),
        lambda size: _tree(connection, path, size).root(),
        str(previous.get("origin")) if isinstance(previous, dict) else "",
        _kept_here(connection),
    )


def _kept_here(connection: sqlite3.Connection) -> list[outside.Known]:
    """The newest checkpoint in the ledger itself; who only cuts entries off leaves it behind."""
    if _schema_digest(connection) == database.FIRST_SCHEMA_SHA3:
        return []
    row = connection.execute("SELECT note FROM main.checkpoint ORDER BY size DESC LIMIT 1")
    return [outside.Known("`checkpoint`, the ledger's own table,", str(note)) for (note,) in row]


def _tree(connection: sqlite3.Connection, path: Path, size: int) -> Frontier:
    """The tree at a size, from the nodes and the entries behind them."""

    def node(level: int, idx: int) -> bytes:
        row = connection.execute(
            "SELECT hash FROM main.node WHERE level = ? AND idx = ?", (level, idx)
        ).fetchone()
        if row is None:
            raise does_not_hold(path, f"tree node {level}/{idx} is missing")
        return bytes(row[0])

    def leaves(first: int, end: int) -> Iterable[bytes]:
        rows = connection.execute(
            "SELECT header FROM main.entry WHERE seq >= ? AND seq < ? ORDER BY seq", (first, end)
        ).fetchall()
        if len(rows) != end - first:
            raise does_not_hold(path, f"entries are missing in {first}..{end - 1}")
        return [leaf_hash(str(header).encode()) for (header,) in rows]

    return Frontier.restore(size, node, leaves)


def _recount(connection: sqlite3.Connection, first: int) -> Tallies:
    """What the next heartbeat has to tally of the entries that are there already."""
    rows = connection.execute(
        "SELECT coalesce(action, ''), coalesce(json_extract(header, '$.outcome'), ''), count(*)"
        " FROM main.entry NOT INDEXED WHERE seq >= ? GROUP BY 1, 2",
        (first,),
    )
    return Counter({(action, outcome): count for action, outcome, count in rows})


def _recount_services(connection: sqlite3.Connection, first: int) -> Counted:
    rows = connection.execute(
        "SELECT coalesce(json_extract(header, '$.service'), ''), count(*),"
        " sum(json_extract(header, '$.flags') LIKE '%\"conflict\"%')"
        " FROM main.entry NOT INDEXED WHERE seq >= ? AND kind <> 'ledger' GROUP BY 1 ORDER BY 1",
        (first,),
    )
    counted = Counted()
    for service, stored, conflicts in rows:
        counted.found(service, stored, conflicts)
    return counted


def _last(connection: sqlite3.Connection, action: str) -> int | None:
    """The seq of the newest own record of this kind.

    Own times rise within an incarnation, so the index finds it; each incarnation has a new clock.
    """
    for first in [*reversed(_all(connection, "ledger.recover")), 0]:
        row = connection.execute(
            "SELECT seq FROM main.entry INDEXED BY entry_action"
            " WHERE action = ? AND kind = 'ledger' AND seq >= ? ORDER BY time DESC LIMIT 1",
            (action, first),
        ).fetchone()
        if row is not None:
            return int(row[0])
    return None


def _all(connection: sqlite3.Connection, action: str) -> list[int]:
    """The seq of every own record of this kind, in order."""
    rows = connection.execute(
        "SELECT seq FROM main.entry INDEXED BY entry_action WHERE action = ? AND kind = 'ledger'",
        (action,),  # ordered here: asked for its order, SQLite would walk through all entries
    )
    return sorted(seq for (seq,) in rows)


def _event(connection: sqlite3.Connection, seq: int | None) -> dict[str, Any]:
    """The `event` object of an own record, {} if there is none to read."""
    if seq is None:
        return {}
    row = connection.execute("SELECT body FROM main.entry WHERE seq = ?", (seq,)).fetchone()
    try:
        event = orjson.loads(row[0])["event"]
    except (ValueError, TypeError, KeyError):
        return {}
    return event if isinstance(event, dict) else {}


def _header(path: Path, seq: int, header: object, digest: object) -> dict[str, Any]:
    """A header's fields, once its hash and seq are found right."""
    if isinstance(header, str) and hashlib.sha3_256(header.encode()).digest() == digest:
        fields = orjson.loads(header)
        if isinstance(fields, dict) and fields.get("seq") == seq:
            return fields
    raise does_not_hold(path, f"entry {seq} does not have the hash stored beside it")


def _schema_digest(connection: sqlite3.Connection) -> str:
    return database.schema_digest(connection.execute(database.SCHEMA_ROWS))
