"""The client of the audit signal, against a real receiver and against answers that lie."""

import asyncio
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.client import (
    Altered,
    AsyncAuditClient,
    AuditClient,
    AuditRecord,
    NotStored,
    Refused,
)
from audit_receiver.v1.audit_pb2 import AuditResponse
from tests.checklist.door import Door, fresh_action
from tests.checklist.test_audit_signal import draft
from tests.e2e.oracle import settle
from tests.kit.authority import Authority
from tests.kit.server import ROOT, Server, merged, run_cli

Lie = Callable[[AuditResponse], None]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A receiver that serves the draft."""
    server = Server(tmp_path_factory.mktemp("client"), draft()).start()
    yield Door(server)
    settle(server)


def vkey(door: Door) -> str:
    return door.server.ledger.with_suffix(".vkey").read_text().strip()


def client(door: Door, **settings: Any) -> AuditClient:
    """A client that checks signatures."""
    return AuditClient(f"http://{door.server.http}", "billing", **{"vkey": vkey(door), **settings})


def test_an_emitted_record_is_stored_with_all_that_it_says(door: Door) -> None:
    action = fresh_action()
    with client(door, resource={"deployment.environment.name": "test"}) as audit:
        receipt = audit.emit(
            "user.role.update",
            actor="alice",
            action=action,
            outcome="success",
            target="bob",
            target_type="user",
            source="192.0.2.7",
            body={"was": "viewer", "is": ["admin", None, 2.0, b"\0", True, 2**60]},
            attributes={"tries": 3},
        )
    [row] = door.stored(action)
    assert (row["seq"], row["record_id"]) == (receipt.seq, receipt.record_id)
    assert (row["actor"], row["target"], row["target_type"]) == ("alice", "bob", "user")
    assert (row["service"], row["environment"], row["event"]) == (
        "billing",
        "test",
        "user.role.update",
    )
    assert row["body"]["otlp"]["body"] == {
        "was": "viewer",
        "is": ["admin", None, {"$double": "2"}, {"$bytes": "AA=="}, True, {"$int": str(2**60)}],
    }
    assert row["body"]["attributes"]["tries"] == 3
    assert receipt.tree_size > receipt.seq
    assert not receipt.duplicate


async def test_many_emit_at_once_under_asyncio(door: Door) -> None:
    action = fresh_action()
    async with AsyncAuditClient(f"http://{door.server.http}", "billing", vkey=vkey(door)) as audit:
        receipts = await asyncio.gather(
            *(audit.emit("e", actor="a", action=action, outcome="success") for _ in range(200))
        )
    assert sorted(one.seq for one in receipts) == [row["seq"] for row in door.stored(action)]
    assert len({one.record_id for one in receipts}) == 200


def test_a_record_emitted_again_has_the_same_receipt(door: Door) -> None:
    record = AuditRecord("e", "a", fresh_action(), "failure")
    with client(door) as audit:
        [first] = audit.emit_all([record])
        [again] = audit.emit_all([record])
    assert again.duplicate
    assert (again.seq, again.integrity_hash) == (first.seq, first.integrity_hash)
    assert again.sink_timestamp == first.sink_timestamp


def test_the_same_id_for_another_record_is_refused(door: Door) -> None:
    with client(door) as audit:
        one = audit.emit("e", actor="a", action=fresh_action(), outcome="success")
        with pytest.raises(Refused, match=one.integrity_hash) as refused:
            audit.emit("e", actor="b", action="x", outcome="success", record_id=one.record_id)
    assert refused.value.status == 409


@pytest.mark.parametrize("wrong", [{"outcome": "maybe"}, {"actor": ""}, {"actor_type": "robot"}])
def test_what_the_draft_forbids_is_refused_by_name(door: Door, wrong: dict[str, str]) -> None:
    given = {"actor": "a", "action": "x", "outcome": "success", **wrong}
    with client(door) as audit, pytest.raises(Refused, match="log_records") as refused:
        audit.emit("e", **given)
    assert refused.value.status == 400


def test_it_waits_for_a_receiver_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    with client(door, patience_seconds=30) as audit:
        audit.emit("e", actor="a", action=action, outcome="success")
        server.kill()
        back = threading.Timer(1, server.start)
        back.start()
        audit.emit("e", actor="a", action=action, outcome="success")
        back.join()
    assert len(door.stored(action)) == 2
    settle(server)


async def test_without_a_receiver_it_is_an_exception_in_time() -> None:
    began = time.monotonic()
    nowhere = "http://127.0.0.1:9"
    with AuditClient(nowhere, "s", patience_seconds=0.5) as audit, pytest.raises(NotStored):
        audit.emit("e", actor="a", action="x", outcome="success", record_id="the-id")
    async with AsyncAuditClient(nowhere, "s", patience_seconds=0.5) as audit_too:
        with pytest.raises(NotStored, match="the-id"):
            await audit_too.emit("e", actor="a", action="x", outcome="success", record_id="the-id")
    assert time.monotonic() - began < 3


@contextmanager
def liar(door: Door, lie: Lie) -> Iterator[str]:
    """A front that changes answers on their way back; its endpoint."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = AuditResponse.FromString(door.post(body, self.path).body)
            lie(answer)
            data = answer.SerializeToString()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as front:
        thread = threading.Thread(target=front.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{front.server_address[1]}"
        front.shutdown()
        thread.join()


def _flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def _hash(answer: AuditResponse) -> None:
    answer.records[0].integrity_hash = _flip(answer.records[0].integrity_hash)


def _root(answer: AuditResponse) -> None:
    answer.receipt.root = _flip(answer.receipt.root)


def _size(answer: AuditResponse) -> None:
    answer.receipt.tree_size += 1


def _origin(answer: AuditResponse) -> None:
    answer.receipt.origin += "x"


def _seq(answer: AuditResponse) -> None:
    answer.records[0].seq = answer.receipt.tree_size


def _name(answer: AuditResponse) -> None:
    answer.records[0].record_id += "x"


def _none(answer: AuditResponse) -> None:
    del answer.records[:]


@pytest.mark.parametrize("lie", [_hash, _root, _size, _origin, _seq, _name, _none])
def test_an_answer_that_lies_is_found(door: Door, lie: Lie) -> None:
    with (
        liar(door, lie) as endpoint,
        AuditClient(endpoint, "s", vkey=vkey(door)) as audit,
        pytest.raises(Altered),
    ):
        audit.emit("e", actor="a", action="x", outcome="success")


async def test_tokens_and_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("server")
    file = tmp_path / "tokens"
    token = run_cli("token", "app", "--append", file, cwd=tmp_path).stdout.strip()
    http_door = {
        "tls": {"cert_file": str(pair.cert), "key_file": str(pair.key)},
        "auth": {"tokens_file": str(file)},
    }
    config = merged(draft(), {"receivers": {"otlp": {"protocols": {"http": http_door}}}})
    server = Server(tmp_path, config).start()
    endpoint, ca = f"https://{server.http}", str(authority.cert)
    given: dict[str, Any] = {"actor": "a", "action": "x", "outcome": "success"}
    with AuditClient(endpoint, "s", token=token, ca_file=ca) as audit:
        assert audit.emit("e", **given).seq
    async with AsyncAuditClient(endpoint, "s", token=token, ca_file=ca) as audit_too:
        assert (await audit_too.emit("e", **given)).seq
    with AuditClient(endpoint, "s", ca_file=ca) as stranger, pytest.raises(Refused, match="401"):
        stranger.emit("e", **given)
    with (
        AuditClient(endpoint, "s", token=token, patience_seconds=0.3) as trusting,
        pytest.raises(NotStored, match="certificate"),
    ):
        trusting.emit("e", **given)
    settle(server)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://x", ""])
def test_an_endpoint_that_is_none_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError, match="http://127"):
        AuditClient(endpoint, "s")


def test_attributes_of_the_draft_are_arguments() -> None:
    record = AuditRecord("e", "a", "x", "success", attributes={"audit.actor.id": "b"})
    with pytest.raises(ValueError, match=r"audit\.actor\.id"):
        record.all_attributes()


def test_the_example_of_the_document_runs(door: Door) -> None:
    text = (ROOT / "docs" / "audit-signal.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope: dict[str, Any] = {"VKEY": vkey(door)}
    exec(example.replace("127.0.0.1:4318", door.server.http), scope)
    assert scope["receipt"].origin == vkey(door).partition("+")[0]
