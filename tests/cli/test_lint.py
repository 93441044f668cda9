"""`audit-receiver lint`: what it prints, and how it ends."""

from collections.abc import Callable
from pathlib import Path

import pytest

from audit_receiver.lint.findings import RULES
from tests.cli.conftest import Result

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config" / "collector.yaml"
ARTICLE = ROOT / "tests" / "lint" / "article.yaml"
Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_configuration_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDIT_RECEIVER_CONFIG", raising=False)


def test_what_loses_nothing_ends_with_0(command: Command) -> None:
    result = command("lint", SHIPPED)
    assert (result.code, result.out) == (0, "0 findings for otlp_http/audit\n")


def test_findings_end_with_1_and_say_where_what_and_the_mend(command: Command) -> None:
    result = command("lint", ARTICLE)
    assert result.code == 1
    where = f"{ARTICLE}:35: loses: exporters.otlphttp/audit.sending_queue [memory-queue]"
    assert where in result.out
    assert "            storage: file_storage/audit" in result.out
    assert result.out.endswith("10 findings for otlphttp/audit\n")


def test_json_has_every_finding_for_a_program(command: Command) -> None:
    result = command("lint", ARTICLE, "--format", "json")
    assert result.code == 1
    whole = result.json()
    assert (whole["file"], whole["exporters"]) == (str(ARTICLE), ["otlphttp/audit"])
    assert len(whole["findings"]) == 10
    assert {"line", "key", "rule", "level", "lost", "mend"} == set(whole["findings"][0])
    assert whole["not_judged"] == []


def test_the_audit_exporter_by_name_and_by_endpoint(command: Command) -> None:
    by_name = command("lint", ARTICLE, "--exporter", "otlp/observability")
    by_endpoint = command("lint", ARTICLE, "--endpoint", "https://oneuptime.example.com:4317")
    assert by_name.code == by_endpoint.code == 1
    assert by_name.out == by_endpoint.out
    assert "for otlp/observability" in by_name.out


def test_the_limits_are_those_of_the_receivers_own_configuration(
    command: Command, tmp_path: Path
) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text("receivers: {otlp: {protocols: {http: {max_request_body_size: 1MiB}}}}")
    result = command("lint", SHIPPED, "--config", config)
    assert result.code == 1
    assert "above 1048576 bytes" in result.out
    assert "[batch-too-large]" in result.out


def test_stdin_is_read_for_a_dash(command: Command) -> None:
    result = command("lint", "-", stdin=ARTICLE.read_text())
    assert result.code == 1
    assert "stdin:45: loses: service.pipelines [no-logs-pipeline]" in result.out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"exporters: [", "c.yaml:1: is not YAML"),
        (b"a: 1\na: 2", "c.yaml:2: a: is there already in line 1"),
        (b"\xff", "c.yaml: is not UTF-8"),
        (b"exporters: {otlp: }\nservice: {pipelines: {logs: }}", "--exporter or --endpoint"),
    ],
    ids=["broken", "twice", "bytes", "no audit exporter"],
)
def test_what_cannot_be_judged_ends_with_2(
    content: bytes, says: str, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    result = command("lint", file)
    assert (result.code, result.out) == (2, "")
    assert says in result.err


def test_a_file_that_is_not_there_and_wrong_use_end_with_2(command: Command) -> None:
    assert command("lint", "nowhere.yaml").code == 2
    both = command("lint", SHIPPED, "--exporter", "a", "--endpoint", "b")
    assert both.code == 2
    assert "--endpoint" in both.err


def test_the_table_in_the_docs_is_the_table_of_the_rules() -> None:
    text = (ROOT / "docs" / "collector.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    told = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    assert told == [[f"`{rule.name}`", " or ".join(rule.levels), rule.finds] for rule in RULES]
