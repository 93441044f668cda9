"""What anchors read from the ledger: consistency proofs, its size, its origin, its log key."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from audit_receiver.anchor.model import AnchorError
from audit_receiver.errors import LedgerError
from audit_receiver.ledger.keys import LedgerFiles, read_vkey
from audit_receiver.ledger.reader import Reader
from audit_receiver.tlog.proof import prove_consistency

_T = TypeVar("_T")
_NEWEST = "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1"


class Proving:
    """Reads one ledger, each time anew and in a thread. Every method raises AnchorError."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._last: tuple[int, int, Sequence[bytes]] = (0, 0, ())

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """The proof that the tree of `new` entries extends that of `old`; () from nothing on.

        Several witnesses want the same one at the same time: it is read once.
        """
        if old in (0, new):
            return ()
        return await self._read(lambda reader: self._consistency(reader, old, new))

    async def size(self) -> int:
        """How many entries there are."""
        return await self._read(lambda reader: reader.size())

    async def origin(self) -> str:
        """The ledger's newest origin; without a ledger the one of the key beside it; else ""."""
        if self._ledger.exists():
            return await self._read(_origin)
        try:
            vkey = await asyncio.to_thread(read_vkey, LedgerFiles.beside(self._ledger))
        except LedgerError:
            return ""
        return vkey.name if vkey is not None else ""

    async def log_key(self, origin: str) -> str:
        """The log key of an origin as the ledger names it, for an error's mend."""
        return await self._read(lambda reader: _log_key(reader, origin))

    def _consistency(self, reader: Reader, old: int, new: int) -> Sequence[bytes]:
        with self._lock:
            if self._last[:2] != (old, new):
                self._last = old, new, prove_consistency(old, new, reader.subtree(new))
            return self._last[2]

    async def _read(self, call: Callable[[Reader], _T]) -> _T:
        def read() -> _T:
            with Reader(self._ledger) as reader:
                return call(reader)

        try:
            return await asyncio.to_thread(read)
        except LedgerError as exc:
            raise AnchorError(f"the ledger could not be read for a proof: {exc}") from exc


def _origin(reader: Reader) -> str:
    try:
        rows = list(reader.select(_NEWEST)[1])
    except LedgerError:  # a ledger of the first schema has no such table
        rows = []
    if rows and isinstance(rows[0][0], str):
        return rows[0][0].partition("\n")[0]
    return str(reader.genesis().event.get("origin", ""))


def _log_key(reader: Reader, origin: str) -> str:
    sql = (
        "SELECT json_extract(body, '$.event.log_vkey') FROM ledger_events"
        " WHERE action IN ('ledger.genesis', 'ledger.recover')"
        " AND json_extract(body, '$.event.origin') = ? ORDER BY seq DESC LIMIT 1"
    )
    for (key,) in reader.select(sql, (origin,))[1]:
        if isinstance(key, str):
            return key
    return f"log_vkey of the genesis entry of {origin}"
