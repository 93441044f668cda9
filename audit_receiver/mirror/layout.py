"""Where everything of a mirrored log lies: C2SP tlog-tiles, and our own bundles beside it.

`checkpoint`, `tile/<L>/<N>` and `tile/entries/<N>` are the specification's (c2sp.org/tlog-tiles);
the entries are the ledger's headers. `bodies/<N>` and `heads/<N>` are cut in the same way, and
`checkpoints/<size>` keeps each checkpoint for good. docs/mirror.md is the format's description.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

WIDTH = 256
CHECKPOINT = "checkpoint"
CHECKPOINTS = "checkpoints/"
ENTRIES, BODIES, HEADS = "tile/entries", "bodies", "heads"
_SIZE_DIGITS = 19  # so that the names sort as the sizes do
_CHECKPOINT_KEY = re.compile(rf"checkpoints/([0-9]{{{_SIZE_DIGITS}}})\Z")


class Piece(NamedTuple):
    """A run of leaves (or of hashes) that one object holds: `width` from `place` * 256 on."""

    place: int
    width: int

    @property
    def first(self) -> int:
        """The first position in it."""
        return self.place * WIDTH

    @property
    def end(self) -> int:
        """Behind the last position in it."""
        return self.first + self.width


def number(index: int) -> str:
    """tlog-tiles' spelling of an index: 1234067 is x001/x234/067."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    return "/".join(reversed(parts))


def key(room: str, piece: Piece) -> str:
    """The name of an object in one of the rooms ENTRIES, BODIES, HEADS or `tile_room(level)`."""
    partial = f".p/{piece.width}" if piece.width < WIDTH else ""
    return f"{room}/{number(piece.place)}{partial}"


def partial_folder(room: str, index: int) -> str:
    """The folder of the partial objects of one place."""
    return f"{room}/{number(index)}.p"


def tile_room(level: int) -> str:
    """The room of the tree's tiles of one level."""
    return f"tile/{level}"


def checkpoint_key(size: int) -> str:
    """Where the checkpoint of a size is kept for good."""
    return f"{CHECKPOINTS}{size:0{_SIZE_DIGITS}d}"


def checkpoint_size(name: str) -> int | None:
    """The size that a name under `checkpoints/` states, None if it is no such name."""
    match = _CHECKPOINT_KEY.match(name)
    return int(match[1]) if match else None


def pieces(old: int, size: int) -> Iterator[Piece]:
    """What is new in a sequence that grew from `old` to `size`; the last may be partial.

    A partial piece is written for the size that it ends with and for no other, so the one that
    `old` ended with is not the one that comes now.
    """
    if old >= size:
        return
    for index in range(old // WIDTH, size // WIDTH):
        yield Piece(index, WIDTH)
    if size % WIDTH:
        yield Piece(size // WIDTH, size % WIDTH)


def levels(size: int) -> range:
    """The levels at which a tree of this size has tiles."""
    return range((size.bit_length() + 7) // 8)


def count(level: int, size: int) -> int:
    """How many hashes there are at a level of a tree of this size."""
    return size >> (8 * level)
