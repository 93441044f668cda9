"""The Collector configuration that ships, run by a real Collector; and logs that are no UTF-8."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.checklist.door import fresh_action
from tests.e2e.oracle import rows, settle
from tests.kit import build
from tests.kit.senders import Sender
from tests.kit.server import ROOT, Server, free_port
from tests.peers import programs
from tests.peers.faults import Fault
from tests.peers.ledgers import stored
from tests.peers.senders import Job, relay

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]
SHIPPED = ROOT / "config" / "collector.yaml"
PLAIN = {"http.route": "/"}


def placed(folder: Path, taking: str, handing_on: str) -> list[str]:
    """The command that runs the shipped configuration on this machine's free ports."""
    over: dict[str, Any] = {
        "receivers": {
            "otlp": {
                "protocols": {
                    "http": {"endpoint": taking},
                    "grpc": {"endpoint": f"127.0.0.1:{free_port()}"},
                }
            }
        },
        "exporters": {"otlp_http/audit": {"endpoint": f"http://{handing_on}"}},
        "extensions": {"file_storage/audit": {"directory": str(folder / "queue")}},
        "service": {"telemetry": {"metrics": {"readers": [], "level": "none"}}},
    }
    file = folder / "over.json"
    file.write_text(json.dumps(over))
    return [str(programs.collector()), "--config", str(SHIPPED), "--config", str(file)]


def mixed(action: str, number: int) -> list[Any]:
    """A request of spans and one of logs; two of each three are audit."""
    run = {"audit.action": action}
    spans = [
        build.span("x", {**run, "number": number}),
        build.span("GET /", PLAIN),
        build.span("x", PLAIN, events=[("e", run)]),
    ]
    logs = [
        build.log_record("", {**run, "audit.record.id": f"{action}-{number}"}),
        build.log_record("", PLAIN, body="audit is only in the text"),
        build.log_record("audit.login", {"event.action": action}),
    ]
    return [build.request(*spans), build.request(*logs, signal="logs")]


def send(taking: str, action: str, numbers: range) -> None:
    """Send such requests to the Collector."""
    with Sender(taking, taking) as sender:
        for number in numbers:
            for message in mixed(action, number):
                assert sender.send(message, "protobuf").acknowledged


def wait_for(server: Server, action: str, number: int) -> None:
    """Wait until so many records are there; fails with what is there after a minute."""
    ends = time.monotonic() + 60
    sql = "SELECT count(*) AS n FROM audit_records_all WHERE action = ?"
    while True:
        [row] = rows(server.ledger, sql, (action,))
        if row["n"] >= number:
            return
        assert time.monotonic() < ends, f"{row['n']} of {number}"
        time.sleep(0.1)


def test_the_shipped_configuration_hands_on_what_is_audit_and_nothing_else(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    action, taking = fresh_action(), f"127.0.0.1:{free_port()}"
    job = Job(server.http, server.grpc, 0, action, tmp_path)
    with relay(placed(tmp_path, taking, server.http), taking, job):
        send(taking, action, range(10))
        wait_for(server, action, 40)
    total = rows(server.ledger, "SELECT body FROM audit_records_all")
    assert len(total) == 40, "spans with events pass the filter, and only audit ones are kept"
    peers = {json.dumps(json.loads(row["body"])["peer"]["headers"]) for row in total}
    assert peers == {'{"x-audit-pipeline": "soc2"}'}
    settle(server)


def test_the_shipped_configuration_loses_nothing_over_refusals_kills_and_restarts(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path).start()
    action, taking = fresh_action(), f"127.0.0.1:{free_port()}"
    job = Job(server.http, server.grpc, 0, action, tmp_path)
    with Fault(server.http, server.grpc, refusals=3) as fault:
        command = placed(tmp_path, taking, fault.http)
        with relay(command, taking, job):
            send(taking, action, range(20))
            server.kill()
            send(taking, action, range(20, 40))
        # The Collector has ended with its queue on disk, and the receiver is down.
        server.start()
        with relay(command, taking, job):
            send(taking, action, range(40, 50))
            wait_for(server, action, 200)
    assert fault.refusals == 0
    found = rows(
        server.ledger, "SELECT count(*) AS n FROM audit_records_all WHERE action = ?", (action,)
    )
    assert found == [{"n": 200}]
    settle(server)


def test_lines_that_are_no_utf8_come_from_a_file_without_loss(tmp_path: Path) -> None:
    """Checklist X07: filelog with `encoding: utf8-raw`."""
    server = Server(tmp_path).start()
    action = fresh_action()
    lines = tmp_path / "lines.log"
    lines.write_bytes(b"user \xff\xfe logged in\n")
    config = {
        "receivers": {
            "filelog": {"include": [str(lines)], "start_at": "beginning", "encoding": "utf8-raw"},
            "otlp": {"protocols": {"http": {"endpoint": (taking := f"127.0.0.1:{free_port()}")}}},
        },
        "processors": {
            "attributes": {
                "actions": [{"key": "audit.action", "value": action, "action": "insert"}]
            }
        },
        "exporters": {
            "otlp_http/proto": {"endpoint": f"http://{server.http}"},
            "otlp_http/json": {"endpoint": f"http://{server.http}", "encoding": "json"},
        },
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {
                "logs": {
                    "receivers": ["filelog", "otlp"],
                    "processors": ["attributes"],
                    "exporters": ["otlp_http/proto", "otlp_http/json"],
                }
            },
        },
    }
    file = tmp_path / "collector.yaml"
    file.write_text(json.dumps(config))
    job = Job(server.http, server.grpc, 0, action, tmp_path)
    with relay([str(programs.collector()), "--config", str(file)], taking, job):
        wait_for(server, action, 2)
    for row in rows(server.ledger, "SELECT body, flags FROM audit_records_all"):
        otlp = json.loads(row["body"])["otlp"]
        assert otlp["body"] == {"$utf8": "dXNlciD//iBsb2dnZWQgaW4="}  # of the line's bytes
        assert "invalid_utf8" in row["flags"]
    assert stored(tmp_path, action)
    settle(server)
