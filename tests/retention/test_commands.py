"""The commands about bodies, on ledgers at rest and under a running service."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.oracle import events, holds, rows, settle
from tests.kit import build
from tests.kit.server import Server, run_cli

WHO = ("--reason", "request 2026-17", "--authorised-by", "A. Officer", "--code", "art-17")


def send(server: Server, *people: str) -> None:
    """A span of each of these people."""
    with server.sender() as sender:
        spans = [
            build.span(
                attributes={**build.SPAN_ATTRIBUTES, "audit.changed_by": one, "note": f"of {one}!"}
            )
            for one in people
        ]
        assert sender.send(build.request(*spans), "grpc").acknowledged


def run(ledger: Path, *words: str, code: int = 0) -> str:
    done = run_cli(*words, cwd=ledger.parent)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def told(ledger: Path, *words: str) -> Any:
    done = run_cli(*words, "--format", "json", cwd=ledger.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def erased(report: dict[str, Any]) -> int:
    """How many bodies are gone as `verify` says some entry allowed."""
    assert report["pruned"] == []
    return sum(one["last"] - one["first"] + 1 for one in report["erased"])


def everywhere(server: Server, text: str) -> list[str]:
    found = [path for path in server.ledger.parent.iterdir() if path.is_file()]
    return [path.name for path in found if text.encode() in path.read_bytes()]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger at rest, with records of alice, bob and carol."""
    with Server(tmp_path) as server:
        send(server, "alice-x1", "bob-x2", "carol-x3", "alice-x1")
        settle(server)
    return server.ledger


def test_a_person_is_erased_offline_and_the_files_are_searched(ledger: Path) -> None:
    erase = ("erase", str(ledger), "--actor", "alice-x1", *WHO)
    assert "2 bodies would go" in run(ledger, *erase, "--dry-run")
    assert "give --yes" in run(ledger, *erase, code=2)
    assert events(ledger, "erase") == []
    said = run(ledger, *erase, "--yes")
    assert re.search(r"erased 2 bodies by entry \d+; searched \d+ bytes .* 4 salts .*none is", said)
    assert b"alice-x1" not in ledger.read_bytes()
    assert b"bob-x2" in ledger.read_bytes()
    [event] = events(ledger, "erase")
    assert event["asked_by"]["uid"] == os.getuid()
    assert "alice" not in json.dumps(event)
    report = holds(ledger)
    assert erased(report) == 2
    assert "no body to erase" in run(ledger, *erase, "--yes", code=2)
    found = rows(ledger, "SELECT actor, action FROM audit_records ORDER BY seq")
    assert [row["actor"] for row in found] == [None, "bob-x2", "carol-x3", None]
    assert {row["action"] for row in found} == {"role_update"}, "the header stays"
    shown = run_cli("search", ledger, "--action", "role_update", cwd=ledger.parent)
    assert (shown.returncode, len(shown.stdout.splitlines())) == (0, 4)
    exported = run_cli("export", ledger, "--format", "jsonl", cwd=ledger.parent)
    assert exported.returncode == 0
    seq = rows(ledger, "SELECT min(seq) AS s FROM entry WHERE body IS NULL")[0]["s"]
    proof = ledger.parent / "proof"
    proof.write_text(run_cli("prove", ledger, str(seq), cwd=ledger.parent).stdout)
    vkey = ledger.with_suffix(".vkey").read_text().strip()
    run(ledger, "verify", "--proof", str(proof), "--vkey", vkey)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--seq", "4"), "--code is required"),
        (("--seq", "x", "--code", "c"), "is no seq and no range"),
        (("--code", "c"), "by --seq, or by --actor"),
        (("--seq", "4", "--target", "--code", "c"), "--target goes with --actor"),
        (("--seq", "9999", "--code", "c", "--yes"), "there is no body to erase"),
        (("--actor", "a. officer", "--code", "c"), "names the person"),
    ],
    ids=["code", "range", "nothing", "target", "beyond", "name"],
)
def test_what_cannot_be_meant_is_refused(ledger: Path, more: tuple[str, ...], why: str) -> None:
    said = run(ledger, "erase", str(ledger), *WHO[:4], *more, code=2)
    assert why in said
    assert events(ledger, "erase") == []


def test_holds_and_policy_by_command(ledger: Path) -> None:
    assert "for ever" in run(ledger, "retention", "status", str(ledger))
    assert "there is no policy" in run(ledger, "retention", "plan", str(ledger))
    said = run(ledger, "hold", "add", str(ledger), "case-7", "--actor", "bob-x2", *WHO)
    assert "holds 1 entries" in said
    assert "case-7" in run(ledger, "hold", "list", str(ledger))
    refused = run(ledger, "erase", str(ledger), "--actor", "bob-x2", *WHO, "--yes", code=2)
    assert "are kept by case-7" in refused
    run(ledger, "retention", "set", str(ledger), "--keep", "400d", "--rule", "role_*=1d", *WHO)
    status = told(ledger, "retention", "status", str(ledger))
    policy = {"keep": "400d", "rules": [{"actions": ["role_*"], "keep": "1d"}]}
    assert status["policy"] == policy
    assert [hold["name"] for hold in status["holds"]] == ["case-7"]
    plan = told(ledger, "retention", "plan", str(ledger))
    assert (plan["bodies"], plan["policy"]) == (0, policy)
    assert "0 bodies are due" in run(ledger, "retention", "apply", str(ledger), *WHO, "--yes")
    run(ledger, "hold", "release", str(ledger), "case-7", *WHO)
    assert told(ledger, "hold", "list", str(ledger)) == []
    assert "is no period" in run(
        ledger, "retention", "set", str(ledger), "--keep", "soon", *WHO, code=2
    )
    holds(ledger)


def test_a_running_service_erases_while_records_come_in(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        send(server, "alice-x1", "bob-x2", "alice-x1")
        done = told(
            server.ledger, "erase", str(server.ledger), "--actor", "alice-x1", *WHO, "--yes"
        )
        assert done["bodies"] == 2
        assert done["searched"]["found"] == 0
        assert done["searched"]["salts"] == 4
        assert everywhere(server, "alice-x1") == []
        send(server, "dave-x4")
        assert everywhere(server, "dave-x4") != []
        [event] = events(server.ledger, "erase")
        assert event["asked_by"]["uid"] == os.getuid()
        [(size,)] = sqlite3.connect(server.ledger).execute(
            "SELECT min(size) FROM checkpoint WHERE size > ?", (done["entries"][0],)
        )
        assert size, "a checkpoint was published over it"
        kept = (server.folder / "audit-anchor" / "checkpoints.txt").read_text()
        assert f"\n{size}\n" in kept
        assert "audit_receiver_retention_unfinished 0.0" in server.get("/metrics")[1]
        report = settle(server)
        assert erased(report) == 2


def test_a_reader_leaves_it_unfinished_and_the_service_finishes_it(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        send(server, "alice-x1", "bob-x2")
        reader = sqlite3.connect(f"file:{server.ledger}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entry").fetchone()
        erase = ("erase", str(server.ledger), "--actor", "alice-x1", *WHO, "--yes")
        said = run(server.ledger, *erase, code=2)
        assert "unfinished: a reader holds the ledger open" in said
        status = run(server.ledger, "retention", "status", str(server.ledger))
        assert "UNFINISHED" in status
        reader.close()
        again = run(server.ledger, "retention", "apply", str(server.ledger), *WHO, "--yes")
        assert "pruned 0 bodies" in again
        assert everywhere(server, "alice-x1") == []
        status = run(server.ledger, "retention", "status", str(server.ledger))
        assert "UNFINISHED" not in status
        settle(server)


def test_a_configured_policy_stands_in_the_genesis_and_another_one_is_a_warning(
    tmp_path: Path,
) -> None:
    keep = {"retention": {"keep": "400d", "rules": [{"kinds": ["ledger"], "keep": "90d"}]}}
    with Server(tmp_path, keep) as server:
        settle(server)
        [genesis] = events(server.ledger, "genesis")
        assert genesis["retention"] == {
            "keep": "400d",
            "rules": [{"kinds": ["ledger"], "keep": "90d"}],
        }
        server.config["retention"]["keep"] = "30d"
        server.start()
        assert "the configuration's retention is not the ledger's" in server.stderr
        assert events(server.ledger, "retention") == []
        settle(server)


@pytest.mark.skipif(os.getuid() != 0, reason="changes the user")
def test_the_socket_takes_orders_from_nobody_else(tmp_path: Path) -> None:
    code = (
        "import os, sys, socket; from pathlib import Path; from audit_receiver.cli import readlog;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "print(readlog.exchange(Path(sys.argv[1]), sys.argv[2].encode() + b'\\n', 10).decode())"
    )
    with Server(tmp_path) as server:
        send(server, "alice-x1")
        for path in (tmp_path, *tmp_path.parents):
            if path != Path("/") and not os.stat(path).st_mode & 0o001:
                path.chmod(os.stat(path).st_mode | 0o055)
        socket = server.ledger.with_suffix(".sock")
        server.ledger.parent.chmod(0o755)
        socket.chmod(0o666)
        order = {"command": "erase", "ranges": [[3, 3]], "authoriser": "x", "reason": "y"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(socket), json.dumps({**order, "code": "z"})],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert "for the service's own user or root; uid 65534 is neither" in done.stdout, (
            done.stderr
        )
        assert events(server.ledger, "erase") == []


def test_compacting_gives_space_back_and_changes_no_hash(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        for group in range(4):
            send(server, *(f"person-{group}-{one}-{'x' * 400}" for one in range(200)))
        refused = run(server.ledger, "compact", str(server.ledger), code=2)
        assert "stop it first" in refused
        settle(server)
    ledger = server.ledger
    before = rows(ledger, "SELECT seq, header, lower(hex(hash)) AS hash FROM entry ORDER BY seq")
    run(ledger, "erase", str(ledger), "--seq", "3-790", *WHO, "--yes")
    grown = ledger.stat()
    said = run(ledger, "compact", str(ledger))
    found = re.search(r"(\d+) bytes became (\d+): (\d+) came back", said)
    assert found is not None, said
    assert ledger.stat().st_size == int(found[2]) < grown.st_size / 2
    assert (ledger.stat().st_mode, ledger.stat().st_ino != grown.st_ino) == (grown.st_mode, True)
    after = rows(ledger, "SELECT seq, header, lower(hex(hash)) AS hash FROM entry ORDER BY seq")
    assert after[: len(before)] == before
    assert [path.name for path in ledger.parent.glob("*.compacting")] == []
    report = holds(ledger)
    assert erased(report) > 780
    server.start()
    send(server, "after")
    settle(server)


@pytest.mark.parametrize("mended", [True, False], ids=["guard put back", "guard gone"])
def test_compacting_refuses_what_does_not_hold(ledger: Path, mended: bool) -> None:
    connection = sqlite3.connect(ledger)
    [(guard,)] = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'entry_update'")
    connection.execute("DROP TRIGGER entry_update")
    connection.execute("UPDATE entry SET body = NULL WHERE seq = 5")
    if mended:
        connection.execute(guard)
    connection.commit()
    connection.close()
    before = ledger.stat().st_ino
    said = run(ledger, "compact", str(ledger), code=1)
    assert ("the body is gone" if mended else "triggers or views are not those") in said
    assert ledger.stat().st_ino == before


def test_a_successor_keeps_the_policy_that_was_in_force(ledger: Path) -> None:
    run(ledger, "retention", "set", str(ledger), "--keep", "400d", *WHO)
    successor = ledger.with_name("next.db")
    run(ledger, "continue", str(ledger), str(successor))
    assert events(successor, "genesis")[0]["retention"] == {"keep": "400d"}
    said = run(ledger, "erase", str(ledger), "--actor", "bob-x2", *WHO, "--yes", code=2)
    assert "was closed by `audit-receiver continue`" in said


def test_a_service_applies_the_policy_in_force_by_itself(tmp_path: Path) -> None:
    with Server(tmp_path, {"retention": {"apply": "daily"}}) as server:
        send(server, "alice-x1")
        settle(server)
        run(server.ledger, "retention", "set", str(server.ledger), "--kind", "ledger=1d", *WHO)
        server.start()
        assert "retention" not in server.stderr, "nothing is due, and nothing is to be warned of"
        settle(server)
    assert events(server.ledger, "prune") == []
