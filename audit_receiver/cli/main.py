"""The command line's door: finds the command, turns every end into a message and an exit code.

Exit codes: 0 holds or done, 1 the evidence does not hold, 2 could not judge or wrong use, 3 holds
but is not covered by an outside checkpoint. Python's own 1 for a crash would say "tampered", so
everything unforeseen ends with 2.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from audit_receiver import __version__
from audit_receiver.errors import AuditReceiverError, IntegrityError

DONE, DOES_NOT_HOLD, CANNOT_JUDGE, NOT_ANCHORED = 0, 1, 2, 3
INTERRUPTED, BROKEN_PIPE = 130, 141  # what a shell says of SIGINT and SIGPIPE

COMMANDS = {
    "init": "init",
    "serve": "serve",
    "verify": "verify",
    "verifier": "verifier",
    "query": "query",
    "search": "search",
    "export": "export",
    "prove": "prove",
    "checkpoint": "checkpoint",
    "witness": "witness",
    "recover": "recover",
    "continue": "continue_",
    "retention": "retention.command",
    "hold": "retention.hold",
    "erase": "retention.erase",
    "compact": "retention.compact",
    "token": "token",
    "mirror": "mirror",
    "rebuild": "rebuild",
    "monitor": "monitor",
    "lint": "lint",
    "canary": "canary.command",
    "doctor": "doctor.command",
    "demo": "demo.command",
}


class _ReaderGone(Exception):
    """Nobody reads our stdout any more. Not an OSError, which click would turn into exit code 1."""


class _Commands(click.Group):
    """Imports a command only when it is asked for, so that the program starts fast."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as exc:
            raise _ReaderGone from exc
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        found = importlib.import_module(f"audit_receiver.cli.{module}")
        command = found.command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="audit-receiver")
def cli() -> None:
    """OTLP in, evidence out: keeps audit spans and logs in a tamper-evident SQLite ledger.

    \b
    In one minute:
      audit-receiver demo                     see all of it work, and tampering found
      audit-receiver serve                    receive OTLP on 127.0.0.1:4317 and :4318
      audit-receiver search audit-data/ledger.db --since 90d
      audit-receiver verify audit-data/ledger.db

    Data goes to stdout, everything else to stderr. All times are UTC.
    Exit codes: 0 holds or done, 1 does not hold, 2 could not judge or wrong use, 3 holds but is not
    covered by an outside checkpoint.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never raises."""
    try:
        colour = False if os.environ.get("NO_COLOR") else None  # no-color.org; None: if a terminal
        result = cli.main(
            arguments, prog_name="audit-receiver", standalone_mode=False, color=colour
        )
    except click.ClickException as exc:
        exc.show()
        return CANNOT_JUDGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except _ReaderGone:
        _silence_stdout()
        return BROKEN_PIPE
    except IntegrityError as exc:
        return _failed(exc, DOES_NOT_HOLD)
    except AuditReceiverError as exc:
        return _failed(exc, CANNOT_JUDGE)
    except OSError as exc:
        where = f"{exc.filename}: " if exc.filename else ""
        return _failed(f"{where}{exc.strerror or exc}", CANNOT_JUDGE)
    except Exception:
        traceback.print_exc()
        click.echo("error: this is a bug in audit-receiver; nothing was judged", err=True)
        return CANNOT_JUDGE
    return result if isinstance(result, int) else DONE


def main() -> NoReturn:
    """The entry point `audit-receiver`."""
    sys.exit(run())


def _failed(what: object, code: int) -> int:
    click.echo(f"error: {what}", err=True)
    return code


def _silence_stdout() -> None:
    """The reader has gone: what is left in the buffer must not raise again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
