"""The article's snippets, through the real SDK and real transports, into columns."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.oracle import rows, settle
from tests.kit.server import ROOT, Server, environment

QUERY_BY_COLUMN = """
    SELECT timestamp, actor, target, old_value AS previous_role, new_value AS new_role, outcome
      FROM audit_spans
     WHERE action = 'role_update'
       AND timestamp >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-90 days')
     ORDER BY timestamp DESC"""
QUERY_BY_ATTRIBUTE = """
    SELECT timestamp,
           json_extract(attributes, '$."enduser.id"') AS actor,
           json_extract(attributes, '$."audit.target_user"') AS target,
           json_extract(attributes, '$."audit.old_value"') AS previous_role,
           json_extract(attributes, '$."audit.new_value"') AS new_role,
           json_extract(attributes, '$."audit.result"') AS outcome
      FROM audit_spans
     WHERE json_extract(attributes, '$."audit.action"') = 'role_update'
       AND timestamp >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-90 days')
     ORDER BY timestamp DESC"""
ANSWER = {
    "actor": "alice",
    "target": "bob",
    "previous_role": "viewer",
    "new_role": "admin",
    "outcome": "success",
}


def _send(transport: str, endpoint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.article", transport, endpoint],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_the_snippets_end_up_in_columns_and_the_query_answers(
    server: Server, transport: str
) -> None:
    _send(transport, server.grpc if transport == "grpc" else server.http)
    settle(server)

    [span] = rows(server.ledger, "SELECT * FROM audit_spans")
    expected = {
        "kind": "span",
        "actor": "alice",
        "action": "role_update",
        "target": "bob",
        "target_type": "user_permission",
        "old_value": "viewer",
        "new_value": "admin",
        "outcome": "success",
        "source_ip": "192.0.2.7",
        "service": "audit-service",
        "name": "user.role.update",
    }
    assert {name: span[name] for name in expected} == expected
    assert json.loads(span["flags"]) == []

    [log] = rows(server.ledger, "SELECT * FROM audit_logs")
    expected = {
        "kind": "log",
        "actor": "carol",
        "action": "config_change",
        "outcome": "unknown",
        "message": "System configuration changed",
        "service": "audit-service",
    }
    assert {name: log[name] for name in expected} == expected
    assert {"missing_outcome", "missing_source", "missing_target"} <= set(json.loads(log["flags"]))
    attributes = json.loads(log["attributes"])
    assert attributes["audit.config_keys_modified"] == ["rate_limit"]
    assert attributes["audit.severity"] == "high"
    assert attributes["audit.change_source"] == "admin_api"

    _query_answers(server.ledger, QUERY_BY_COLUMN)
    _query_answers(server.ledger, QUERY_BY_ATTRIBUTE)


def _query_answers(ledger: Path, query: str) -> None:
    [answer] = rows(ledger, query)
    timestamp = answer.pop("timestamp")
    assert answer == ANSWER
    assert timestamp.endswith("Z")
