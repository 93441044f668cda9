"""Inclusion and consistency proofs against RFC 6962, Go, and every small tree there is."""

from collections.abc import Callable
from typing import Any

import pytest

from audit_receiver.tlog.merkle import fold, leaf_hash
from audit_receiver.tlog.proof import (
    ProofError,
    prove_consistency,
    prove_inclusion,
    root_from_inclusion,
    verify_consistency,
)
from tests.kit import reference
from tests.tlog.vectors import cases

DATA = [str(i).encode() for i in range(300)]
LEAVES = [leaf_hash(data) for data in DATA]
ROOTS = [reference.root(DATA[:size]) for size in range(257)]
SIZES = [*range(1, 65), 100, 127, 128, 129, 200, 255, 256]


def subtree(lo: int, hi: int) -> bytes:
    return fold(LEAVES[lo:hi])


def some(size: int) -> list[int]:
    """Every index of a small tree; of a larger one both ends, the middle and a spread."""
    if size <= 64:
        return list(range(size))
    return sorted({0, 1, size // 2, size - 2, size - 1, *range(0, size, 17)})


def test_every_inclusion_proof_is_the_one_of_the_definition() -> None:
    for size in SIZES:
        for index in some(size):
            path = prove_inclusion(index, size, subtree)
            assert path == reference.path(index, DATA[:size]), (index, size)
            assert root_from_inclusion(index, size, LEAVES[index], path) == ROOTS[size]


def test_every_consistency_proof_is_the_one_of_the_definition() -> None:
    for new in SIZES:
        for old in [1 + index for index in some(new)]:
            path = prove_consistency(old, new, subtree)
            assert path == reference.proof(old, DATA[:new]), (old, new)
            verify_consistency(old, new, ROOTS[old], ROOTS[new], path)


def test_no_inclusion_path_serves_another_index_or_leaf() -> None:
    for size in range(2, 20):
        for index in range(size):
            path = prove_inclusion(index, size, subtree)
            for other in range(size):
                if other != index:
                    assert not _leads_to(ROOTS[size], other, size, LEAVES[index], path)
                    assert not _leads_to(ROOTS[size], index, size, LEAVES[other], path)


def test_of_a_path_for_another_size_the_reference_thinks_the_same() -> None:
    for size in range(1, 20):
        for index in range(size):
            path = prove_inclusion(index, size, subtree)
            for other in range(index + 1, 24):
                expected = reference.included(index, other, DATA[index], path)
                assert _root(index, other, LEAVES[index], path) == expected, (index, size, other)


def test_of_a_consistency_path_for_other_sizes_the_reference_thinks_the_same() -> None:
    for new in range(1, 14):
        for old in range(1, new + 1):
            path = prove_consistency(old, new, subtree)
            for other_new in range(1, 16):
                for other_old in range(1, other_new + 1):
                    told = reference.extended(other_old, other_new, path, ROOTS[old])
                    holds = told == (ROOTS[old], ROOTS[new])
                    case = (old, new, other_old, other_new)
                    if other_old == other_new:
                        holds = holds and old == new
                    assert _extends(other_old, other_new, ROOTS[old], ROOTS[new], path) is holds, (
                        case
                    )


def test_any_changed_bit_of_a_path_is_noticed() -> None:
    path = prove_inclusion(37, 100, subtree)
    between = prove_consistency(37, 100, subtree)
    for place in range(len(path)):
        assert not _leads_to(ROOTS[100], 37, 100, LEAVES[37], _flip(path, place))
    for place in range(len(between)):
        assert not _extends(37, 100, ROOTS[37], ROOTS[100], _flip(between, place))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3), (5, 3)])
def test_no_inclusion_is_proven_for_a_leaf_outside(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"no leaf {index} in a tree of {size}"):
        prove_inclusion(index, size, subtree)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_no_consistency_is_proven_backwards_or_from_nothing(old: int, new: int) -> None:
    with pytest.raises(ValueError, match=f"no tree of {new} leaves extends one of {old}"):
        prove_consistency(old, new, subtree)


@pytest.mark.parametrize("case", cases("proof/go.json", "inclusion"))
def test_inclusion_proofs_made_by_go_hold(case: dict[str, Any]) -> None:
    index, size, leaf, path, root = _inclusion(case)
    assert root_from_inclusion(index, size, leaf, path) == root
    assert leaf == leaf_hash(str(index).encode())


@pytest.mark.parametrize("case", cases("proof/go.json", "consistency"))
def test_consistency_proofs_made_by_go_hold(case: dict[str, Any]) -> None:
    verify_consistency(*_consistency(case))


@pytest.mark.parametrize("case", cases("proof/inclusion.json", "refused"))
def test_a_wrong_inclusion_proof_is_refused(case: dict[str, Any]) -> None:
    index, size, leaf, path, root = _inclusion(case)
    if case["reason"] == "another root":
        assert root_from_inclusion(index, size, leaf, path) != root
        return
    with pytest.raises(ProofError) as caught:
        root_from_inclusion(index, size, leaf, path)
    assert case["reason"] in str(caught.value)


@pytest.mark.parametrize("case", cases("proof/consistency.json", "refused"))
def test_a_wrong_consistency_proof_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProofError) as caught:
        verify_consistency(*_consistency(case))
    assert case["reason"] in str(caught.value)


def test_refusals_are_many() -> None:
    assert len(cases("proof/inclusion.json", "refused")) >= 30
    assert len(cases("proof/consistency.json", "refused")) >= 25


def _inclusion(case: dict[str, Any]) -> tuple[int, int, bytes, list[bytes], bytes]:
    path = [bytes.fromhex(text) for text in case["path"]]
    leaf, root = bytes.fromhex(case["leaf"]), bytes.fromhex(case["root"])
    return case["index"], case["size"], leaf, path, root


def _consistency(case: dict[str, Any]) -> tuple[int, int, bytes, bytes, list[bytes]]:
    path = [bytes.fromhex(text) for text in case["path"]]
    roots = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
    return case["old"], case["new"], *roots, path


def _root(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    try:
        return root_from_inclusion(index, size, leaf, path)
    except ProofError:
        return None


def _leads_to(root: bytes, *claim: Any) -> bool:
    return _holds(lambda: _root(*claim) == root)


def _extends(old: int, new: int, old_root: bytes, new_root: bytes, path: list[bytes]) -> bool:
    return _holds(lambda: verify_consistency(old, new, old_root, new_root, path) is None)


def _holds(claim: Callable[[], bool]) -> bool:
    try:
        return claim()
    except ProofError:
        return False


def _flip(path: list[bytes], place: int) -> list[bytes]:
    changed = bytes([path[place][0] ^ 1]) + path[place][1:]
    return [*path[:place], changed, *path[place + 1 :]]
