"""Names and shares of tlog-tiles, by the examples that the specification gives."""

import pytest

from audit_receiver.mirror import layout
from audit_receiver.mirror.layout import Piece


@pytest.mark.parametrize(
    ("index", "name"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")],  # c2sp.org
)
def test_an_index_is_spelt_as_the_specification_spells_it(index: int, name: str) -> None:
    assert layout.number(index) == name


@pytest.mark.parametrize(
    ("size", "full", "partial"),
    [  # the first two are the specification's examples, the others follow from its formula
        (70_000, [273, 1, 0], [112, 17, 1]),
        (256, [1, 0], [0, 1]),
        (1, [0], [1]),
        (255, [0], [255]),
        (257, [1, 0], [1, 1]),
        (65_536, [256, 1, 0], [0, 0, 1]),
        (16_777_216, [65_536, 256, 1, 0], [0, 0, 0, 1]),
    ],
    ids=str,
)
def test_a_tree_has_the_tiles_that_the_specification_counts(
    size: int, full: list[int], partial: list[int]
) -> None:
    for level, (whole, rest) in enumerate(zip(full, partial, strict=True)):
        found = list(layout.pieces(0, layout.count(level, size)))
        assert sum(piece.width == 256 for piece in found) == whole
        assert [piece.width for piece in found if piece.width < 256] == ([rest] if rest else [])
    assert len(layout.levels(size)) == len(full)
    assert layout.levels(0) == range(0)


def test_growth_writes_what_is_new_and_no_partial_piece_twice() -> None:
    assert list(layout.pieces(300, 300)) == []
    assert list(layout.pieces(300, 400)) == [Piece(1, 144)]
    assert list(layout.pieces(300, 600)) == [Piece(1, 256), Piece(2, 88)]
    assert list(layout.pieces(256, 512)) == [Piece(1, 256)]


def test_names_of_partial_pieces_and_checkpoints() -> None:
    assert layout.key("tile/0", Piece(5, 256)) == "tile/0/005"
    assert layout.key("tile/entries", Piece(1000, 7)) == "tile/entries/x001/000.p/7"
    assert layout.checkpoint_key(70_000) == "checkpoints/0000000000000070000"
    assert layout.checkpoint_size("checkpoints/0000000000000070000") == 70_000
    for other in ("checkpoints/70000", "checkpoint", "checkpoints/000000000000007000x"):
        assert layout.checkpoint_size(other) is None
