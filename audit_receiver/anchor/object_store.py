"""Anchor `object_store`: each checkpoint, and the log, in a bucket that lets nobody take them back.

The checkpoint goes first, as an object of its own under S3 Object Lock in compliance mode; then the
log as C2SP tlog-tiles (`mirror`). Whether the bucket locks is asked before anything is put there,
and of each checkpoint whether its lock is really set: a server that loses the lock's headers would
otherwise pass for one that keeps them.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

from audit_receiver.anchor.model import AnchorError, Published, Token
from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger.reader import Reader
from audit_receiver.mirror import layout
from audit_receiver.mirror.s3 import Kept, S3Store
from audit_receiver.mirror.stores import StoreError
from audit_receiver.mirror.writer import ForkedMirror, MirrorWriter
from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError
from audit_receiver.tlog.note import Note, NoteError

KIND = "object"
_SHARE = 0.6  # of the timeout, after which the log goes on with the next checkpoint
_CLOSE_SECONDS = 4.0  # for what is left of the log at the end
_MOST_NOTES, _MOST_LOOKS = 3, 12
_LEEWAY = timedelta(seconds=1)
_log = logging.getLogger(__name__)


class ObjectStoreAnchor:
    """One prefix of a bucket, for one ledger.

    Args:
        store: with the retention that is asked for.
        log: whether the log goes there, too; with bodies or without.
        log_seconds: how often the log follows.
    """

    def __init__(
        self,
        name: str,
        store: S3Store,
        ledger: Path,
        log: bool,
        bodies: bool,
        log_seconds: float,
        timeout_seconds: float,
    ) -> None:
        self.name = name
        self._store = store
        self._ledger = ledger
        self._writer = MirrorWriter(store, bodies, self._has_time) if log else None
        self._log_seconds = log_seconds
        self._timeout = timeout_seconds
        self._busy = threading.Lock()  # a call that timed out may still be at work
        self._locks = False  # the bucket has been asked
        self._deadline = 0.0
        self._mirrored_at: float | None = None
        self._behind: Published | None = None  # what the log does not reach yet

    async def publish(self, published: Published) -> Sequence[Token]:
        """Keep the checkpoint, locked, and bring the log up to it. Raises AnchorError."""
        return await asyncio.to_thread(self._in_turn, published)

    async def newest(self) -> Sequence[str]:
        """The notes of the largest sizes, deleted and overwritten ones too, smallest first."""
        return await asyncio.to_thread(self._newest)

    async def close(self) -> None:
        """Bring the log up to the last checkpoint, if there is time for it."""
        if self._writer is not None and self._behind is not None:
            try:
                await asyncio.to_thread(self._last_turn, self._behind)
            except AnchorError as exc:
                _log.warning("anchor %s: the log is not complete there: %s", self.name, exc)

    def _in_turn(self, published: Published) -> Sequence[Token]:
        begun = time.monotonic()
        if not self._busy.acquire(timeout=self._timeout):
            raise AnchorError(f"{self._store}: the attempt before has not ended yet")
        try:
            self._deadline = begun + self._timeout * _SHARE
            self._ask_for_lock()
            token = self._keep(published)
            self._behind = published
            due = self._mirrored_at is None or begun >= self._mirrored_at + self._log_seconds
            if self._writer is not None and due:
                self._mirror(published, begun)
        except StoreError as exc:
            raise AnchorError(str(exc)) from exc
        finally:
            self._busy.release()
        return [token]

    def _last_turn(self, published: Published) -> None:
        if not self._busy.acquire(timeout=_CLOSE_SECONDS):
            return
        try:
            self._deadline = time.monotonic() + _CLOSE_SECONDS
            self._mirror(published, time.monotonic())
        except StoreError as exc:
            raise AnchorError(str(exc)) from exc
        finally:
            self._busy.release()

    def _ask_for_lock(self) -> None:
        if self._locks:
            return
        versions, lock = self._store.lock_state()
        if not versions or not lock:
            raise AnchorError(
                f"{self._store}: the bucket has {'versions' if versions else 'no versions'} and"
                f" {'Object Lock' if lock else 'no Object Lock'}, so what is put there can be taken"
                " back; nothing was put. Object Lock is chosen when a bucket is made: make one with"
                " it, or use the anchor `file`"
            )
        self._locks = True

    def _keep(self, published: Published) -> Token:
        """The checkpoint as an object of its own, and proof that it is locked."""
        key = layout.checkpoint_key(published.size)
        until = self._store.until()
        kept = self._store.keep(key, published.note.encode(), until)
        # Also where it was new: servers of some age put one over another.
        mine = self._compare(key, published)
        kept, least = (mine, self._store.now()) if kept is None else (kept, until - _LEEWAY)
        found = self._store.retained_until(kept)
        if found is None or found < least:
            self._locks = False
            raise AnchorError(
                f"{self._store}/{key}: was put with a lock until {until:%Y-%m-%d}, and the server"
                f" says {f'until {found:%Y-%m-%d}' if found else 'that it has none'}; it loses"
                " locks, so it proves nothing. Use a server that enforces Object Lock"
            )
        receipt = {
            "bucket": self._store.place.bucket,
            "etag": kept.etag,
            "key": self._store.place.prefix + key,
            "retain_until": found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version_id": kept.version_id,
        }
        return Token(KIND, json.dumps(receipt, sort_keys=True, separators=(",", ":")).encode())

    def _compare(self, key: str, published: Published) -> Kept:
        """Our version of it; every other one has to say the same."""
        mine: Kept | None = None
        for kept, data in self._store.all_versions(key):
            checkpoint = _checkpoint_of(data.decode("utf-8", "replace"))
            if data == published.note.encode():
                mine = kept
            elif checkpoint is not None and (
                (checkpoint.origin, checkpoint.root) != (published.origin, published.root)
            ):
                raise AnchorError(
                    f"{self._store}/{key}: there is another checkpoint of this size, of"
                    f" {checkpoint.origin} with the root {checkpoint.root.hex()}: another ledger"
                    " writes to this prefix, or this one was forked or recovered. Keep it; after a"
                    " recovery give the anchor a new prefix",
                    conflict=True,
                )
        if mine is None:
            raise AnchorError(f"{self._store}/{key}: was put, and is not there as it was put")
        return mine

    def _mirror(self, published: Published, begun: float) -> None:
        assert self._writer is not None
        try:
            with Reader(self._ledger) as reader:
                done = self._writer.bring_up(reader, published.note)
        except ForkedMirror as exc:
            raise AnchorError(f"{exc}; the checkpoint itself is kept", conflict=True) from exc
        except (IntegrityError, LedgerError) as exc:
            raise AnchorError(f"{exc}; the checkpoint itself is kept, the log is not") from exc
        if done.size >= published.size:
            self._mirrored_at, self._behind = begun, None
        else:
            _log.info("anchor %s: the log is on its way, %d objects", self.name, done.written)

    def _has_time(self) -> bool:
        return time.monotonic() < self._deadline

    def _newest(self) -> Sequence[str]:
        notes: list[str] = []
        looks = 0
        try:
            size = self._store.largest()
            while size is not None and len(notes) < _MOST_NOTES and looks < _MOST_LOOKS:
                looks += 1
                for _, data in self._store.all_versions(layout.checkpoint_key(size)):
                    note = data.decode("utf-8", "replace")
                    checkpoint = _checkpoint_of(note)
                    if checkpoint is not None and checkpoint.size == size and note not in notes:
                        notes.insert(0, note)
                size = self._store.largest(below=size)
        except StoreError as exc:
            raise AnchorError(str(exc)) from exc
        return notes


def _checkpoint_of(note: str) -> Checkpoint | None:
    try:
        return Checkpoint.parse(Note.parse(note).text)
    except (NoteError, CheckpointError):
        return None
