"""Brings a mirror up to a checkpoint: tiles and bundles first, `checkpoint` last.

A crash anywhere leaves what was valid before, and more objects than its checkpoint names. The next
run goes on from the size that `checkpoint` states, after comparing it with the ledger; what is
there already is compared, not written again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger.reader import Reader
from audit_receiver.mirror import bundles, layout
from audit_receiver.mirror.bundles import BundleError, SignedHead
from audit_receiver.mirror.layout import BODIES, ENTRIES, HEADS, WIDTH, Piece
from audit_receiver.mirror.permitted import is_lasting, named_in, ranges_of
from audit_receiver.mirror.stores import Store, newest
from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError
from audit_receiver.tlog.merkle import EMPTY_ROOT, fold, leaf_hash
from audit_receiver.tlog.note import Note, NoteError

AT_ONCE = 8  # objects that are written side by side
_ROUND = 64  # after which it is asked whether to go on
_TIDIED = 16
_ERASING = (
    "SELECT seq, header, body FROM main.entry WHERE kind = 'ledger'"
    " AND action IN ('ledger.erase', 'ledger.prune') AND seq >= ? AND seq < ? ORDER BY seq"
)


class Progress(NamedTuple):
    """How far a mirror is."""

    size: int  # of the log that lies there whole
    written: int  # objects that were new


class ForkedMirror(IntegrityError):
    """The place holds another history than the ledger, or objects that are not the ledger's."""


class MirrorWriter:
    """Writes one ledger to one place; remembers between runs how far it is.

    Args:
        bodies: whether bodies are mirrored; without them those that nobody may erase still are.
        go_on: asked now and then; False ends a run early, and the next one goes on from there.
    """

    def __init__(
        self, store: Store, bodies: bool = True, go_on: Callable[[], bool] = lambda: True
    ) -> None:
        self._store = store
        self._bodies = bodies
        self._go_on = go_on
        self._done = 0  # up to here whole pieces lie there, since this object knows it
        self._whole: int | None = None  # the size that the place's checkpoint states
        self._written = 0

    def bring_up(self, reader: Reader, note: str) -> Progress:
        """Mirror the log as far as this checkpoint.

        Raises StoreError (try again later), ForkedMirror, IntegrityError if the ledger does not
        give the checkpoint's root.
        """
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        subtree = reader.subtree(checkpoint.size)
        if subtree(0, checkpoint.size) != checkpoint.root:
            raise IntegrityError(
                f"{reader.path}: its first {checkpoint.size} entries do not give the root that was"
                " published; nothing was mirrored. Run `audit-receiver verify` on it"
            )
        self._written = 0
        old = self._agreed(reader, checkpoint)
        if old >= checkpoint.size:
            return Progress(old, 0)
        finished = self._put_all(self._objects(reader, old, checkpoint, subtree))
        if finished:
            self._erase(reader, old, checkpoint.size)
            self._keep(layout.checkpoint_key(checkpoint.size), note.encode())
            self._store.replace(layout.CHECKPOINT, note.encode())
            self._tidy(old, checkpoint.size)
            self._whole = self._done = checkpoint.size
        return Progress(self._whole or 0, self._written)

    def _agreed(self, reader: Reader, target: Checkpoint) -> int:
        """The size that the place has, once it is known to be of this history."""
        if self._whole is None:
            self._whole = 0
            raw = newest(self._store, layout.CHECKPOINT)
            if raw is not None:
                self._whole = self._compared(reader, target, raw)
        return self._whole

    def _compared(self, reader: Reader, target: Checkpoint, raw: bytes) -> int:
        try:
            there = Checkpoint.parse(Note.parse(raw.decode()).text)
        except (UnicodeDecodeError, NoteError, CheckpointError) as exc:
            raise ForkedMirror(
                f"{self._store}: its checkpoint is none of ours: {exc}. Mirror to an empty place"
            ) from exc
        known = min(target.size, there.size)
        root = reader.subtree(known)(0, known) if known else EMPTY_ROOT
        if there.size > reader.size() or (there.size == known and there.root != root):
            raise ForkedMirror(
                f"{self._store}: holds {there.size} entries of {there.origin} with the root"
                f" {there.root.hex()}; the ledger {reader.path} has {reader.size()} and is not what"
                " was mirrored there. One of the two was rolled back or forked: keep both"
            )
        return there.size

    def _objects(
        self,
        reader: Reader,
        old: int,
        checkpoint: Checkpoint,
        subtree: Callable[[int, int], bytes],
    ) -> Iterator[tuple[str, bytes]]:
        """Everything that a reader of the new checkpoint needs and the old one did not."""
        size = checkpoint.size
        done = max(old, self._done) // WIDTH * WIDTH
        for piece in layout.pieces(done, size):
            yield from self._leaves(reader, piece, subtree)
        for level in layout.levels(size)[1:]:
            span = 1 << (8 * level)
            for piece in layout.pieces(layout.count(level, old), layout.count(level, size)):
                hashes = [
                    subtree(at * span, (at + 1) * span) for at in range(piece.first, piece.end)
                ]
                yield layout.key(layout.tile_room(level), piece), b"".join(hashes)

    def _leaves(
        self, reader: Reader, piece: Piece, subtree: Callable[[int, int], bytes]
    ) -> Iterator[tuple[str, bytes]]:
        """Hashes, headers, bodies and heads of up to 256 entries."""
        rows = list(reader.entries(piece.first, piece.end))
        headers = [row[1].encode() for row in rows]
        hashes = [leaf_hash(header) for header in headers]
        if len(rows) != piece.width or fold(hashes) != subtree(piece.first, piece.end):
            raise IntegrityError(
                f"{reader.path}: entries {piece.first} to {piece.end - 1} are not what its tree"
                " says; the mirror stays as it was. Run `audit-receiver verify` on it"
            )
        yield layout.key(ENTRIES, piece), bundles.encode_entries(headers)
        yield layout.key(BODIES, piece), bundles.encode_bodies(map(self._shown, rows))
        heads = reader.heads(piece.first + 1, piece.end + 1)
        signed = (SignedHead(row[0], row[2]) for row in heads)
        yield layout.key(HEADS, piece), bundles.encode_heads(signed)
        yield layout.key(layout.tile_room(0), piece), b"".join(hashes)

    def _shown(self, row: Sequence[object]) -> str | None:
        body = row[3]
        if not isinstance(body, str) or not (self._bodies or is_lasting(str(row[1]))):
            return None
        return body

    def _put_all(self, objects: Iterable[tuple[str, bytes]]) -> bool:
        """Write them side by side, in rounds; False if it was to end early."""
        coming = iter(objects)
        begun = False
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mirror") as pool:
            while some := list(islice(coming, _ROUND)):
                if begun and not self._go_on():
                    return False
                begun = True
                self._written += sum(pool.map(lambda one: self._keep(*one), some))
                whole = [_end(key) for key, _ in some if key.startswith(layout.tile_room(0))]
                self._done = max([self._done, *whole])
        return True

    def _keep(self, key: str, data: bytes) -> bool:
        """Put an object; what lies under its name already must be the same. Whether it was new."""
        if self._store.put(key, data):
            return True
        there = newest(self._store, key)
        if there is None:  # it is there, and cannot be seen: a delete marker hides it
            self._store.replace(key, data)
        elif there != data and not _alike(key, there, data):
            raise ForkedMirror(
                f"{self._store}: {key} is there already and is not what the ledger gives;"
                " somebody else writes there, or changed it. Keep it, and mirror to an empty place"
            )
        return False

    def _erase(self, reader: Reader, old: int, size: int) -> None:
        """Take out of bundles what new entries say is to be erased, where that can be done."""
        if self._store.keeps_for_good or not self._bodies:
            return
        touched: set[int] = set()
        for first, last in _erasing(reader, old, size):
            touched.update(range(first // WIDTH, last // WIDTH + 1))
        named = named_in(_erasing(reader, 0, size)) if touched else named_in(())
        for index in sorted(touched):
            piece = Piece(index, min(WIDTH, size - index * WIDTH))
            bodies = [
                self._shown(row) if not named(row[0]) or is_lasting(row[1]) else None
                for row in reader.entries(piece.first, piece.end)
            ]
            self._store.replace(layout.key(BODIES, piece), bundles.encode_bodies(bodies))
            rest = "" if piece.width == WIDTH else str(piece.width)
            self._store.drop(layout.partial_folder(BODIES, index), keep=rest)

    def _tidy(self, old: int, size: int) -> None:
        """Drop partial objects: those that a full one replaced, and older bodies at once."""
        if self._store.keeps_for_good:
            return
        whole = range(old // WIDTH, size // WIDTH)
        for index in whole[:_TIDIED]:  # partial ones are where a run ended, so not in later ones
            for room in (ENTRIES, BODIES, HEADS, layout.tile_room(0)):
                self._store.drop(layout.partial_folder(room, index))
        if rest := size % WIDTH:
            self._store.drop(layout.partial_folder(BODIES, size // WIDTH), keep=str(rest))
        for level in layout.levels(size)[1:]:
            first, end = layout.count(level + 1, old), layout.count(level + 1, size)
            for index in range(first, end):
                self._store.drop(layout.partial_folder(layout.tile_room(level), index))


def _erasing(reader: Reader, first: int, end: int) -> list[tuple[int, int]]:
    """What the erase and prune entries with first <= seq < end name."""
    _, rows = reader.select(_ERASING, (first, end))
    return [span for row in rows for span in ranges_of(*row)]


def _end(key: str) -> int:
    """The end of a level 0 tile by its name."""
    name, _, width = key.partition(".p/")
    index = int("".join(part.removeprefix("x") for part in name.split("/")[2:]))
    return index * WIDTH + (int(width) if width else WIDTH)


def _alike(key: str, there: bytes, ours: bytes) -> bool:
    """Whether two bundles of bodies say the same, but for what one of them no longer has."""
    if not key.startswith(f"{BODIES}/"):
        return False
    _, _, width = key.partition(".p/")
    wanted = int(width) if width else WIDTH
    try:
        pairs = zip(
            bundles.decode_bodies(there, wanted), bundles.decode_bodies(ours, wanted), strict=True
        )
    except BundleError:
        return False
    return all(one == other or one is None or other is None for one, other in pairs)
