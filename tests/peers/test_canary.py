"""What lint says of a configuration, asked of a real Collector with a canary."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.checklist.door import fresh_action
from tests.e2e.oracle import settle
from tests.kit.server import ROOT, Server, free_port, merged, run_cli
from tests.lint.collectors import CLEAN, EXPORTER, exporter, judged
from tests.peers import programs
from tests.peers.senders import Job, relay
from tests.peers.test_collector import placed

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]
ARTICLE = ROOT / "tests" / "lint" / "article.yaml"
DROPS = 'log.attributes["audit.action"] != nil'
GRPC = {**CLEAN["exporters"][EXPORTER], "tls": {"insecure": True}, "compression": "zstd"}


def canary(server: Server, via: str, *words: str) -> int:
    """The exit code of one canary."""
    command = ("canary", "--via", via, "--ledger", server.ledger, *words)
    return run_cli(*command, cwd=server.folder).returncode


def collector(folder: Path, config: dict[str, Any], taking: str) -> list[str]:
    """The command that runs a configuration on free ports."""
    ours = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": taking}}}},
        "extensions": {"file_storage/audit": {"directory": str(folder)}},
        "service": {"telemetry": {"metrics": {"level": "none"}}},
    }
    config = merged(config, ours)
    del config["receivers"]["otlp"]["protocols"]["grpc"]
    (folder / "collector.json").write_text(json.dumps(config))
    return [str(programs.collector()), "--config", str(folder / "collector.json")]


def test_through_the_shipped_configuration_both_signals_arrive(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    taking = f"127.0.0.1:{free_port()}"
    job = Job(server.http, server.grpc, 0, fresh_action(), tmp_path)
    with relay(placed(tmp_path, taking, server.http), taking, job):
        assert canary(server, taking) == 0
        assert canary(server, taking, "--signal", "traces") == 0
    settle(server)


@pytest.mark.parametrize("rule", ["path-doubled", "filter-drops", "compression-refused", ""])
def test_what_lint_says_is_lost_is_lost(tmp_path: Path, rule: str) -> None:
    server = Server(tmp_path).start()
    taking = f"127.0.0.1:{free_port()}"
    base = merged(CLEAN, exporter(endpoint=f"http://{server.http}"))
    grpc = {"otlp_grpc/audit": {**GRPC, "endpoint": server.grpc}}
    pipelines = {f"{it}/audit": {"exporters": ["otlp_grpc/audit"]} for it in ("logs", "traces")}
    change: dict[str, Any] = {
        "": {},
        "path-doubled": exporter(endpoint=f"http://{server.http}/v1/logs"),
        "filter-drops": {"processors": {"filter/audit": {"log_conditions": [DROPS]}}},
        "compression-refused": {"exporters": grpc, "service": {"pipelines": pipelines}},
    }[rule]
    config = merged(base, change)
    report = judged(json.dumps(config, indent=1))
    said = {it.rule for it in report.findings if it.level == "loses"}
    assert said == ({rule} if rule else set())
    job = Job(server.http, server.grpc, 0, fresh_action(), tmp_path)
    with relay(collector(tmp_path, config, taking), taking, job):
        assert canary(server, taking, "--timeout", "3s") == (1 if rule else 0)
    settle(server)


def test_the_article_loses_every_log_and_still_brings_spans(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    taking = f"127.0.0.1:{free_port()}"
    file = tmp_path / "article.yaml"
    text = ARTICLE.read_text().replace("https://audit-store.internal:4318", f"http://{server.http}")
    protocols = {"grpc": None, "http": {"endpoint": taking}}
    over = {
        "receivers": {"otlp": {"protocols": protocols}},
        "service": {"telemetry": {"metrics": {"level": "none"}}},
    }
    file.write_text(text)
    (tmp_path / "over.json").write_text(json.dumps(over))
    job = Job(server.http, server.grpc, 0, fresh_action(), tmp_path)
    command = [str(programs.collector()), "--config", str(file)]
    with relay([*command, "--config", str(tmp_path / "over.json")], taking, job):
        assert canary(server, taking, "--signal", "traces") == 0
        assert canary(server, taking, "--signal", "logs") == 2, "no logs pipeline: not even taken"
    settle(server)
