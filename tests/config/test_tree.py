"""YAML of every kind: read with its lines, or refused with them, and never a traceback."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_receiver.config.load import parse
from audit_receiver.errors import ConfigError

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def said(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml", {})
    return str(caught.value)


def test_a_merge_key_gives_what_is_not_there_and_names_its_own_lines() -> None:
    text = """\
telemetry:
  health: &door {endpoint: '127.0.0.1:0'}
  metrics: {<<: *door}
select: {<<: [{names: [b]}, {names: [c], attributes: [d]}], attributes: [e]}
"""
    config = parse(text, "c.yaml", {})
    assert str(config.telemetry.metrics.endpoint) == "127.0.0.1:0"  # type: ignore[union-attr]
    assert (config.select.names, config.select.attributes) == (("b",), ("e",))


def test_a_mistake_in_what_is_merged_is_told_beside_the_others() -> None:
    text = (
        "telemetry:\n  health: &h\n    endpont: x\n  metrics:\n    <<: *h\n  logs: {level: loud}\n"
    )
    told = [line.split(": there")[0] for line in said(text).splitlines()]
    assert "c.yaml:3: telemetry.health.endpont" in told
    assert "c.yaml:3: telemetry.metrics.endpont" in told
    assert any(line.startswith("c.yaml:6: telemetry.logs.level: 'loud'") for line in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:\n  " + "[" * 5000, "c.yaml:2: is nested deeper than 32 levels"),
        ("a:\n  " + "{a: " * 5000, "c.yaml:2: is nested deeper than 32 levels"),
        (BOMB, "c.yaml:5: holds more than 20000 values"),
        ("ledger: &x\n  path: *x\n", "c.yaml:2: *x names nothing before it"),
        (
            "ledger:\n  path: !!binary aGk=\n",
            "c.yaml:2: ledger.path: the tag !!binary means nothing",
        ),
        ("ledger: !!python/object:os.system {}", "ledger: the tag !!python/object:os.system means"),
        ("ledger: !!omap [a: 1]\n", "c.yaml:1: ledger: the tag !!omap means nothing"),
        ("ledger:\n  <<: 5\n", "c.yaml:2: ledger.<<: merges what is no map of keys"),
        ("ledger:\n  <<: [5]\n", "c.yaml:2: ledger.<<: merges what is no map of keys"),
        ("ledger: {}\n[a, b]: 1\n", "c.yaml:2: a list or map stands as a key"),
        ("ledger: {}\n---\na: 1\n", "c.yaml:2: a second document begins here"),
        ("ledger: {}\n# \x01\n", "c.yaml:2: is not YAML: special characters are not allowed"),
        ("ledger:\n\tpath: x\n", "c.yaml:2: is not YAML: "),
        ("%YAML 9.9\n---\na: 1\n", "c.yaml:1: is not YAML: "),
        ("telemetry: {logs: {level: !!int x}}", "the tag !!int means nothing here; remove it"),
        ("receivers: {otlp: {limits: {items: %s}}}" % ("9" * 5000), "should be a valid integer"),
        ("receivers: {otlp: {limits: {items: .inf}}}", "'.inf': input should be a valid integer"),
        ("ledger: {disk_reserve: %s}" % ("9" * 25), "is over 1024TiB"),
    ],
    ids=lambda value: value[:24],
)
def test_what_no_configuration_can_be_is_refused_with_its_line(text: str, told: str) -> None:
    assert told in said(text)


PIECES = [
    *("ledger", "path", "receivers", "otlp", "select", "names", "fields", "a", "${env:A}", "${"),
    *(
        ": ",
        ":\n",
        "\n",
        "  ",
        "\n  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "'",
        '"',
        "&x ",
        "*x",
        "<<: ",
    ),
    *("!!str ", "!t ", "| ", "> ", "? ", "# ", "---\n", "...\n", "%YAML 1.2\n", "\t", "\0", "\x85"),
    *(
        "null",
        "true",
        "5",
        "1e9",
        "127.0.0.1:1",
        "unix:/a",
        "256MiB",
        "4s",
        "\u2028",
        "\ufeff",
        "@",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_a_configuration_or_a_list_of_lines_to_correct(text: str) -> None:
    try:
        parse(text, "c.yaml", {"A": "1"})
    except ConfigError as exc:
        for line in str(exc).split("\n"):
            assert re.match(r"c\.yaml:[0-9]+: .", line), line


@pytest.mark.parametrize(
    "text", ["", "# nothing", "~", "null", "{}", "---", "\ufeff{}", "!!map {}"]
)
def test_nothing_is_the_default(text: str) -> None:
    assert parse(text, "c.yaml", {}) == parse("", "c.yaml", {})


@pytest.mark.parametrize("value", ["2024", "1.10", "true", "0x1F", "1e3", "007"])
def test_a_word_that_looks_like_a_number_is_a_word_where_words_belong(value: str) -> None:
    ledger = parse(f"ledger: {{name: {value}, path: {value}}}", "c.yaml", {}).ledger
    assert (ledger.name, ledger.path) == (value, Path(value))
