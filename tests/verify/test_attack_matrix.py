"""The table of docs/attack-matrix.md is what this run gives: attack by layer, verdict and place.

A layer is load-bearing if with its check switched off an attack passes; each is shown to be.
`WRITE_ATTACK_MATRIX=1` writes the table anew.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from audit_receiver.verify import assurance
from audit_receiver.verify.findings import Finding, Findings
from tests.cli.conftest import Populated, Result, command, populated
from tests.kit import matrix_rows
from tests.kit.attacker import copy_of, stolen_key
from tests.kit.attacks import CATALOGUE, Victim

__all__ = ["command", "populated"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attack-matrix.md"
Command = Callable[..., Result]

# How each layer speaks: kind of finding, and how its message begins ("" is any).
LAYERS: dict[str, list[tuple[str, str]]] = {
    "chain": [
        *[("altered", "the header does not have the hash"), ("missing", "entries are gone")],
        *[("altered", "what follows does not"), ("altered", "the later entry does not")],
        *[("inserted", ""), ("reordered", "")],
    ],
    "body hash": [("altered", "the body"), ("canonical", "the body does not have the parts")],
    "canonical text": [("canonical", "")],
    "header follows from body": [("altered", "the header's `")],
    "authorised erasure": [("body_missing", "")],
    "heartbeats": [("missing", "the heartbeat"), ("altered", "the heartbeat")],
    "clock": [("time", "")],
    "tree": [("head", "the head of size"), ("head", "")],
    "signatures": [("head", "heads of this range are not signed")],
    "head in every commit": [("head", "no signed head")],
    "key epochs": [("key", "heads name another")],
    "stored nodes": [("index", "a stored tree node"), ("index", "integrity_check: tree node")],
    "checkpoints kept inside": [
        ("truncated", "the ledger keeps"),
        ("forked", "a stored"),
        ("head", "a stored"),
    ],
    "schema": [("schema", "")],
    "integrity_check": [("index", "integrity_check")],
    "readable, and only tables": [("unreadable", "")],
    "outside key": [("key", "the ledger names another key")],
    "outside checkpoint": [("forked", ""), ("rolled_back", ""), ("truncated", "")],
}
ORDER = [  # the more particular first, so that each finding is of one layer
    *("signatures", "head in every commit", "checkpoints kept inside", "heartbeats"),
    *("stored nodes", "outside key", "key epochs", "header follows from body", "chain"),
    *LAYERS,
]


def layer_of(finding: dict[str, Any]) -> str:
    for layer in ORDER:
        for kind, begin in LAYERS[layer]:
            if finding["kind"] == kind and finding["message"].startswith(begin):
                return layer
    raise AssertionError(f"no layer says {finding}")


GIVEN = ("", "key", "both")  # what comes from outside


class Run(NamedTuple):
    verdict: str
    place: str
    layers: list[str]


@pytest.fixture
def judge(command: Command, populated: Populated, tmp_path: Path) -> Callable[..., Run]:
    """Run an attack on a copy and verify it, with or without what comes from outside."""
    made: dict[str, Path] = {}

    def run(name: str, given: str) -> Run:
        if name not in made:
            folder = tmp_path / str(len(made))
            folder.mkdir()
            made[name] = copy_of(populated.path, folder)
            key = stolen_key(populated.path)
            CATALOGUE[name].run(Victim(made[name], key, populated.early, commit=10))
        note = populated.notes[populated.size]
        words = {"": [], "key": ["--vkey", populated.vkey]}.get(given)
        words = ["--vkey", populated.vkey, "--checkpoint", note] if words is None else words
        report = command("verify", made[name], "--every-head", *words, "--format", "json").json()
        places = [
            f"{one['kind']} {place(one)}".strip()
            for one in report["findings"]
            if one["kind"] != "schema"
        ]
        kinds = ["schema"] * any(one["kind"] == "schema" for one in report["findings"])
        layers = sorted({layer_of(one) for one in report["findings"]}, key=list(LAYERS).index)
        return Run(report["verdict"], ", ".join(dict.fromkeys(kinds + places)), layers)

    return run


def place(finding: dict[str, Any]) -> str:
    first, last = finding["first"], finding["last"]
    if first is None:
        return ""
    return str(first) if first == last else f"{first} to {'the end' if last is None else last}"


def switch_off(monkeypatch: pytest.MonkeyPatch, layer: str) -> None:
    """What the checks of this layer find is not heard by anything behind them."""
    heard = Findings.sorted

    def sorted_(self: Findings) -> list[Finding]:
        return [one for one in heard(self) if layer_of(asdict(one)) != layer]

    monkeypatch.setattr(Findings, "sorted", sorted_)
    if layer == "outside key":  # it is heard twice: what it does not vouch for is not judged either
        monkeypatch.setattr(assurance, "unjudged", lambda _: [])


def test_the_table_is_what_the_attacks_give(
    judge: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {given: {name: judge(name, given) for name in CATALOGUE} for given in GIVEN}
    assert {one.verdict for one in said["both"].values()} == {"tampered"}
    bearing: dict[str, dict[str, str]] = {layer: {} for layer in LAYERS}
    for given, runs in said.items():
        for name, run in runs.items():
            if len(run.layers) == 1:
                bearing[run.layers[0]].setdefault(name, given)
    for layer, alone in bearing.items():
        for name, given in list(alone.items())[:2]:  # it passes without this layer
            with monkeypatch.context() as patch:
                switch_off(patch, layer)
                given = "" if layer == "outside key" else given  # off: nobody gives one
                assert judge(name, given).verdict.startswith("intact"), (layer, name)
    lone = [layer for layer, alone in bearing.items() if not alone]
    assert lone == []
    text = matrix_rows.page(
        said[""], said["both"], {layer: [*alone] for layer, alone in bearing.items()}
    )
    if os.environ.get("WRITE_ATTACK_MATRIX"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "WRITE_ATTACK_MATRIX=1 writes it anew"


@pytest.mark.parametrize("path", sorted(matrix_rows.TESTS))
def test_the_tests_that_the_table_names_exist(path: str) -> None:
    assert (PAGE.parents[1] / path).exists()
