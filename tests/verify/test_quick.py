"""The quick way accepts nothing that the slow way reports, and takes nearly all that holds."""

import contextlib
import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from audit_receiver.verify import quick
from audit_receiver.verify.content import Judge
from audit_receiver.verify.findings import Findings
from tests.verify.scene import Json, Scene, canonical, sha3

VALUES: list[Any] = [
    "", "x", "action", "failure", "success", "unknown", "a\\b", 'a"b', "a@b", "a\x7fb", "\u200b",
    "\U0001f600", "\u00fc", "x" * 121, "\u00fc" * 61, 0, 1, -1, 2**53, 2**63, 1.5, 4e-6, 1e-7, 1e16,
    2.0, True, False, None, [], ["a"], {}, {"a": 1}, {"$int": "9223372036854775807"},
    "0" * 64, "0" * 16, "A" * 16, "2026-01-01T00:00:00.000000000Z", "span", "log", "ledger",
    "audit", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.00000000\u0661Z",
    "2026-13-01T00:00:00.000000000Z", ["duplicate"], ["late", "late"], ["missing_time"],
    ["withheld_service"], ["b", "a"],
]  # fmt: skip
KEYS = [
    "action", "actor_type", "body", "duplicate_of", "environment", "event", "flags", "id", "kind",
    "outcome", "prev", "received", "seq", "service", "subject", "target_type", "tenant", "time",
    "v", "extra", "", "name", "start", "end", "attributes", "audit", "otlp", "resource", "actor",
    "target", "deployment.environment.name", "service.name", "type", "salt", "event_name",
    "observed_time",
]  # fmt: skip


def slow(seq: int, text: str, body: str, prev: str) -> list[str]:
    """What the slow way says of this entry."""
    findings = Findings()
    judge = Judge(findings)
    judge.begin(seq)
    head = judge.header(text, sha3(text))
    if head is not None and head.known:
        judge.body(head.fields, body, known=True)
        if (head.fields["seq"], head.fields["prev"]) != (seq, prev):
            findings.add("reordered", seq, seq, "another place")
        if head.fields["kind"] == "ledger":
            return ["an own record"]
    return [one.message for one in findings.sorted()] or ([] if head else ["no header"])


def spots(value: Any) -> list[dict[str, Any]]:
    """Every object inside a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [
        *([value] if isinstance(value, dict) else []),
        *(spot for one in inner for spot in spots(one)),
    ]


def changed(rng: random.Random, value: Json) -> Json:
    """A copy with a few members changed, added, removed or exchanged."""
    copy: Json = json.loads(json.dumps(value))
    for _ in range(rng.choice([1, 1, 2])):
        spot = rng.choice(spots(copy))
        name = rng.choice([*spot, *KEYS])
        match rng.randrange(4):
            case 0:
                spot.pop(name, None)
            case 1 if len(spot) > 1:
                one, other = rng.sample(sorted(spot), 2)
                spot[one], spot[other] = spot[other], spot[one]
            case _:
                spot[name] = deepcopy(rng.choice(VALUES))
    return copy


def fitting(header: Json, body: str) -> Json:
    """The header with the hashes of this body."""
    header = {**header, "body": sha3(body).hex()}
    with contextlib.suppress(KeyError, TypeError):
        header["subject"] = sha3(canonical(json.loads(body)["subject"])).hex()
    return header


def attempts(rng: random.Random, scene: Scene) -> tuple[int, str, str, str]:
    """An entry that was changed and hashed anew: its header, its body, or both."""
    row = rng.choice([row for row in scene.entries[1:] if '"kind":"ledger"' not in row[1]])
    seq, prev = row[0], scene.entries[row[0] - 1][2].hex()
    header, body = json.loads(row[1]), json.loads(row[3])
    text = row[3]
    if rng.random() < 0.7:
        text = canonical(changed(rng, body))
    header = fitting(header, text)
    if rng.random() < 0.6:
        header = changed(rng, header)
    return seq, canonical(header), text, prev


def test_the_quick_way_accepts_nothing_that_the_slow_way_reports(scene: Scene) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    accepted = 0
    for _ in range(6000):
        try:
            entry = attempts(rng, scene)
        except UnicodeEncodeError:
            continue
        if quick.told(*entry) is not None:
            accepted += 1
            assert slow(*entry) == [], (seed, entry)
    assert accepted > 100, "changes that nobody can mind were accepted"


def test_nearly_every_entry_goes_the_quick_way(original: Scene) -> None:
    rows = [row for row in original.entries if '"kind":"ledger"' not in row[1]]
    passed = [
        quick.told(row[0], row[1], row[3], original.entries[row[0] - 1][2].hex()) for row in rows
    ]
    assert passed.count(None) < len(rows) / 50
    for row, told in zip(rows, passed, strict=True):
        if told is not None:
            header = json.loads(row[1])
            expected = header["received"], header.get("action", ""), header["outcome"]
            assert told == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.update(environment="test"),
        lambda h: h.update(duplicate_of=3),
        lambda h: h.update(event="other"),
        lambda h: h.update(flags=["duplicate"]),
        lambda h: h.update(flags=["b", "a"]),
        lambda h: h.update(id="0" * 15 + "G"),
        lambda h: h.update(id="0" * 17),
        lambda h: h.update(received="2026-02-30T00:00:00.000000000Z"),
        lambda h: h.update(received="2026-01-01T00:00:00.000000000z"),
        lambda h: h.update(received="2026-01-01T00:00:00,000000000Z"),
        lambda h: h.update(v=2),
        lambda h: h.update(seq=7),
        lambda h: h.pop("flags"),
        lambda h: h.pop("id"),
        lambda h: h.pop("outcome"),
    ],
)
def test_a_header_that_says_more_less_or_other_is_left_to_the_slow_way(
    original: Scene, change: Callable[[Json], object]
) -> None:
    row, prev = original.entries[800], original.entries[799][2].hex()
    assert quick.told(800, row[1], row[3], prev) is not None
    header = json.loads(row[1])
    change(header)
    assert quick.told(800, canonical(header), row[3], prev) is None
    assert quick.told(800, row[1], row[3], "0" * 64) is None
    assert quick.told(801, row[1], row[3], prev) is None


@pytest.mark.parametrize("number", ["4e-6", "1e16", "1.0", "1E5", "1e+21", "-0.0", "100.0"])
def test_numbers_that_orjson_would_let_pass_are_left_to_the_slow_way(
    original: Scene, number: str
) -> None:
    row, prev = original.entries[800], original.entries[799][2].hex()
    body = row[3].replace('"attributes":{', f'"attributes":{{"a":{number},', 1)
    header = canonical(fitting(json.loads(row[1]), body))
    assert quick.told(800, header, body, prev) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('","kind":"', '" ,"kind":"'),
        ('","kind":"', '"x"kind":"'),
        ('],"id":"', '] ,"id":"'),
        ('"flags":[', '"flags": ['),
        ('"flags":[', '"f":1,"flags":['),
        ('","seq":', '","seq":0'),
        (',"v":1}', ',"v":1} '),
        ('{"action', ' {"action'),
        ('"received":"', '"received" :"'),
    ],
)
def test_a_header_written_in_another_way_is_left_to_the_slow_way(
    original: Scene, old: str, new: str
) -> None:
    row, prev = original.entries[800], original.entries[799][2].hex()
    assert row[1].count(old) == 1
    assert quick.told(800, row[1].replace(old, new), row[3], prev) is None


def test_a_repetition_that_its_header_hides_is_left_to_the_slow_way(original: Scene) -> None:
    row, prev = original.entries[800], original.entries[799][2].hex()
    body = canonical({**json.loads(row[3]), "duplicate_of": 3})
    header = canonical(fitting(json.loads(row[1]), body))
    assert slow(800, header, body, prev) == [
        "the header's `duplicate_of` is not what the body says"
    ]
    assert quick.told(800, header, body, prev) is None
