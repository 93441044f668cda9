"""The rows of the threat analysis, each with the attacks or the tests that stand for it."""

from collections.abc import Mapping
from typing import Any

from tests.kit.attacks import CATALOGUE

# The first table of the threat analysis: attacks that were measured on a plain chained ledger.
MEASURED = [
    ("edit one record", "edit a body: middle"),
    ("edit a record and recompute its own hash", "edit a record and recompute its own hash"),
    ("delete a middle row", "delete entries: one"),
    ("swap two records", "swap two entries: far"),
    ("replay: append a copy of an old record", "append an old record again"),
    ("non-canonical JSON", "write a body that is not canonical: spaces"),
    ("a repeated key", "write a body that is not canonical: repeated key"),
    ("truncate, local heads left", "cut off the tail and leave the heads"),
    ("truncate with the later heads", "cut off the tail with its heads"),
    ("rewrite everything, heads dropped", "take everything over with another key: same name"),
    ("rewrite, sign with another key", "rewrite and sign with another key"),
    ("rewrite, sign with the stolen key", "rewrite and sign with the stolen key"),
    ("roll the file back", "put an older copy back"),
    ("delete the ledger, start afresh", "delete the ledger and begin another"),
    ("append a forged record by SQL", "append a forged record without the key"),
    ("redefine a generated column", "redefine: a generated column"),
    ("swap index root pages", "let indexes read each others pages"),
    ("replace the view people query", "redefine: the view people query"),
    ("drop a trigger", "drop a trigger: entry update"),
    ("delete all local heads", "change heads: all removed"),
]
# The second one: what an expert asks. Names of attacks, or a test where it takes a running service.
ASKED: list[tuple[int, str, list[str]]] = [
    (
        1,
        "edit, delete, insert, reorder inside covered history",
        [
            "edit a header: middle",
            "delete entries: a range",
            "insert an entry",
            "swap two entries: near",
            "rewrite without a key",
        ],
    ),
    (2, "truncation of the tail", ["cut off the tail with its heads", "delete entries: the last"]),
    (
        3,
        "truncation inside the anchor window",
        ["tests/verify/test_heads.py", "tests/anchor/test_publisher.py"],
    ),
    (
        4,
        "rewrite of everything from k",
        ["rewrite and sign with another key", "rewrite and sign with the stolen key"],
    ),
    (5, "rollback to an old copy", ["put an older copy back", "tests/ledger/test_outside.py"]),
    (
        6,
        "fork, split view",
        [
            "tests/witness/test_core.py",
            "tests/verify/test_checkpoints.py",
            "tests/ledger/test_access.py",
        ],
    ),
    (7, "replay of an old record", ["append an old record again", "tests/ledger/test_dedup.py"]),
    (
        8,
        "stolen signing key",
        ["rewrite and sign with the stolen key", "tests/ledger/test_rotation.py"],
    ),
    (
        9,
        "old entries sealed anew with a newer key",
        ["tests/standalone/test_ledgers.py", "tests/verify/test_epochs.py"],
    ),
    (
        10,
        "truncate and resume in an empty period",
        [
            "leave out a record and sign everything anew",
            "tests/ledger/test_heartbeat.py",
            "tests/anchor/test_publisher.py",
        ],
    ),
    (11, "clock set back or forward", ["set the clock back", "tests/ledger/test_clock.py"]),
    (
        12,
        "schema, trigger, view, column changed",
        [
            "drop a trigger: head delete",
            "redefine: a trigger",
            "redefine: a generated column",
            "drop a view: audit records",
        ],
    ),
    (13, "index or page lies", ["let indexes read each others pages", "damage pages"]),
    (14, "side tables that nobody hashes", ["add to the schema: table"]),
    (
        15,
        "malicious view in the file",
        ["put an endless view in a tables place: entry", "add to the schema: view"],
    ),
    (16, "copy without -wal", ["cut off the tail with its heads"]),
    (17, "file unlinked or replaced while running", ["tests/ledger/test_hands.py"]),
    (18, "ledger deleted", ["delete the ledger and begin another", "tests/ledger/test_outside.py"]),
    (
        19,
        "forged append with SQL",
        [
            "append a forged record without the key",
            "insert or replace",
            "tests/cli/test_write_once.py",
        ],
    ),
    (
        20,
        "denial of service to suppress records",
        ["tests/e2e/test_pressure.py", "tests/ledger/test_disk.py"],
    ),
    (21, "producer omits or lies", ["tests/ledger/test_streams.py"]),
    (22, "receiver filters what it should keep", ["tests/ledger/test_heartbeat.py"]),
    (23, "the verifier lies", ["tests/standalone/test_agreement.py"]),
    (24, "links checked, values not", ["edit an actor in body and subject", "edit a hash"]),
    (25, "two gaps told as one", ["delete entries: two ranges"]),
    (26, "guessing erased values", ["tests/record/test_body.py"]),
    (27, "ambiguous text", ["write bytes that are no text", "tests/record/test_canonical.py"]),
    (28, "reads unnoticed", ["tests/cli/test_readlog.py"]),
]
TESTS = {name for _, _, names in ASKED for name in names if name.startswith("tests/")}


def page(
    inside: Mapping[str, Any], outside: Mapping[str, Any], bearing: Mapping[str, list[str]]
) -> str:
    """The document; `inside` and `outside` are what verification says of each attack."""
    lines = [
        "# Attacks and layers",
        "",
        "Made by `tests/verify/test_attack_matrix.py`, which fails if a run gives anything else.",
        "Each attack is run on a copy of a real ledger of 570 entries and judged twice: with what"
        " lies in the file alone, and with the verifier key and a checkpoint from outside.",
        "`verify.py` says the same of every one of them (`tests/standalone/test_agreement.py`).",
        "",
        "Who: E engineer with read access, W code with SQL write access, R root, O the operator"
        " with the real key, N network client, P producer ([threat model](threat-model.md)).",
        "",
        "## Attacks measured on a plain chained ledger",
        "",
        "A chain in a file finds six of them.",
        "",
        "| attack | who | from inside | with key and checkpoint from outside | layers |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(words, name, inside, outside) for words, name in MEASURED]
    lines += [
        "| truncate inside the window behind the last outside checkpoint | R | nothing |"
        " nothing: exit 3 names what is not anchored | none; the window is bounded by"
        " `checkpoints` and `max_lag` |",
        "| edit a stored derived column | W | there is none: every column is generated | | |",
        "",
        "## What an expert asks",
        "",
        "| # | attack | stands for it | who | from inside | from outside | layers |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, words, names in ASKED:
        for name in names:
            lines.append(f"| {number} | {words} " + _asked(name, inside, outside))
    lines += [
        "",
        "## Each layer is load-bearing",
        "",
        "With the check of this layer alone switched off, these attacks pass; the run shows it for"
        " the first two of each.",
        "",
        "| layer | without it these pass |",
        "|---|---|",
    ]
    for layer, names in bearing.items():
        told = "; ".join(names[:4]) + (f"; {len(names) - 4} more" if len(names) > 4 else "")
        lines.append(f"| {layer} | {told} |")
    lines += ["", "## All attacks", "", "| attack | who | from inside | from outside | layers |"]
    lines += ["|---|---|---|---|---|"]
    lines += [_row(name, name, inside, outside) for name in CATALOGUE]
    return "\n".join(lines) + "\n"


def _row(words: str, name: str, inside: Mapping[str, Any], outside: Mapping[str, Any]) -> str:
    from_inside = inside[name].place or "nothing: exit 3"
    layers = ", ".join(outside[name].layers)
    return f"| {words} | {CATALOGUE[name].who} | {from_inside} | {outside[name].place} | {layers} |"


def _asked(name: str, inside: Mapping[str, Any], outside: Mapping[str, Any]) -> str:
    if name in TESTS:
        return f"| `{name}` | | | | |"
    return _row(name, name, inside, outside)
