"""The tree of a mirrored log, read from its tiles and believed only as far as its root reaches.

The hashes on the right edge together give the root; each full tile then gives one hash of the level
above. So what comes out of here is what the signed checkpoint covers, whoever serves the tiles.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product
from typing import TypeVar

from audit_receiver.errors import IntegrityError
from audit_receiver.mirror import bundles, layout
from audit_receiver.mirror.bundles import BundleError
from audit_receiver.mirror.layout import WIDTH, Piece
from audit_receiver.mirror.stores import Source
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.merkle import Frontier, fold

_MOST_EDGES = 256  # ways to put together the right edge, where a place holds several versions
_MOST_KEPT = 64  # tiles in memory
_T = TypeVar("_T")


class MissingPiece(IntegrityError):
    """An object that the checkpoint promises is not there."""


class WrongPiece(IntegrityError):
    """An object is there, and no version of it is what the checkpoint covers."""


class TileTree:
    """The tree under one checkpoint, whose signature the caller has checked."""

    def __init__(self, source: Source, checkpoint: Checkpoint) -> None:
        self._source = source
        self.checkpoint = checkpoint
        self._edge: dict[int, Sequence[bytes]] | None = None  # level -> hashes of its last tile
        self._kept: dict[tuple[int, int], Sequence[bytes]] = {}

    def hashes(self, level: int, index: int) -> Sequence[bytes]:
        """The hashes of one tile. Raises MissingPiece, WrongPiece, StoreError."""
        if (level, index) in self._kept:
            return self._kept[level, index]
        size = layout.count(level, self.checkpoint.size)
        if index == size // WIDTH:
            return self._right_edge()[level]
        above = self.hashes(level + 1, index // WIDTH)[index % WIDTH]
        found = self.piece(
            layout.tile_room(level),
            Piece(index, WIDTH),
            bundles.decode_tile,
            lambda hashes: fold(hashes) == above,
        )
        while len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[level, index] = found
        return found

    def root_at(self, size: int) -> bytes:
        """The root that this tree had when it was of this size (1 to now)."""
        frontier = Frontier()
        for level in reversed(layout.levels(size)):
            first = layout.count(level + 1, size) * WIDTH
            end = layout.count(level, size)
            if first < end:
                tile = self.hashes(level, first // WIDTH)
                for digest in tile[: end - first]:
                    frontier.graft(8 * level, digest)
        return frontier.root()

    def piece(
        self,
        room: str,
        piece: Piece,
        decode: Callable[[bytes, int], Sequence[_T]],
        is_right: Callable[[Sequence[_T]], bool],
    ) -> Sequence[_T]:
        """The newest version of an object that is right. Raises MissingPiece, WrongPiece."""
        wrong = ""
        for found in decoded(self._source, room, piece, decode):
            if isinstance(found, BundleError):
                wrong = str(found)
            elif is_right(found):
                return found
            else:
                wrong = "it does not give the hashes that the checkpoint covers"
        name = layout.key(room, piece)
        if wrong:
            raise WrongPiece(
                f"{self._source}: {name} is not what was signed (entries"
                f" {self._span(room, piece)}): {wrong}"
            )
        raise MissingPiece(
            f"{self._source}: {name} is not there, though the checkpoint of size"
            f" {self.checkpoint.size} covers it (entries {self._span(room, piece)})"
        )

    def _span(self, room: str, piece: Piece) -> str:
        level = int(room.removeprefix("tile/")) if room.removeprefix("tile/").isdigit() else 0
        return f"{piece.first << (8 * level)} to {(piece.end << (8 * level)) - 1}"

    def _right_edge(self) -> dict[int, Sequence[bytes]]:
        """The last, partial tile of each level, which together give the root."""
        if self._edge is not None:
            return self._edge
        size = self.checkpoint.size
        places = {
            level: Piece(layout.count(level, size) // WIDTH, layout.count(level, size) % WIDTH)
            for level in layout.levels(size)
        }
        held = {level: piece for level, piece in places.items() if piece.width}
        choices = [self._versions(level, piece) for level, piece in held.items()]
        for chosen in islice(product(*choices), _MOST_EDGES):
            edge = dict(zip(held, chosen, strict=True))
            if _root(edge) == self.checkpoint.root:
                self._edge = {level: edge.get(level, ()) for level in places}
                return self._edge
        names = ", ".join(layout.key(layout.tile_room(one), held[one]) for one in held)
        raise WrongPiece(
            f"{self._source}: {names} do not give the root of the checkpoint of size {size}"
        )

    def _versions(self, level: int, piece: Piece) -> list[Sequence[bytes]]:
        found: list[Sequence[bytes]] = []
        room = layout.tile_room(level)
        for hashes in decoded(self._source, room, piece, bundles.decode_tile):
            if not isinstance(hashes, BundleError) and hashes not in found:
                found.append(hashes)
        if not found:
            self.piece(room, piece, bundles.decode_tile, lambda _: False)
        return found


def decoded(
    source: Source, room: str, piece: Piece, decode: Callable[[bytes, int], Sequence[_T]]
) -> Iterator[Sequence[_T] | BundleError]:
    """Every version of an object; where a partial one is gone, the full one in its place."""
    there = False
    for raw in source.candidates(layout.key(room, piece)):
        there = True
        try:
            yield decode(raw, piece.width)
        except BundleError as exc:
            yield exc
    if there or piece.width == WIDTH:
        return
    for raw in source.candidates(layout.key(room, Piece(piece.place, WIDTH))):
        try:
            yield decode(raw, WIDTH)[: piece.width]
        except BundleError as exc:
            yield exc


def _root(edge: dict[int, Sequence[bytes]]) -> bytes:
    frontier = Frontier()
    for level in sorted(edge, reverse=True):
        for digest in edge[level]:
            frontier.graft(8 * level, digest)
    return frontier.root()
