"""A configuration file: what it gives, and how each mistake is named."""

from pathlib import Path

import pytest

from audit_receiver.config.load import load, parse
from audit_receiver.config.model import Config
from audit_receiver.errors import ConfigError

DOORS = "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:1'}}}}"


def mistakes(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml", environ)
    return str(caught.value)


def test_no_file_is_the_embedded_default_and_an_empty_file_is_the_same() -> None:
    assert load(None, {}) == parse("", "c.yaml", {}) == Config()


def test_absent_protocols_open_both_doors_and_named_ones_only_those() -> None:
    both = Config().receivers.otlp.protocols
    assert both.grpc is not None
    assert both.http is not None
    only = parse(DOORS, "c.yaml", {}).receivers.otlp.protocols
    assert only.grpc is not None
    assert only.http is None


def test_a_door_named_without_keys_has_its_defaults() -> None:
    text = "receivers:\n  otlp:\n    protocols:\n      http:\n"
    protocols = parse(text, "c.yaml", {}).receivers.otlp.protocols
    assert str(protocols.http.endpoint) == "127.0.0.1:4318"  # type: ignore[union-attr]
    assert protocols.grpc is None


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("ledger: {path: here.db}")
    assert load(None, {"AUDIT_RECEIVER_CONFIG": str(file)}).ledger.path == Path("here.db")


def test_values_come_from_the_environment() -> None:
    text = "ledger: {path: '${env:DIR}/l.db', disk_reserve: '${env:SIZE}', name: '${env:N:-a/b}'}"
    ledger = parse(text, "c.yaml", {"DIR": "/x", "SIZE": "5"}).ledger
    assert (str(ledger.path), ledger.disk_reserve, ledger.name) == ("/x/l.db", 5, "a/b")


def test_a_value_from_the_environment_is_one_scalar_whatever_stands_in_it() -> None:
    text = "ledger: {path: '${env:P}'}"
    assert str(parse(text, "c.yaml", {"P": "a: {b} #c"}).ledger.path) == "a: {b} #c"


def test_two_dollars_are_one() -> None:
    assert str(parse("ledger: {path: 'a$$b'}", "c.yaml", {}).ledger.path) == "a$b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ledgr: 1", "c.yaml:1: ledgr: there is no such key; did you mean ledger?"),
        ("ledger:\n  pth: x", "c.yaml:2: ledger.pth: there is no such key; did you mean path?"),
        ("tls: {}", "there is no such key"),
        ("ledger:\n  create: maybe", "c.yaml:2: ledger.create: 'maybe' is none of"),
        ("ledger:\n\n  heartbeat: 5", "c.yaml:3: ledger.heartbeat: 5 is no duration; write 60s"),
        ("ledger: {heartbeat: 0s}", "ledger.heartbeat"),
        ("ledger: {name: 'a b'}", "ledger.name"),
        ("ledger: 5", "ledger: 5 stands where a map of keys belongs"),
        ("fields: {acto: [x]}", "fields.acto: 'acto' is none of"),
        ("select: {attributes: audit}", "select.attributes: 'audit': input should be a list"),
        ("select: {attributes: [], names: []}", "nothing would be selected"),
        ("receivers: {otlp: {protocols: {}}}", "no protocol is named"),
        ("receivers: {otlp: {limits: {nesting: 65}}}", "receivers.otlp.limits.nesting"),
        ("receivers: {otlp: {record_headers: [X-Audit]}}", "receivers.otlp.record_headers"),
        ("telemetry: {metrics: {endpoint: nowhere}}", "is no endpoint; write host:port"),
        ("a: [", "c.yaml:1: is not YAML"),
        ("ledger: {path: a, path: b}", "is not YAML: found duplicate key"),
        ("- a", "c.yaml:1: a configuration is a map of keys"),
        ("ledger: {path: '${env:GONE}'}", "the environment has no GONE; set it or write"),
        ("ledger: {path: '${GONE}'}", "write ${env:NAME}"),
    ],
)
def test_a_mistake_is_named_with_line_key_and_mend(text: str, said: str) -> None:
    assert said in mistakes(text)


def test_all_mistakes_are_named_at_once() -> None:
    said = mistakes("ledgr: 1\nledger:\n  create: maybe\ntelemetry:\n  logs: {level: loud}\n")
    assert [line.split(":")[1] for line in said.splitlines()] == ["1", "3", "5"]


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "audit.internal"])
def test_an_endpoint_for_other_machines_must_be_wanted(host: str) -> None:
    text = f"receivers:\n  otlp:\n    protocols:\n      http: {{endpoint: '{host}:4318'}}\n"
    assert "set receivers.otlp.allow_insecure_bind: true" in mistakes(text)
    assert parse(text + "    allow_insecure_bind: true\n", "c.yaml", {})


def test_one_port_cannot_serve_two_endpoints() -> None:
    said = mistakes("telemetry: {metrics: {endpoint: '127.0.0.1:4317'}}")
    assert "is taken by receivers.otlp.protocols.grpc.endpoint" in said


def test_port_0_may_stand_twice() -> None:
    text = "telemetry: {health: {endpoint: '127.0.0.1:0'}, metrics: {endpoint: '127.0.0.1:0'}}"
    assert parse(text, "c.yaml", {})


def test_a_request_limit_over_the_budget_is_a_contradiction() -> None:
    said = mistakes("receivers: {otlp: {limits: {in_flight_bytes: 1MiB}}}")
    assert "could never be taken" in said


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path / "none.yaml"), {})
    (tmp_path / "bin.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(str(tmp_path / "bin.yaml"), {})


def test_the_digest_changes_with_the_configuration_and_only_then() -> None:
    assert Config().digest() == load(None, {}).digest()
    assert parse("ledger: {heartbeat: 61s}", "c.yaml", {}).digest() != Config().digest()
