"""Docs that fail: links, names, metrics, flags and commands in prose are checked."""

import importlib
import re
from pathlib import Path

import click
import pytest

from audit_receiver import telemetry
from audit_receiver.cli.main import cli
from audit_receiver.record import flags

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ALL_TEXT = "\n".join(path.read_text() for path in DOCS)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_no_document_claims_what_nothing_can_keep() -> None:
    claim = re.search(r"tamper.?proof|makes? you compliant", ALL_TEXT, re.IGNORECASE)
    allowed = "no tool makes you compliant"
    text = ALL_TEXT.replace(allowed, "")
    assert claim is None or not re.search(r"tamper.?proof|makes? you compliant", text, re.I)


def test_life_of_a_record_names_only_what_exists() -> None:
    text = (ROOT / "docs" / "life-of-a-record.md").read_text()
    names = re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`", text)
    assert len(names) >= 12
    for dotted in names:
        parts = dotted.split(".")
        for cut in range(len(parts), 0, -1):
            try:
                found = importlib.import_module("audit_receiver." + ".".join(parts[:cut]))
            except ModuleNotFoundError:
                continue
            for attribute in parts[cut:]:
                found = getattr(found, attribute)
            break
        else:
            raise AssertionError(f"{dotted} is not in audit_receiver")


def test_metrics_in_the_docs_exist_and_every_metric_is_documented() -> None:
    exposed = set()
    for family in telemetry.REGISTRY.collect():
        suffix = "_total" if family.type == "counter" else ""
        exposed.add(family.name + suffix)
    mentioned = set(re.findall(r"audit_receiver_[a-z_]+[a-z]", ALL_TEXT)) - {"audit_receiver_data"}
    assert mentioned <= exposed
    assert exposed <= mentioned


def test_every_flag_is_in_the_format_document() -> None:
    text = (ROOT / "docs" / "ledger-format.md").read_text()
    for flag in flags.ALL:
        assert f"`{flag}`" in text, flag


def test_every_command_in_the_docs_exists_with_its_options() -> None:
    seen = 0
    for line in re.findall(r"^\s*audit-receiver ([^\n|>#`]*)", ALL_TEXT, re.MULTILINE):
        words = line.split()
        command = cli.get_command(click.Context(cli), words[0])
        assert command is not None, line
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), words[1])
            assert command is not None, line
        options = {name for param in command.params for name in param.opts}
        for word in words[1:]:
            if word.startswith("--"):
                assert word.split("=")[0] in options, f"{word} in: audit-receiver {line}"
        seen += 1
    assert seen >= 5


def test_every_command_is_named_in_readme_or_docs() -> None:
    for name in cli.list_commands(click.Context(cli)):
        assert f"audit-receiver {name}" in ALL_TEXT, name
