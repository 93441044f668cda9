"""Attacks on the rows of a ledger: each is found, named, located, and drags no others along."""

import pytest

from tests.verify.scene import Json, Scene, canonical, other_actor, sha3

K = 400  # inside the commit of 300: entries 287 to 586
J = 800  # inside a commit of 7: entries 796 to 802
TAIL = 1050  # the last entry


def relabel(header: Json) -> None:
    header["outcome"] = "failure" if header["outcome"] == "success" else "success"


def test_nothing_done_holds(scene: Scene) -> None:
    report = scene.verify(pinned=scene.vkey, every_head=True)
    assert (report.verdict, report.findings) == ("intact_unanchored", ())
    assert (report.size, report.unanchored) == (1051, 1040)
    assert report.root == scene.heads[-1][1].hex()
    assert report.heads_checked == report.signatures_checked == len(scene.heads)
    spread = scene.verify()
    assert spread.heads_checked == len(scene.heads) > spread.signatures_checked > 80


# ---- one row -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [0, 1, K, J, TAIL])
def test_an_edited_body_is_one_finding(scene: Scene, seq: int) -> None:
    scene.edit_body(seq, lambda body: body.update(salt="0" * 32))
    assert scene.found() == {("altered", seq, seq)}


@pytest.mark.parametrize("seq", [0, 1, K, J])
def test_an_edited_header_is_one_finding_and_the_heads_over_it(scene: Scene, seq: int) -> None:
    scene.edit_header(seq, lambda header: header.update(received="2026-09-21T14:13:20.400000000Z"))
    found = scene.found()
    assert ("altered", seq, seq) in found
    [(_, first, last)] = found - {("altered", seq, seq)}
    assert first <= seq <= last
    assert last - first < 600, "the heads behind the next stored nodes hold again"
    assert {kind for kind, _, _ in found} == {"altered", "head"}


def test_an_edited_hash_is_one_finding(scene: Scene) -> None:
    scene.entries[J][2] = bytes(32)
    assert scene.found() == {("altered", J, J)}


def test_a_header_edited_and_rehashed_is_found_by_what_follows(scene: Scene) -> None:
    scene.edit_header(J, relabel, rehash=True)
    report = scene.verify()
    altered = [(f.first, f.last) for f in report.findings if f.kind == "altered"]
    assert set(altered) == {(J, J)}
    assert any("does not continue" in f.message for f in report.findings)


@pytest.mark.parametrize("seq", range(97 * 8 - 3, 97 * 8 + 3))
def test_a_doubt_at_the_seam_of_two_pieces_is_settled(scene: Scene, seq: int) -> None:
    """Pieces of 97 entries are judged apart as well (Scene.verify)."""
    scene.edit_header(seq, relabel, rehash=True)
    assert {f for f in scene.found() if f[0] == "altered"} == {("altered", seq, seq)}


def test_a_link_edited_and_rehashed_names_the_entry_that_has_it(scene: Scene) -> None:
    scene.edit_header(J, lambda header: header.update(prev="a" * 64), rehash=True)
    altered = {f for f in scene.found() if f[0] == "altered"}
    assert altered == {("altered", J, J)}


def test_the_last_entry_edited_and_rehashed_names_the_last_two(scene: Scene) -> None:
    scene.edit_header(TAIL, lambda header: header.update(prev="a" * 64), rehash=True)
    assert ("altered", TAIL - 1, TAIL) in scene.found()


@pytest.mark.parametrize("seqs", [(K,), (J, J + 1), (J, J + 2), (290, 800)])
def test_edits_in_several_places_are_each_named(scene: Scene, seqs: tuple[int, ...]) -> None:
    for seq in seqs:
        scene.edit_body(seq, other_actor)
        scene.edit_header(seq, relabel)
    altered = {seq for k, lo, hi in scene.found() if k == "altered" for seq in range(lo, hi + 1)}
    assert altered == set(seqs)


def test_a_thousand_edits_side_by_side_are_one_range(scene: Scene) -> None:
    for seq in range(20, 1020):
        scene.entries[seq][2] = bytes(32)
    assert scene.found() == {("altered", 20, 1019)}


@pytest.mark.parametrize("seq", [0, TAIL - 1])
def test_a_time_that_goes_back_or_stands_still_is_found(scene: Scene, seq: int) -> None:
    header = scene.header(TAIL)
    header["received"] = scene.header(seq)["received"]
    scene.entries[TAIL][1] = canonical(header)
    scene.entries[TAIL][2] = sha3(canonical(header))
    scene.regrow()
    scene.resign()
    assert scene.found() == {("time", TAIL, TAIL)}


def test_a_records_time_that_stands_still_is_found(scene: Scene) -> None:
    received = scene.header(J - 1)["received"]
    scene.edit_header(J, lambda header: header.update(received=received))
    scene.rechain(J)
    scene.regrow()
    scene.resign()
    assert scene.found() == {("time", J, J)}


# ---- bodies that are gone ------------------------------------------------------------------------


def test_bodies_gone_without_authority_are_ranges(scene: Scene) -> None:
    for seq in (K, K + 1, K + 2, J):
        scene.entries[seq][3] = None
    assert scene.found() == {("body_missing", K, K + 2), ("body_missing", J, J)}


def test_bodies_gone_with_authority_hold(scene: Scene) -> None:
    scene.own("erase", ranges=[[K, K + 1]])
    scene.own("prune", ranges=[[K + 2, K + 2], [J, J + 3]])
    for seq in (K, K + 1, K + 2, J, J + 3):
        scene.entries[seq][3] = None
    assert scene.verify().findings == ()


@pytest.mark.parametrize(
    "ranges",
    [
        [[K + 1, K + 5]],
        [[0, K - 1], [K + 1, 1050]],
        [[K, K - 1]],
        [K, K],
        [[str(K), str(K)]],
        [[K]],
        [[True, K]],
        [[K, K, K]],
        {"0": [K, K]},
        None,
        "all",
    ],
)
def test_a_range_that_does_not_name_the_entry_allows_nothing(scene: Scene, ranges: object) -> None:
    scene.own("erase", ranges=ranges)
    scene.entries[K][3] = None
    assert scene.found() == {("body_missing", K, K)}


def test_an_erase_entry_allows_nothing_behind_itself(scene: Scene) -> None:
    scene.own("erase", ranges=[[0, 2000]])
    seq = scene.append({**scene.header(J), "received": scene.next_time()}, scene.body(J))
    assert scene.verify().findings == ()
    scene.entries[seq][3] = None
    assert scene.found() == {("body_missing", seq, seq)}


def test_an_erase_entry_under_no_head_allows_nothing(scene: Scene) -> None:
    authority = scene.own("erase", head=False, ranges=[[K, K]])
    scene.entries[K][3] = None
    assert scene.found() == {("body_missing", K, K), ("head", authority, authority)}


def test_the_bodies_that_the_ledger_rests_on_cannot_be_erased(scene: Scene) -> None:
    scene.own("erase", ranges=[[0, 1050]])
    for seq in (0, 1, 2):  # genesis, start, config
        scene.entries[seq][3] = None
    found = scene.found()
    assert ("body_missing", 0, 0) in found
    allowed = scene.header(1)["action"] == "ledger.start"
    assert (("body_missing", 1, 1) in found) is not allowed


# ---- rows removed, moved, put in -----------------------------------------------------------------


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 1), (K, K), (J, J + 20), (5, 900)])
def test_deleted_entries_are_one_range(scene: Scene, first: int, last: int) -> None:
    del scene.entries[first : last + 1]
    found = scene.found()
    assert ("missing", first, last) in found
    assert {kind for kind, _, _ in found} <= {"missing", "head"}


def test_behind_a_deleted_entry_the_heads_hold_again(scene: Scene) -> None:
    del scene.entries[300]
    found = scene.found()
    assert found == {("missing", 300, 300), ("head", 287, 586)}


@pytest.mark.parametrize("first", [TAIL, 1044, 600, 0])
def test_a_tail_gone_with_its_heads_left_is_missing(scene: Scene, first: int) -> None:
    del scene.entries[first:]
    found = scene.found()
    assert ("missing", first, TAIL) in found
    assert {kind for kind, _, _ in found} <= {"missing", "head"}


@pytest.mark.parametrize(("one", "other"), [(K, K + 1), (K, K + 2), (K, J), (J, TAIL), (1, 2)])
def test_swapped_entries_are_named_and_no_others(scene: Scene, one: int, other: int) -> None:
    entries = scene.entries
    entries[one][1:], entries[other][1:] = entries[other][1:], entries[one][1:]
    found = {f for f in scene.found() if f[0] != "head"}
    moved = {seq for kind, lo, hi in found if kind == "reordered" for seq in range(lo, hi + 1)}
    assert moved == {one, other}
    assert {kind for kind, _, _ in found} == {"reordered"}


@pytest.mark.parametrize("count", [1, 3])
def test_entries_put_in_are_named_and_not_those_behind(scene: Scene, count: int) -> None:
    forged = []
    prev = scene.entries[K - 1][2].hex()
    for seq in range(K, K + count):
        header = {**scene.header(J), "seq": seq, "prev": prev}
        header["received"] = scene.header(K - 1)["received"]
        text = canonical(header)
        forged.append([seq, text, sha3(text), scene.entries[J][3]])
        prev = sha3(text).hex()
    scene.entries[K:K] = forged
    for seq, row in enumerate(scene.entries):
        row[0] = seq
    found = scene.found()
    assert ("inserted", K, K + count - 1) in found
    others = {f for f in found if f[0] not in ("head", "time") and f[1] < 1051}
    assert others == {("inserted", K, K + count - 1)}


def test_rows_moved_up_over_a_deleted_one_name_the_deleted_one(scene: Scene) -> None:
    del scene.entries[J : J + 2]
    for seq, row in enumerate(scene.entries):
        row[0] = seq
    found = {f for f in scene.found() if f[0] != "head"}
    assert found == {("missing", J, J + 1), ("missing", 1049, 1050)}


def test_an_old_entry_appended_again_is_found(scene: Scene) -> None:
    scene.entries.append([1051, *scene.entries[J][1:]])
    assert scene.found() == {("reordered", 1051, 1051), ("head", 1051, 1051)}


def test_an_entry_appended_without_the_key_is_found(scene: Scene) -> None:
    seq = scene.own("start", head=False)
    assert scene.found() == {("head", seq, seq)}


def test_an_entry_far_beyond_the_end_is_put_in_and_nothing_is_missing(scene: Scene) -> None:
    scene.entries.append([2**60, *scene.entries[J][1:]])
    report = scene.verify()
    assert ("inserted", 2**60, 2**60) in {(f.kind, f.first, f.last) for f in report.findings}
    assert "missing" not in {f.kind for f in report.findings}
    assert report.root == "", "nobody can compute it"


def test_an_entry_before_the_first_is_put_in(scene: Scene) -> None:
    scene.entries.insert(0, [-1, *scene.entries[J][1:]])
    assert scene.found() == {("inserted", -1, -1)}


def test_an_emptied_ledger_is_missing(scene: Scene) -> None:
    scene.entries.clear()
    assert ("missing", 0, TAIL) in scene.found()
    scene.heads.clear()
    assert ("missing", 0, 0) in scene.found()
