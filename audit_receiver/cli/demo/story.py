"""What the demo does, step by step, and what must be seen at each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click

from audit_receiver.cli.demo.outcome import DemoFailed
from audit_receiver.cli.demo.receiver import PROGRAM, Receiver
from audit_receiver.cli.output import safe

# The article's question, "all permission changes in the last 90 days", in SQLite's words.
ARTICLE_QUERY = """\
SELECT timestamp, actor, target, old_value AS previous_role, new_value AS new_role, outcome
  FROM audit_spans
 WHERE action = 'role_update'
   AND timestamp >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-90 days')
 ORDER BY timestamp DESC"""
STEP_SECONDS = 60.0
# The attacker has the file and knows SQL: triggers go, one character changes, triggers come back.
TAMPER = """
import sqlite3, sys
told, false = '"new":"admin"', '"new":"owner"'
ledger = sqlite3.connect(sys.argv[1])
[guard] = ledger.execute("SELECT sql FROM sqlite_master WHERE name = 'entry_update'").fetchone()
ledger.execute("DROP TRIGGER entry_update")
change = "UPDATE entry SET body = replace(body, ?, ?) WHERE seq = ?"
ledger.execute(change, (told, false, sys.argv[2]))
ledger.execute(guard)
ledger.commit()
"""


def tell(folder: Path) -> None:
    """Run the whole story. Raises DemoFailed where it does not go as told."""
    receiver = Receiver(folder)
    try:
        _begin(receiver)
        _send(receiver)
        seq = _ask(receiver)
        note = _verify(receiver)
        _tamper(receiver, note, seq)
        _end(receiver)
    finally:
        receiver.end()


def _begin(receiver: Receiver) -> None:
    _say("1. A receiver, on a ledger of its own")
    _command("serve", "--config", receiver.config)
    receiver.wait_ready()
    for line in receiver.lines:
        click.echo(f"   {safe(line)}")


def _send(receiver: Receiver) -> None:
    _say("2. An application with the OpenTelemetry SDK changes a role and a configuration")
    for transport, endpoint, target in (
        ("grpc", receiver.grpc, "bob"),
        ("http", receiver.http, "dave"),
    ):
        module = "audit_receiver.cli.demo.snippets"
        done = _run(receiver, [sys.executable, "-m", module, transport, endpoint, target])
        if done.returncode:
            raise DemoFailed(f"the application failed over {transport}: {done.stderr}")
        click.echo(f"   one span and one log record over {transport} to {endpoint}: acknowledged")


def _ask(receiver: Receiver) -> int:
    _say("3. Who did what? (each question is itself recorded in the ledger)")
    _show(_do(receiver, "search", receiver.ledger, "--since", "1h", "--format", "table"))
    _say("4. The article's question, all permission changes in the last 90 days, in SQLite's words")
    _show(_do(receiver, "query", receiver.ledger, ARTICLE_QUERY, "--format", "table"))
    rows = _rows(
        _do(receiver, "query", receiver.ledger, ARTICLE_QUERY, "--format", "jsonl", quiet=True)
    )
    told = sorted(
        (row["actor"], row["target"], row["previous_role"], row["new_role"]) for row in rows
    )
    _expect(
        told == [("alice", "bob", "viewer", "admin"), ("alice", "dave", "viewer", "admin")],
        f"the query should have found alice making bob and dave admins, it found {told}",
    )
    logs = _rows(
        _do(
            receiver,
            "search",
            receiver.ledger,
            "--action",
            "config_change",
            "--format",
            "jsonl",
            quiet=True,
        )
    )
    _expect(
        [(log["actor"], log["outcome"]) for log in logs] == [("carol", "unknown")] * 2,
        "both log records should name carol, with outcome unknown",
    )
    spans = _rows(
        _do(receiver, "search", receiver.ledger, "--target", "bob", "--format", "jsonl", quiet=True)
    )
    _expect(len(spans) == 1, "the span should be there once")
    return int(spans[0]["seq"])


def _verify(receiver: Receiver) -> Path:
    _say(
        "5. Does it hold? Nothing from outside speaks for it yet, so the answer is not a plain yes"
    )
    _show(_do(receiver, "verify", receiver.ledger, expected=3))
    _say("6. A checkpoint, kept where nobody here can change it, makes it one")
    note = Path("checkpoint.txt")
    _do(receiver, "checkpoint", receiver.ledger, "--output", note)
    click.echo(
        "".join(f"   {line}\n" for line in (receiver.folder / note).read_text("utf-8").splitlines())
    )
    vkey = receiver.ledger.with_suffix(".vkey")
    _show(_do(receiver, "verify", receiver.ledger, "--vkey", vkey, "--checkpoint", note))
    return note


def _tamper(receiver: Receiver, note: Path, seq: int) -> None:
    _say("7. Somebody with the file changes one word of a copy: bob was made owner, not admin")
    from audit_receiver.ledger.reader import Reader

    copy = Path("copy.db")
    with Reader(receiver.folder / receiver.ledger) as reader:
        reader.copy_to(receiver.folder / copy)
    done = _run(receiver, [sys.executable, "-c", TAMPER, str(copy), str(seq)])
    _expect(done.returncode == 0, f"tampering failed: {done.stderr}")
    vkey = receiver.ledger.with_suffix(".vkey")
    options = ("--vkey", vkey, "--checkpoint", note)
    _show(_do(receiver, "verify", copy, *options, expected=1))
    report = json.loads(
        _do(receiver, "verify", copy, *options, "--format", "json", expected=1, quiet=True)
    )
    found = [(finding["kind"], finding["first"], finding["last"]) for finding in report["findings"]]
    _expect(("altered", seq, seq) in found, f"verify should have named entry {seq}: {found}")


def _end(receiver: Receiver) -> None:
    _say("8. Stopped")
    code = receiver.stop()
    _expect(code == 0, f"serve ended with exit code {code}")
    _do(receiver, "verify", receiver.ledger, "--format", "json", expected=3, quiet=True)
    click.echo("   everything happened as told")


def _do(receiver: Receiver, *words: str | Path, expected: int = 0, quiet: bool = False) -> str:
    """Run one `audit-receiver` command; its stdout. Raises DemoFailed on another exit code."""
    if not quiet:
        _command(*words)
    done = _run(receiver, [*PROGRAM, *map(str, words)])
    if done.returncode != expected:
        raise DemoFailed(
            f"audit-receiver {words[0]} ended with exit code {done.returncode}, not {expected}:\n"
            f"{done.stdout}{done.stderr}"
        )
    return done.stdout


def _run(receiver: Receiver, words: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "AUDIT_"))
    }
    return subprocess.run(
        words,
        cwd=receiver.folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=STEP_SECONDS,
        check=False,
        env={**environment, "COLUMNS": "130"},
    )


def _rows(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines()]


def _say(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True))


def _command(*words: str | Path) -> None:
    shown = " ".join(f'"{word}"' if " " in str(word) else str(word) for word in words)
    click.echo("   $ audit-receiver " + shown.replace("\n", "\n       "))


def _show(text: str) -> None:
    click.echo("".join(f"   {line}\n" for line in text.splitlines()), nl=False)


def _expect(happened: bool, otherwise: str) -> None:
    if not happened:
        raise DemoFailed(otherwise)
