"""How the commands about bodies reach the ledger's one writer, and what they have in common."""

import json
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from audit_receiver.cli.output import say
from audit_receiver.errors import LedgerError

if TYPE_CHECKING:
    from audit_receiver.retention.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])
PATIENCE_SECONDS = 6 * 3600.0  # deleting a million bodies takes its time

_WHO = (
    click.option("--reason", required=True, metavar="TEXT", help="Why; it is recorded for ever."),
    click.option(
        "--authorised-by", "authoriser", required=True, metavar="WHO", help="On whose word."
    ),
    click.option("--code", metavar="CODE", default="", help="Reason code, as art-17 or case-7."),
)
config_option = click.option(
    "--config", metavar="FILE", help="The service's, where its key is not beside the ledger."
)
json_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask first.")


def who_options(command: F) -> F:
    """Add why and on whose word."""
    for option in reversed(_WHO):
        command = option(command)
    return command


def confirm(question: str, yes: bool) -> None:
    """Ask the person, or insist on --yes where there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: look at it with --dry-run, give --yes")
    click.confirm(question, abort=True, err=True)


def ask(ledger: Path, config: str | None, order: dict[str, Any]) -> dict[str, Any]:
    """Have it done by the running service, or by this process where none is running."""
    from audit_receiver.ledger.keys import LedgerFiles
    from audit_receiver.ledger.lock import is_held

    files = LedgerFiles.beside(ledger)
    if is_held(files.lock):
        return _by_service(files.socket, order)
    import time

    from audit_receiver.retention.orders import perform

    with offline(ledger, config) as engine:
        return perform(engine, order, os.getuid(), _user(), time.time_ns())


@contextmanager
def offline(ledger: Path, config: str | None) -> "Iterator[Engine]":
    """The ledger under the writer's lock, for this process; what was unfinished is finished."""
    from dataclasses import replace

    from audit_receiver import __version__, service
    from audit_receiver.config import load
    from audit_receiver.ledger.appender import Appender, LedgerSettings
    from audit_receiver.retention.engine import Engine

    os.umask(0o027)
    if config:
        settings = replace(service.ledger_settings(load.load(config)), path=ledger)
    else:
        settings = LedgerSettings(ledger, version=__version__)
    settings = replace(settings, create="never", disk_reserve_bytes=0, exact=False)
    appender = Appender.open(settings, service.system_clock())
    try:
        engine = Engine(appender, ledger)
        engine.resume()
        yield engine
    finally:
        if remark := appender.close():
            say(remark)


def _by_service(path: Path, order: dict[str, Any]) -> dict[str, Any]:
    from audit_receiver.cli import readlog

    try:
        line = readlog.exchange(path, json.dumps(order).encode() + b"\n", PATIENCE_SECONDS)
    except OSError as exc:
        raise LedgerError(
            f"{path}: a program holds the ledger and does not answer here: {exc}. If it is not"
            " `serve`, wait until it has ended; else use the service's user or root"
        ) from exc
    try:
        answer = json.loads(line)
    except ValueError as exc:
        raise LedgerError(
            f"{path}: the service ended before all was done. What its entries authorise so far is"
            " finished at its next start; then give this command again for the rest"
        ) from exc
    if not isinstance(answer, dict) or "error" in answer:
        raise LedgerError(str(answer.get("error") if isinstance(answer, dict) else answer))
    return answer


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
