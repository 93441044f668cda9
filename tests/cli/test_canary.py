"""`audit-receiver canary` against a real receiver, directly and through what stands before it."""

import http.client
import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.kit import build
from tests.kit.authority import Authority
from tests.kit.lab import LedgerLab
from tests.kit.server import ROOT, Server, free_port, run_cli


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("canary")) as running:
        yield running


@contextmanager
def relay(to: str | None, status: int = 200, after_seconds: float = 0) -> Iterator[str]:
    """What stands before the receiver: answers at once, hands on later, or never."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if to is not None:
                timer = threading.Timer(after_seconds, hand_on, (self.path, body))
                timer.start()
                timers.append(timer)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    def hand_on(path: str, body: bytes) -> None:
        assert to is not None
        with closing(http.client.HTTPConnection(to, timeout=10)) as connection:
            connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
            assert connection.getresponse().status == 200

    timers: list[threading.Timer] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as standing:
        thread = threading.Thread(target=standing.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{standing.server_port}"
        standing.shutdown()
        thread.join()
    for timer in timers:
        timer.join()


def record_of(server: Server, seq: str) -> dict[str, Any]:
    with closing(sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True)) as ledger:
        ledger.row_factory = sqlite3.Row
        [row] = ledger.execute("SELECT * FROM audit_records WHERE seq = ?", (seq,)).fetchall()
        return dict(row)


@pytest.mark.parametrize("transport", ["http", "grpc"])
@pytest.mark.parametrize("signal", ["logs", "traces"])
def test_a_canary_is_found_and_says_that_it_is_one(
    server: Server, signal: str, transport: str
) -> None:
    via = server.http if transport == "http" else server.grpc
    words = ("--via", via, "--ledger", server.ledger, "--signal", signal, "--transport", transport)
    result = run_cli("canary", *words, cwd=server.folder)
    assert (result.returncode, result.stderr) == (0, "")
    said = re.fullmatch(r"found: seq (\d+) after (\d+\.\d\d) s \((\S+)\)\n", result.stdout)
    assert said is not None, result.stdout
    seq, seconds, record_id = said.groups()
    assert float(seconds) < 30
    record = record_of(server, seq)
    assert record["kind"] == {"logs": "log", "traces": "span"}[signal]
    assert record["record_id"] == record_id
    assert record["action"] == "audit.canary"
    assert record["actor"] == "audit-receiver canary"
    assert record["service"] == "audit-receiver-canary"
    assert record["target"] == via
    assert json.loads(record["flags"]) == []


def test_each_canary_is_another(server: Server) -> None:
    said = {
        run_cli("canary", "--via", server.http, "--ledger", server.ledger, cwd=server.folder).stdout
        for _ in range(2)
    }
    assert len({line.split("(")[1] for line in said}) == 2


def test_the_delay_is_what_the_pipeline_took(server: Server) -> None:
    with relay(server.http, after_seconds=0.5) as via:
        result = run_cli("canary", "--via", via, "--ledger", server.ledger, cwd=server.folder)
    assert result.returncode == 0
    assert 0.5 <= float(result.stdout.split()[4]) < 10


def test_a_pipeline_that_loses_it_ends_with_1_and_says_where_to_look(server: Server) -> None:
    with relay(None) as via:
        words = ("--via", via, "--ledger", server.ledger, "--timeout", "300ms")
        result = run_cli("canary", *words, cwd=server.folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert "not found: canary-" in result.stderr
    assert "audit-receiver lint" in result.stderr


@pytest.mark.parametrize("why", ["refused", "nobody, HTTP", "nobody, gRPC", "another service"])
def test_what_is_not_taken_ends_with_2_and_the_answer(server: Server, why: str) -> None:
    with relay(None, status=503) as refusing:
        via, transport, says = {
            "refused": (refusing, "http", "503"),
            "nobody, HTTP": (f"127.0.0.1:{free_port()}", "http", "cannot be reached"),
            "nobody, gRPC": (f"127.0.0.1:{free_port()}", "grpc", "UNAVAILABLE"),
            "another service": (f"{server.http}/elsewhere", "http", "404"),
        }[why]
        words = ("--via", via, "--transport", transport, "--timeout", "5s")
        result = run_cli("canary", *words, "--ledger", server.ledger, cwd=server.folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert via in result.stderr
    assert says in result.stderr


def test_nothing_is_sent_where_the_ledger_cannot_be_read(server: Server, tmp_path: Path) -> None:
    with relay(server.http) as via:
        words = ("--via", via, "--ledger", tmp_path / "none.db")
        result = run_cli("canary", *words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "none.db" in result.stderr


def test_the_ledger_of_the_configuration_is_the_default(tmp_path: Path) -> None:
    lab = LedgerLab(tmp_path)
    lab.open()
    lab.close()
    config = tmp_path / "receiver.yaml"
    config.write_text(json.dumps({"ledger": {"path": str(lab.path)}}))
    began = time.monotonic()
    with relay(None) as via:
        words = ("--via", f"http://{via}/", "--config", config, "--timeout", "100ms")
        result = run_cli("canary", *words, cwd=tmp_path)
    assert result.returncode == 1
    assert str(lab.path) in result.stderr
    assert time.monotonic() - began < 20
    lab.check()


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_tls_and_a_token_on_the_way(tmp_path: Path, transport: str) -> None:
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("receiver")
    (tmp_path / "tokens").touch(mode=0o640)
    secret = run_cli("token", "canary", "--append", tmp_path / "tokens", cwd=tmp_path).stdout
    (tmp_path / "secret").write_text(secret)
    door = {
        "tls": {"cert_file": str(pair.cert), "key_file": str(pair.key)},
        "auth": {"tokens_file": str(tmp_path / "tokens")},
    }
    config = {"receivers": {"otlp": {"protocols": {"grpc": door, "http": door}}}}
    with Server(tmp_path, config) as secured:
        via = f"https://{secured.http if transport == 'http' else secured.grpc}"
        words = ("canary", "--via", via, "--transport", transport, "--ledger", secured.ledger)
        without = run_cli(*words, "--ca", authority.cert, cwd=tmp_path)
        unknown = run_cli(*words, "--token-file", tmp_path / "secret", cwd=tmp_path)
        both = ("--ca", authority.cert, "--token-file", tmp_path / "secret")
        found = run_cli(*words, *both, cwd=tmp_path)
        bearer = ("--header", f"authorization=Bearer {secret.strip()}")
        by_header = run_cli(*words, "--ca", authority.cert, *bearer, cwd=tmp_path)
    assert without.returncode == 2
    assert ("401" if transport == "http" else "UNAUTHENTICATED") in without.stderr
    assert unknown.returncode == 2
    assert (found.returncode, found.stderr) == (0, "")
    assert by_header.returncode == 0


def test_the_question_in_the_docs_leaves_canaries_out_and_nothing_else(server: Server) -> None:
    run_cli("canary", "--via", server.http, "--ledger", server.ledger, cwd=server.folder)
    with server.sender() as sender:
        claims = {"audit.action": "audit.canary", "audit.actor.id": "mallory"}
        message = build.request(build.log_record(attributes=claims))
        assert sender.send(message, "protobuf").acknowledged
    text = (ROOT / "docs" / "collector.md").read_text()
    without, within = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    with closing(sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True)) as ledger:
        ledger.row_factory = sqlite3.Row
        left = [dict(row) for row in ledger.execute(without)]
        canaries = [dict(row) for row in ledger.execute(within)]
    assert [row["actor"] for row in left] == ["mallory"]
    assert sum(row["canaries"] for row in canaries) >= 1


@pytest.mark.parametrize(
    "words",
    [
        ("--via", "ftp://a:1"),
        ("--via", "http://"),
        ("--via", "127.0.0.1:99999"),
        ("--via", "127.0.0.1:1", "--timeout", "soon"),
        ("--via", "127.0.0.1:1", "--header", "novalue"),
        (),
    ],
    ids=["scheme", "host", "port", "timeout", "header", "nothing"],
)
def test_wrong_use_ends_with_2_and_a_word(words: tuple[str, ...], tmp_path: Path) -> None:
    result = run_cli("canary", *words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr
