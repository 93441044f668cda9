"""From the key of the genesis to the key of today: the chain of `key` entries (DESIGN 3.2).

Each names the next key and is covered by a head of the key before, which is checked here; that this
head's root is that of the entries is for `verify`, and for the start checks at the tip. Rows come
by the index of actions, so thousands of epochs cost less than a second.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger.outside import does_not_hold
from audit_receiver.record import timestamp
from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.tlog.note import NoteError, VerifierKey

ENTRIES = (
    "SELECT seq, header, hash, body FROM main.entry INDEXED BY entry_action"
    " WHERE action IN ('ledger.key', 'ledger.recover') AND kind = 'ledger' ORDER BY seq"
)
GENESIS = "SELECT seq, header, hash, body FROM main.entry NOT INDEXED WHERE seq = 0"
HEAD = "SELECT root, signature, epoch FROM main.head WHERE size = ?"

HeadAt = Callable[[int], tuple[Any, ...] | None]


class Reign(NamedTuple):
    """One key epoch: heads of `first_size` and more are this key's, until the next one begins."""

    seq: int  # the entry that names the key: `head.epoch`
    first_size: int
    key: VerifierKey  # its name is the origin
    since: int  # nanoseconds, `received` of that entry


def first(path: Path, rows: Sequence[tuple[Any, ...]]) -> Reign:
    """The epoch that the genesis (rows of GENESIS) names. Raises IntegrityError."""
    if not rows:
        raise does_not_hold(path, "has no genesis entry")
    fields, event = _read(path, *rows[0])
    key = _key(path, 0, event)
    if key.name != event.get("origin"):
        raise _broken(path, 0, "names two origins")
    return Reign(0, 1, key, timestamp.parse(str(fields.get("received"))))


def walk(
    path: Path, first: Reign, entries: Iterable[tuple[Any, ...]], head_at: HeadAt
) -> list[Reign]:
    """Every epoch, oldest first. Raises IntegrityError where the chain is broken.

    Args:
        first: what the genesis says.
        entries: rows of ENTRIES.
        head_at: a row of HEAD for a size, or None.
    """
    reigns, rows = [first], list(entries)
    tails = unsigned((row[0], row[3]) for row in rows)
    for seq, header, digest, body in rows:
        if any(seq in tail for tail in tails):
            continue
        reign = reigns[-1]
        fields, event = _read(path, seq, header, digest, body)
        key = _key(path, seq, event)
        if fields["action"] == "ledger.key":
            if key.name != reign.key.name or key == reign.key:
                raise _broken(path, seq, f"names the key {key} after {reign.key}")
            _check_head(path, reign, seq + 1, head_at(seq + 1))
            first_size = seq + 2
        else:
            if key.name != event.get("origin"):
                raise _broken(path, seq, "names two origins")
            first_size = seq + 1
        since = timestamp.parse(str(fields.get("received")))
        reigns.append(Reign(seq, first_size, key, since))
    return reigns


def unsigned(own: Iterable[tuple[int, Any]]) -> list[range]:
    """Entries that no head had covered when a recovery went on behind them: they have no force.

    Args:
        own: seq and body of own records, all `recover` entries among them.
    """
    tails: list[range] = []
    for seq, body in sorted(own, reverse=True):  # one in a tail says nothing of what is before it
        size = _recovered_from(body)
        if size is not None and not any(seq in tail for tail in tails):
            tails.append(range(max(size, 1), seq))
    return tails


def _recovered_from(body: Any) -> int | None:
    try:
        event = orjson.loads(body)["event"]
        size = event["size"] if event["name"] == "recover" else None
    except (ValueError, TypeError, KeyError):
        return None
    return size if type(size) is int else None


def at(reigns: list[Reign], size: int) -> Reign:
    """The epoch that a head of this size belongs to."""
    return next((one for one in reversed(reigns) if size >= one.first_size), reigns[0])


def _check_head(path: Path, reign: Reign, size: int, row: tuple[Any, ...] | None) -> None:
    """The head over a `key` entry: the last one of the key before."""
    if row is None:
        raise _broken(path, size - 1, "is covered by no head of its own")
    root, signature, epoch = row
    text = head_text(reign.key.name, size, root) if isinstance(root, bytes) else ""
    if epoch != reign.seq or not reign.key.verify(text.encode(), signature):
        raise _broken(path, size - 1, "names a key, and the key before did not sign for it")


def _read(
    path: Path, seq: int, header: Any, digest: Any, body: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header's fields and the body's event, once their hashes are found right."""
    if not isinstance(header, str) or hashlib.sha3_256(header.encode()).digest() != digest:
        raise _broken(path, seq, "does not have the hash stored beside it")
    fields = orjson.loads(header)
    if not isinstance(body, str):
        raise _broken(path, seq, "should name a key, and its body is gone")
    if (
        fields.get("seq") != seq
        or fields.get("body") != hashlib.sha3_256(body.encode()).hexdigest()
    ):
        raise _broken(path, seq, "does not have the body that its header states")
    try:
        event = orjson.loads(body)["event"]
        return fields, dict(event)
    except (ValueError, TypeError, KeyError) as exc:
        raise _broken(path, seq, "should name a key, and is no such record") from exc


def _key(path: Path, seq: int, event: dict[str, Any]) -> VerifierKey:
    try:
        return VerifierKey.parse(str(event.get("vkey")))
    except NoteError as exc:
        raise _broken(path, seq, f"names no verifier key: {exc}") from exc


def _broken(path: Path, seq: int, what: str) -> IntegrityError:
    return does_not_hold(path, f"entry {seq} {what}")
