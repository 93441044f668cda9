"""The door: exit codes, streams, speed of the start, and text that a terminal must not obey."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from audit_receiver import __version__, errors
from audit_receiver.cli import main, output
from tests.cli.conftest import Populated, Result
from tests.kit.attacker import copy_of
from tests.kit.lab import LedgerLab, draft
from tests.kit.server import COMMAND, environment

Command = Callable[..., Result]
HEAVY = ("grpc", "aiohttp", "pydantic", "cryptography", "google", "opentelemetry", "rich", "uvloop")


def _run(*words: str | Path, **options: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        timeout=60,
        check=False,
        env=environment(),
        **options,  # type: ignore[call-overload]
    )


def test_the_version_is_said(command: Command) -> None:
    assert command("--version") == Result(0, f"audit-receiver, version {__version__}\n", "")


def test_help_begins_with_what_can_be_done_in_a_minute(command: Command) -> None:
    top = command("--help")
    assert top.code == 0
    for name in main.COMMANDS:
        assert re.search(rf"^  {name} ", top.out, re.MULTILINE), name
        text = command(name, "--help").out
        assert "In one minute:" in text, name
        assert f"audit-receiver {name}" in text, name
        assert not [line for line in text.splitlines() if len(line) > 100], name


def test_the_start_imports_nothing_heavy() -> None:
    code = (
        "import sys; from audit_receiver.cli.main import cli; import click;"
        "context = click.Context(cli);"
        "[cli.get_command(context, name) for name in cli.list_commands(context)];"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.IntegrityError("broken"), 1),
        (errors.LedgerFatal("broken"), 1),
        (errors.LedgerError("missing"), 2),
        (errors.ConfigError("wrong"), 2),
        (click.UsageError("wrong"), 2),
        (FileNotFoundError(2, "No such file", "x"), 2),
        (RuntimeError("a bug"), 2),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_end_has_its_exit_code_and_words(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    @click.command()
    def fails() -> None:
        raise error

    monkeypatch.setattr(type(main.cli), "get_command", lambda *_: fails)
    assert main.run(["query"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.strip()


@pytest.mark.parametrize(
    "words", [["no-such"], [], ["verify"], ["search"], ["query", "x.db"], ["verify", "--odd"]]
)
def test_wrong_use_ends_with_2(command: Command, words: list[str]) -> None:
    result = command(*words)
    assert result.code == 2
    assert result.err or not words


@pytest.mark.parametrize("words", [["search"], ["export"], ["checkpoint"], ["verify"]])
def test_a_ledger_that_is_not_there_is_said(
    command: Command, tmp_path: Path, words: list[str]
) -> None:
    result = command(*words, tmp_path / "none.db")
    assert (result.code, result.out) == (2, "")
    assert "there is no ledger here" in result.err
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("content", [b"", b"no database" * 1000], ids=["empty", "text"])
@pytest.mark.parametrize("words", [["search"], ["query"], ["verify"], ["checkpoint"]])
def test_a_file_that_is_no_ledger_is_said(
    command: Command, tmp_path: Path, words: list[str], content: bytes
) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(content)
    result = command(*words, path, *(["SELECT 1"] if words == ["query"] else []))
    assert (result.code, result.out) == (2, "")
    assert str(path) in result.err


def test_data_goes_to_stdout_and_words_to_stderr(command: Command, populated: Populated) -> None:
    result = command("search", populated.path, "--limit", "1", "--format", "csv")
    assert len(result.out.splitlines()) == 2
    assert "was not recorded in the ledger: no service is running on it" in result.err


def test_a_reader_that_goes_away_is_no_error(populated: Populated) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "export", str(populated.path)],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        env=environment(),
    )
    os.close(write)
    assert b"Broken" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.returncode == 141  # as SIGPIPE, which 0 and 1 must not be mistaken for


def test_a_full_disk_behind_stdout_is_said(populated: Populated) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "export", str(populated.path)],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            env=environment(),
        )
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--format", "json"], b"[\n{"),
        (["--format", "jsonl"], b'{"n":1'),
        (["--format", "csv"], b"n,t\r\n"),
        ([], b'{"n":1'),
    ],
)
def test_the_default_format_for_a_program_is_jsonl(
    populated: Populated, words: list[str], first: bytes
) -> None:
    done = _run("query", populated.path, "SELECT 1 AS n, 'x' AS t", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(first)


def test_colour_is_for_terminals_that_want_it(populated: Populated) -> None:
    """Under a pseudo-terminal, as a person has it; NO_COLOR (no-color.org) takes it away."""
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        shown = _on_terminal(["verify", str(populated.path)], extra)
        assert ("\x1b[" in shown) is coloured, shown[:200]


def test_a_person_gets_a_table(populated: Populated) -> None:
    shown = _on_terminal(["search", str(populated.path), "--limit", "3"], {"NO_COLOR": "1"})
    assert "seq" in shown.splitlines()[0] or "not recorded" in shown.splitlines()[0]
    assert "─────" in shown
    assert "the newest 3 are shown" in shown


def _on_terminal(words: list[str], extra: dict[str, str]) -> str:
    import pty

    main_end, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**environment(), "TERM": "xterm-256color", "COLUMNS": "100", **extra},
    )
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(main_end, 65536):
            shown += part
    except OSError:  # the other end is closed: Linux says EIO
        pass
    os.close(main_end)
    process.wait(60)
    return shown.decode()


HOSTILE = "\x1b[31mred\x1b]0;title\x07\r\nnext\u202egnol\u200b\x9b1m"


def test_hostile_text_is_shown_to_a_terminal_and_not_obeyed() -> None:
    assert output.safe(HOSTILE) == (r"\x1b[31mred\x1b]0;title\x07\x0d\nnext\u202egnol\u200b\x9b1m")
    assert output.safe("Zürich 東京 😀") == "Zürich 東京 😀"


def test_hostile_records_cannot_write_to_the_terminal(command: Command, lab: LedgerLab) -> None:
    lab.append(draft("r", audit_target_id="\x1b[2J\u202eevil"))
    lab.close()
    shown = command("search", lab.path, "--format", "table").out
    assert "evil" in shown
    for character in "\x1b\u202e\x07\r":
        assert character not in shown


def test_markup_in_records_is_text(command: Command, lab: LedgerLab) -> None:
    lab.append(draft("r", audit_target_id="[red]x[/red] :smile:"))
    lab.close()
    assert "[red]x[/red] :smile:" in " ".join(
        command(
            "query", lab.path, "SELECT target FROM audit_records", "--format", "table"
        ).out.split()
    )


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [(0, "record", "0 records"), (1, "entry", "1 entry"), (1204, "entry", "1,204 entries")],
)
def test_numbers_and_nouns_agree(number: int, noun: str, said: str) -> None:
    assert output.count_of(number, noun) == said


class _Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "patience", "shown"), [(True, 0.0, True), (True, 60.0, False), (False, 0.0, False)]
)
def test_a_bar_is_shown_on_a_terminal_once_work_takes_long(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, patience: float, shown: bool
) -> None:
    screen = _Screen(terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(output, "PATIENCE_SECONDS", patience)
    with output.progress("opening", None) as bar:
        bar.label("checking entries", 1000)
        for done in range(0, 1001, 100):
            bar.reach(done)
    assert ("checking entries" in screen.getvalue()) is shown


@pytest.mark.parametrize("form", ["json", "text"])
def test_names_of_files_that_are_no_text_are_no_trouble(
    populated: Populated, tmp_path: Path, form: str
) -> None:
    ledger = copy_of(populated.path, tmp_path, os.fsdecode(b"led\xffger.db"))
    tip = tmp_path / os.fsdecode(b"n\xffte.txt")
    tip.write_bytes(populated.notes[populated.size].read_bytes())
    bad = tmp_path / os.fsdecode(b"b\xffd.txt")
    bad.write_bytes(b"no note")
    note = ("--checkpoint", str(tip))
    for words, code in (
        (("verify", ledger, *note, "--format", form), 0),
        (("verify", ledger, *note, "--checkpoint", str(bad), "--format", form), 2),
        (("verify", tmp_path / os.fsdecode(b"gone\xff.db"), "--format", form), 2),
        (("search", ledger, "--limit", "1"), 0),
        (("checkpoint", ledger), 0),
        (("prove", ledger, "5"), 0),
    ):
        result = _run(*words)
        assert (result.returncode, b"Traceback" in result.stderr) == (code, False), result.stderr
