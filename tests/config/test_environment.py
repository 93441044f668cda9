"""Variables of the environment in values: what each kind of key makes of them."""

from pathlib import Path

import pytest

from audit_receiver.config.environment import replace
from audit_receiver.config.load import parse
from audit_receiver.config.model import Config


def config(text: str, **environ: str) -> Config:
    return parse(text, "c.yaml", environ)


@pytest.mark.parametrize("value", ["2024", "-5", "1.10", "true", "null", "007"])
def test_a_name_or_path_takes_whatever_the_variable_holds(value: str) -> None:
    ledger = config("ledger: {name: '${env:V}', path: '${env:V}'}", V=value.lstrip("-")).ledger
    assert (ledger.name, ledger.path) == (value.lstrip("-"), Path(value.lstrip("-")))


@pytest.mark.parametrize(
    ("value", "meant"),
    [("true", True), ("True", True), ("TRUE", True), ("false", False), ("FALSE", False)],
)
def test_a_switch_takes_every_spelling_of_yaml(value: str, meant: bool) -> None:
    for text in ("${env:V}", "'${env:V}'"):
        otlp = config(
            f"receivers:\n  otlp:\n    allow_insecure_bind: {text}", V=value
        ).receivers.otlp
        assert otlp.allow_insecure_bind is meant


def test_numbers_and_null_come_from_the_environment() -> None:
    text = "receivers: {otlp: {limits: {items: '${env:N}'}}}\ntelemetry: {health: '${env:H:-null}'}"
    assert config(text, N="7").receivers.otlp.limits.items == 7
    assert config(text, N="7").telemetry.health is None
    assert config("ledger: {key: '${env:K:-null}'}").ledger.key is None


@pytest.mark.parametrize(
    ("text", "environ", "found"),
    [
        ("${env:A:-${env:B}}", {"B": "b"}, "b"),
        ("${env:A:-${env:B}}", {"A": "a"}, "a"),
        ("${env:A:-x${env:B:-${env:C:-c}}y}z", {}, "xcyz"),
        ("${env:A:-}", {}, ""),
        ("${env:A:-d}", {"A": ""}, ""),
        ("a$b$", {}, "a$b$"),
        ("$${env:A}", {"A": "1"}, "${env:A}"),
        ("${env:A}}", {"A": "1"}, "1}"),
        ("${env:A}${env:A}", {"A": "1"}, "11"),
        ("${env:A}", {"A": "${env:B}"}, "${env:B}"),
    ],
)
def test_variables_are_replaced(text: str, environ: dict[str, str], found: str) -> None:
    assert replace(text, environ)[::2] == (found, ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${env:A:-${env:B}}", "${env:B}: the environment has no B; set it or write ${env:B:-"),
        ("${A}", "${A}: write ${env:NAME} or $$"),
        ("${env:1}", "write ${env:NAME}"),
        ("${file:x}", "write ${env:NAME}"),
        ("${env:A:-${env:B}", "the closing brace is missing"),
        ("x${", "the closing brace is missing"),
    ],
)
def test_what_is_no_variable_is_told(text: str, told: str) -> None:
    [wrong] = replace(text, {}).wrong
    assert told in wrong
