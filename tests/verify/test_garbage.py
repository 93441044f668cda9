"""Whatever a ledger holds, verification ends, says `tampered`, and stays short."""

import random
from typing import Any

import pytest

from audit_receiver.verify.report import VerifyReport
from tests.verify.scene import Scene, canonical, sha3

GARBAGE: list[Any] = [
    None,
    0,
    -1,
    2**63 - 1,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "text",
    "\x00",
    "\ud800",
    "null",
    "[]",
    "{}",
    "[" * 5000,
    '{"a":' * 2000,
    '{"seq":1,"seq":2}',
    '{"v":1}',
    '{"v":1e999}',
    '{"kind":"span"}',
    '{"kind":["span"]}',
    '{"event":{"name":{}},"kind":"ledger"}',
    '{"event":{"name":"genesis","time":0},"kind":"ledger"}',
    "1" * 5000,
    "9" * 400,
    b"",
    b"\xff\xfe",
    b"x" * 32,
    bytes(32),
    bytes(64),
    b'{"v":1}',
]


@pytest.fixture
def scene(original: Scene) -> Scene:
    """The first 287 entries, a state that once was: many verifications, each a quick one."""
    scene = original.copy()
    del scene.entries[287:]
    scene.heads = [row for row in scene.heads if row[0] <= 287]
    del scene.nodes[1:]
    return scene


def short(report: VerifyReport) -> bool:
    """Each finding is made of short texts, and there are few."""
    texts = [text for f in report.findings for text in (f.expected, f.found, f.message)]
    return len(report.findings) < 30 and all(len(text) <= 500 for text in texts)


@pytest.mark.parametrize("column", [1, 2, 3])
@pytest.mark.parametrize("seq", [0, 1, 200, 286])
def test_garbage_in_a_column_of_an_entry_is_a_finding(scene: Scene, seq: int, column: int) -> None:
    kept = scene.entries[seq][column]
    for value in GARBAGE:
        scene.entries[seq][column] = value
        report = scene.verify()
        assert report.verdict == "tampered", value
        assert short(report), value
        assert any(f.first == f.last == seq for f in report.findings), (value, report.findings)
        others = {f.kind for f in report.findings if f.first != seq or f.last != seq}
        assert others <= {"head"}, (value, report.findings)
    scene.entries[seq][column] = kept
    assert scene.verify().findings == ()


@pytest.mark.parametrize("seq", [0, 200])
def test_garbage_that_is_hashed_and_signed_anew_is_a_finding(scene: Scene, seq: int) -> None:
    kept = scene.entries[seq]
    for value in GARBAGE:
        if type(value) is not str or value == "\ud800":
            continue
        header = {**scene.header(seq), "body": sha3(value).hex()}
        scene.entries[seq] = [seq, canonical(header), sha3(canonical(header)), value]
        report = scene.verify()
        assert report.verdict == "tampered", value
        assert any(f.first == f.last == seq for f in report.findings), value
        scene.entries[seq] = [seq, value, sha3(value), scene.entries[seq][3]]
        report = scene.verify()
        assert report.verdict == "tampered", value
        assert ("canonical", seq, seq) in {(f.kind, f.first, f.last) for f in report.findings}
        scene.entries[seq] = kept


@pytest.mark.parametrize("column", [0, 1, 2, 3])
@pytest.mark.parametrize("place", [0, 20, -1])
def test_garbage_in_a_column_of_a_head_is_a_finding(scene: Scene, place: int, column: int) -> None:
    for value in GARBAGE:
        if scene.heads[place][column] == value and type(value) is not float:
            continue
        kept, scene.heads[place][column] = scene.heads[place][column], value
        report = scene.verify(every_head=True)
        assert report.verdict == "tampered", value
        assert short(report), value
        assert {f.kind for f in report.findings} <= {"head", "key", "missing"}
        scene.heads[place][column] = kept


@pytest.mark.parametrize("column", [0, 1, 2])
def test_garbage_in_a_column_of_a_node_is_a_finding(scene: Scene, column: int) -> None:
    for value in GARBAGE:
        if scene.nodes[0][column] == value:
            continue
        kept, scene.nodes[0][column] = scene.nodes[0][column], value
        report = scene.verify()
        assert {f.kind for f in report.findings} == {"index"}, value
        assert short(report), value
        scene.nodes[0][column] = kept


@pytest.mark.parametrize("value", [None, 1.5, "text", b"\xff", "7"])
def test_an_entry_without_a_number_is_a_finding(scene: Scene, value: object) -> None:
    scene.entries.append([value, *scene.entries[5][1:]])
    assert scene.found() == {("altered", None, None)}


@pytest.mark.parametrize("column", [0, 1, 2, 3])
def test_garbage_in_the_schema_is_a_finding(scene: Scene, column: int) -> None:
    rows = scene.schema
    for value in GARBAGE:
        if value is None and column == 3:
            continue
        changed = list(rows[2])
        changed[column] = value
        scene.schema = [*rows[:2], tuple(changed), *rows[3:]]
        report = scene.verify()
        assert {f.kind for f in report.findings} == {"schema"}, value
        assert short(report), value


def test_any_bytes_flipped_anywhere_are_found(scene: Scene) -> None:
    """Sixty random changes of one byte, in any row of any table."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for _ in range(60):
        table = rng.choice([scene.entries, scene.entries, scene.entries, scene.heads, scene.nodes])
        row = rng.choice(table)
        column = rng.choice([i for i, value in enumerate(row) if isinstance(value, str | bytes)])
        kept = row[column]
        place = rng.randrange(len(kept))
        if isinstance(kept, bytes):
            row[column] = kept[:place] + bytes([kept[place] ^ 1]) + kept[place + 1 :]
        else:
            row[column] = kept[:place] + chr(ord(kept[place]) ^ 1) + kept[place + 1 :]
        report = scene.verify(every_head=True)
        assert report.verdict == "tampered", (seed, row[0], column, place)
        places = {(f.first, f.last) for f in report.findings}
        assert len(places) <= 2, (seed, report.findings)  # the entry, and the heads over it
        row[column] = kept
    assert scene.verify().findings == ()


def test_findings_stay_few_however_bad_it_is(scene: Scene) -> None:
    for seq, row in enumerate(scene.entries):
        row[1 + seq % 3] = GARBAGE[seq % len(GARBAGE)]
    for place, head in enumerate(scene.heads):
        head[place % 4] = GARBAGE[place % len(GARBAGE)]
    for place, node in enumerate(scene.nodes):
        node[place % 3] = GARBAGE[place % len(GARBAGE)]
    report = scene.verify(every_head=True, notes=["garbage", "\x00", ""])
    assert report.verdict == "tampered"
    assert len(report.undecided) == 3
    assert report.as_dict()["findings"][0]["kind"]
