"""Checklist X06: the examples of opentelemetry-proto, as they stand there (examples/*.json).

`events.json` has `values` around its map, as protobuf's JSON form has it; an earlier revision of
the example left that out.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.checklist.door import Door
from tests.e2e.oracle import rows, settle
from tests.kit.server import ROOT, Server
from tests.kit.wire import JSON

EXAMPLES = ROOT / "tests" / "vectors" / "examples"
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A receiver that keeps all that comes, since nothing in the examples is audit."""
    config = {"select": {"attributes": ["*"], "names": ["*"]}}
    server = Server(tmp_path_factory.mktemp("examples"), config).start()
    yield Door(server)
    settle(server)


def kept(door: Door, name: str, path: str) -> dict[str, Any]:
    """Send an example; the body of the record that it became."""
    before = {row["seq"] for row in rows(door.server.ledger, "SELECT seq FROM audit_records_all")}
    answer = door.post((EXAMPLES / name).read_bytes(), path, JSON)
    assert (answer.status, answer.body) == (200, b"{}")
    found = rows(door.server.ledger, "SELECT seq, body FROM audit_records_all")
    [body] = [json.loads(row["body"]) for row in found if row["seq"] not in before]
    assert body["resource"]["attributes"] == {"service.name": "my.service"}
    assert body["scope"] == {
        "attributes": {"my.scope.attribute": "some scope attribute"},
        "name": "my.library",
        "version": "1.0.0",
    }
    result: dict[str, Any] = body
    return result


def test_x06_the_example_of_a_trace(everything: Door) -> None:
    body = kept(everything, "trace.json", "/v1/traces")
    assert body["attributes"] == {"my.span.attr": "some value"}
    assert body["otlp"] == {
        "end": "2018-12-13T14:51:01.000000000Z",
        "kind": 2,
        "name": "I'm a server span",
        "parent_span_id": "eee19b7ec3c1b173",
        "span_id": SPAN,
        "start": "2018-12-13T14:51:00.000000000Z",
        "trace_id": TRACE,
    }


def test_x06_the_example_of_a_log(everything: Door) -> None:
    body = kept(everything, "logs.json", "/v1/logs")
    assert body["attributes"] == {
        "array.attribute": ["many", "values"],
        "boolean.attribute": True,
        "double.attribute": 637.704,
        "int.attribute": 10,
        "map.attribute": {"some.map.key": "some value"},
        "string.attribute": "some string",
    }
    assert body["otlp"] == {
        "body": "Example log record",
        "observed_time": "2018-12-13T14:51:00.300000000Z",
        "severity_text": "Information",
        "span_id": SPAN,
        "time": "2018-12-13T14:51:00.300000000Z",
        "trace_id": TRACE,
    }


def test_x06_the_example_of_an_event(everything: Door) -> None:
    body = kept(everything, "events.json", "/v1/logs")
    assert body["attributes"] == {"event.name": "browser.page_view"}
    assert body["otlp"]["severity_number"] == 9
    assert body["otlp"]["body"] == {
        "referrer": "https://wwww.google.com",
        "title": "Free Online GUID Generator",
        "type": 0,
        "url": "https://www.guidgenerator.com/online-guid-generator.aspx",
    }
