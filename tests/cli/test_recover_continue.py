"""`recover` and `continue` as an operator runs them: real servers, what is refused, the way on."""

import json
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.anchor.file import notes
from tests.kit import build
from tests.kit.oracle import check
from tests.kit.server import Server, run_cli


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A receiver that is stopped, with an anchor in another folder."""
    anchors = {"file": {"path": str(tmp_path / "elsewhere" / "checkpoints.txt")}}
    made = Server(tmp_path, {"anchors": anchors})
    yield made
    if made.running:
        made.kill()


def store(server: Server, number: int = 2) -> None:
    """One run of the receiver that stores so many spans."""
    server.start()
    with server.sender() as sender:
        for _ in range(number):
            assert sender.send(build.request(build.span()), "http").acknowledged
    assert server.stop() == 0, server.stderr


def anchored(server: Server) -> list[str]:
    path = Path(server.config["anchors"]["file"]["path"])
    return list(notes(path.read_text()))


def refused(server: Server, code: int) -> list[str]:
    """The start ends with this code and names a command; that command, as it would be typed."""
    assert server.launch().wait() == code, server.stderr
    found = re.search(r"audit-receiver (recover (?:.* )?--reason) '\.\.\.'", server.stderr)
    assert found is not None, server.stderr
    assert "--config that `serve` has" in server.stderr
    return [*shlex.split(found.group(1)), "INC-42", "--config", str(server.config_file)]


def log_key(ledger: Path) -> str:
    """Of the newest incarnation, as the ledger names it."""
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
        [(text,)] = connection.execute(
            "SELECT json_extract(body, '$.event.log_vkey') FROM entry"
            " WHERE action IN ('ledger.genesis', 'ledger.recover') ORDER BY seq DESC LIMIT 1"
        )
    return str(text)


def report(ledger: Path, *arguments: str | Path) -> dict[str, Any]:
    done = run_cli("verify", ledger, *arguments, "--format", "json", cwd=ledger.parent)
    return {"code": done.returncode, **json.loads(done.stdout)}


def roll_back(server: Server) -> None:
    shutil.copytree(server.ledger.parent, server.folder / "snapshot")
    store(server)
    shutil.rmtree(server.ledger.parent)
    shutil.copytree(server.folder / "snapshot", server.ledger.parent)


def lose(server: Server) -> None:
    server.ledger.unlink()


@pytest.mark.parametrize(("break_it", "code"), [(roll_back, 1), (lose, 2)])
def test_what_the_refusal_says_is_the_way_on(
    server: Server, break_it: Callable[[Server], None], code: int
) -> None:
    store(server)
    break_it(server)
    command = refused(server, code)
    done = run_cli(*command, cwd=server.folder)
    assert done.returncode == 0, done.stderr
    vkey = re.search(r"^verifier key  (\S+)$", done.stdout, re.MULTILINE)
    assert vkey is not None
    origin = vkey.group(1).partition("+")[0]
    assert re.search(r"^lost +\d checkpoints? of \S+, sizes? .*, known to file$", done.stdout, re.M)
    assert f"log key       {log_key(server.ledger)}\n" in done.stdout
    store(server)
    check(server.ledger)
    newest = anchored(server)[-1]
    assert newest.splitlines()[0] == origin
    assert report(server.ledger)["findings"] == []


def test_a_lost_key_leads_on_as_well_and_the_verdict_says_so(server: Server) -> None:
    store(server)
    server.ledger.with_suffix(".key").unlink()
    done = run_cli(*refused(server, 2), cwd=server.folder)
    assert done.returncode == 0, done.stderr
    assert "no --config" not in done.stderr
    vkeys = [server.ledger.with_suffix(".vkey").read_text().strip()]
    vkeys += re.findall(r"^verifier key  (\S+)$", done.stdout, re.MULTILINE)
    store(server)
    pins = [word for vkey in vkeys for word in ("--vkey", vkey)]
    said = run_cli("verify", server.ledger, *pins, cwd=server.folder)
    assert said.returncode == 3, said.stdout
    assert said.stdout.splitlines()[0].endswith(". It was recovered 1 time: see below")


def test_what_a_recovery_lost_stands_in_the_first_line_of_the_verdict(server: Server) -> None:
    store(server)
    roll_back(server)
    done = run_cli(*refused(server, 1), cwd=server.folder)
    lost = re.findall(r"^lost +(\d+) checkpoint", done.stdout, re.MULTILINE)
    said = run_cli("verify", server.ledger, cwd=server.folder).stdout
    total = sum(map(int, lost))
    assert total > 0
    assert f"recovered 1 time; {total} outside checkpoint" in said.splitlines()[0]


def test_a_recovery_without_a_configuration_says_whom_it_asked(server: Server) -> None:
    store(server)
    done = run_cli("recover", server.ledger, "--reason", "x", cwd=server.folder)
    assert done.returncode == 0, done.stderr
    assert "no --config: only the anchors of the embedded configuration" in done.stderr


def test_a_recovery_tells_the_anchors_at_once(server: Server) -> None:
    store(server)
    roll_back(server)
    before = len(anchored(server))
    done = run_cli(*refused(server, 1), cwd=server.folder)
    assert done.returncode == 0, done.stderr
    assert len(anchored(server)) == before + 1
    assert "the verifier key that an auditor has still works" in done.stderr


def test_a_reason_is_asked_for(server: Server) -> None:
    for arguments in ([], ["--reason", " "]):
        done = run_cli("recover", server.ledger, *arguments, cwd=server.folder)
        assert done.returncode == 2
        assert "--reason" in done.stderr


def test_a_running_ledger_is_neither_recovered_nor_closed(server: Server) -> None:
    server.start()
    for command in (
        ["recover", server.ledger, "--reason", "x"],
        ["continue", server.ledger, server.folder / "next.db"],
    ):
        done = run_cli(*command, "--config", server.config_file, cwd=server.folder)
        assert done.returncode == 2
        assert str(server.pid) in done.stderr, "who holds it is named"
    assert server.stop() == 0
    check(server.ledger)


def test_a_ledger_goes_on_in_another_file(server: Server) -> None:
    store(server)
    successor = server.folder / "data" / "ledger-2027.db"
    done = run_cli(
        *("continue", server.ledger, successor, "--reason", "a new year"),
        *("--config", server.config_file),
        cwd=server.folder,
    )
    assert done.returncode == 0, done.stderr
    check(server.ledger)
    assert server.launch().wait() == 2
    assert "was closed by `audit-receiver continue`" in server.stderr
    assert anchored(server)[-1].splitlines()[1] in done.stdout
    old, server.config["ledger"]["path"] = server.ledger, str(successor)
    server.ledger = successor
    store(server)
    check(successor)
    assert report(old)["findings"] == report(successor)["findings"] == []
