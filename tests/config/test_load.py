"""A configuration file: what it gives, and how each mistake is named."""

from dataclasses import asdict
from pathlib import Path

import pytest

from audit_receiver.config.contradictions import TAKEN
from audit_receiver.config.load import load, parse
from audit_receiver.config.model import Config
from audit_receiver.errors import ConfigError
from audit_receiver.ledger.keys import LedgerFiles

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
    assert list(map(str, protocols.http.endpoint)) == ["127.0.0.1:4318"]  # type: ignore[union-attr]
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
        ("ledger: {name: 'a b'}", "/ - only, as in example.com/audit"),
        ("receivers: {otlp: {protocols: {http: {logs_url_path: x}}}}", "only, as in /v1/logs"),
        ("ledger: 5", "ledger: 5 stands where a map of keys belongs"),
        ("fields: {acto: [x]}", "fields.acto: 'acto' is none of"),
        ("select: {attributes: audit}", "select.attributes: 'audit': input should be a list"),
        ("select: {attributes: [], names: []}", "nothing would be selected"),
        ("receivers: {otlp: {protocols: {}}}", "no protocol is named"),
        ("receivers: {otlp: {limits: {nesting: 65}}}", "receivers.otlp.limits.nesting"),
        (
            "receivers: {otlp: {record_headers: ['a b']}}",
            "receivers.otlp.record_headers.0: 'a b' is no",
        ),
        ("receivers: {otlp: {record_headers: [':path']}}", "is no header name"),
        ("receivers: {otlp: {record_headers: [Cookie]}}", "cookie carries credentials"),
        ("receivers: {otlp: {record_headers: [authorization]}}", "carries credentials"),
        ("receivers: {otlp: {record_headers: [proxy-authorization]}}", "carries credentials"),
        ("receivers: {otlp: {record_headers: [trace-bin]}}", "in gRPC such a name carries bytes"),
        ("receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 2048}}}}", "2048: input"),
        ("receivers: {otlp: {limits: {queue: 2147483648}}}", "limits.queue: 2147483648: input"),
        ("receivers: {otlp: {allow_insecure_bind: yes}}", "'yes': input should be a valid boolean"),
        (
            "telemetry: {health: {}}",
            "c.yaml:1: telemetry.health.endpoint: this key is missing; add",
        ),
        ("telemetry: {metrics: {endpoint: nowhere}}", "is no endpoint; write host:port"),
        ("a: [", "c.yaml:1: is not YAML"),
        (
            "ledger:\n  path: a\n  path: b",
            "c.yaml:3: ledger.path: is there already in line 2; keep",
        ),
        ("- a", "c.yaml:1: a configuration is a map of keys"),
        (
            "ledger: {path: '${env:GONE}'}",
            "ledger.path: ${env:GONE}: the environment has no GONE; set",
        ),
        ("ledger: {path: '${GONE}'}", "c.yaml:1: ledger.path: ${GONE}: write ${env:NAME}"),
        ("ledger: {path: '${env:GONE'}", "ledger.path: ${env:GONE: the closing brace is missing"),
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


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::]", "localhost"])
def test_one_port_cannot_serve_two_endpoints(host: str) -> None:
    said = mistakes(f"telemetry: {{metrics: {{endpoint: '{host}:4317'}}}}")
    assert "is taken by receivers.otlp.protocols.grpc.endpoint (127.0.0.1:4317)" in said


def test_port_0_may_stand_twice() -> None:
    text = "telemetry: {health: {endpoint: '127.0.0.1:0'}, metrics: {endpoint: '127.0.0.1:0'}}"
    assert parse(text, "c.yaml", {})


def test_what_hangs_on_a_mistake_is_not_told_as_a_second_one() -> None:
    """Neither the missing variable nor the wrong endpoint says anything about the ports."""
    text = """\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: nowhere}
      http: {endpoint: '127.0.0.1:4317'}
telemetry: {health: {endpoint: '${env:GONE}'}, metrics: {endpoint: '127.0.0.1:13133'}}
"""
    first, second = mistakes(text).splitlines()
    assert first.startswith("c.yaml:4: receivers.otlp.protocols.grpc.endpoint: 'nowhere' is no")
    assert second.startswith("c.yaml:6: telemetry.health.endpoint: ${env:GONE}: the environment")


def test_a_door_with_broken_tls_is_not_called_open_as_well() -> None:
    door = "{endpoint: '0.0.0.0:4318', tls: {cert_file: a.pem}}"
    [only] = mistakes(f"receivers: {{otlp: {{protocols: {{http: {door}}}}}}}").splitlines()
    assert "protocols.http.tls.key_file: this key is missing; add it" in only


def test_a_socket_that_is_a_file_of_the_ledger_is_refused() -> None:
    door = "receivers: {otlp: {protocols: {http: {endpoint: 'unix:/d/a.%s'}}}}\n"
    text = door + "ledger: {path: /d/a.db}"
    for suffix in ("sock", "db", "key", "lock"):
        assert "is a file of the ledger /d/a.db; name another" in mistakes(text % suffix)
    assert parse(text % "otlp", "c.yaml", {})


def test_contradictions_are_told_beside_other_mistakes() -> None:
    said = mistakes("ledgr: 1\ntelemetry: {metrics: {endpoint: '0.0.0.0:4317'}}\nselect: 5")
    assert [line.split(": ")[0:2] for line in said.splitlines()] == [
        ["c.yaml:1", "ledgr"],
        ["c.yaml:2", "telemetry.metrics.endpoint"],
        ["c.yaml:3", "select"],
    ]


def test_a_request_limit_over_the_budget_is_a_contradiction() -> None:
    said = mistakes("receivers: {otlp: {limits: {in_flight_bytes: 1MiB}}}")
    assert "could never be taken" in said


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    for name in ("none.yaml", "", "a\0b"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(f"{tmp_path}/{name}", {})
    (tmp_path / "bin.yaml").write_bytes(b"ledger: {}\n\xff\xfe")
    with pytest.raises(ConfigError, match=r"bin\.yaml:2: is not UTF-8 text"):
        load(str(tmp_path / "bin.yaml"), {})


def test_an_empty_name_is_no_request_for_the_default() -> None:
    with pytest.raises(ConfigError, match="--config: names nothing; give"):
        load("", {})
    with pytest.raises(ConfigError, match="AUDIT_RECEIVER_CONFIG: is set to nothing; name a file"):
        load(None, {"AUDIT_RECEIVER_CONFIG": ""})


def test_header_names_are_kept_in_lower_case() -> None:
    text = "receivers: {otlp: {record_headers: [X-Audit-Pipeline]}}"
    assert parse(text, "c.yaml", {}).receivers.otlp.record_headers == ("x-audit-pipeline",)


@pytest.mark.parametrize("path", ["''", "' '", "data/", ".", "/", "a/..", '"a\\0b"', "x" * 300])
def test_a_path_that_can_be_no_file_is_refused(path: str) -> None:
    assert mistakes(f"ledger:\n  path: {path}\n").startswith("c.yaml:2: ledger.path: ")


def test_a_path_where_a_directory_is_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path} is a directory; name a file in it" in mistakes(
        f"ledger: {{path: {tmp_path}}}"
    )


def test_no_file_beside_the_ledger_lends_its_name() -> None:
    beside = asdict(LedgerFiles.beside(Path("a.db")))
    names = {path.name for role, path in beside.items() if role != "ledger"}
    names -= {"a.key.next", "a.key.old"}  # named after the key, wherever it lies
    assert {f"a{suffix}" for suffix in TAKEN} == names
    for name in names:
        assert "is the name of a file beside the ledger" in mistakes(f"ledger: {{path: {name}}}")
    for name in names - {"a.key"} | {"a.db"}:
        said = mistakes(f"ledger: {{path: a.db, key: {name}}}")
        assert "c.yaml:1: ledger.key: " in said
    assert parse("ledger: {path: a.db, key: a.key}", "c.yaml", {})


def test_the_digest_changes_with_the_configuration_and_only_then() -> None:
    assert Config().digest() == load(None, {}).digest()
    assert parse("ledger: {heartbeat: 61s}", "c.yaml", {}).digest() != Config().digest()
