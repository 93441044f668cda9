"""`audit-receiver doctor`: every check, its level, and the mend."""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from audit_receiver.cli.doctor.checks import Check, fail, ok

if TYPE_CHECKING:
    from audit_receiver.config.model import Config

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor", short_help="Check ports, disk, keys, SQLite, clock, configuration.")
@click.option("--config", "path", metavar="FILE", help="As for `serve`.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print.",
)
def command(path: str | None, form: str) -> int:
    """Check whether this machine is fit to keep a ledger, and say what mends it if not.

    \b
    In one minute:
      audit-receiver doctor                        the embedded default
      audit-receiver doctor --config receiver.yaml
      audit-receiver doctor --format json | jq '.checks[] | select(.level != "ok")'

    Looks at the configuration, ports, disk space, fsync time, directory and key permissions,
    SQLite, the anchors, the clock, and an existing ledger's tip (`verify` checks all of it).
    Changes nothing; a small scratch file beside the ledger is removed again.
    Exit codes: 0 no failure (warnings may stand), 1 something fails, 2 wrong use.
    """
    checks = list(examine(path))
    failed = any(check.level == "fail" for check in checks)
    if form == "json":
        _print_json(checks, failed)
    else:
        _print_text(checks, failed)
    return 1 if failed else 0


def examine(path: str | None) -> Iterator[Check]:
    """All checks, in the order in which a person would mend them."""
    from audit_receiver.cli.doctor import anchors, clock, database, files, ports

    began = time.time_ns(), time.monotonic_ns()
    config, check = _configuration(path)
    yield check
    yield from database.checks()
    if config is not None:
        yield from ports.checks(config)
        yield from files.checks(config)
        yield from anchors.checks(config)
    yield from clock.checks(config, began)


def _configuration(path: str | None) -> tuple["Config | None", Check]:
    from audit_receiver.config import load
    from audit_receiver.errors import ConfigError

    try:
        loaded = load.load(path)
    except ConfigError as exc:
        return None, fail("configuration", str(exc), "correct it; `serve --check` reads it again")
    return loaded, ok("configuration", f"{load.source(path) or load.EMBEDDED} is valid")


def _print_text(checks: list[Check], failed: bool) -> None:
    from audit_receiver.cli.output import safe

    width = max(len(check.name) for check in checks)
    for check in checks:
        level = click.style(f"{check.level:4}", fg=_COLOURS[check.level], bold=True)
        lines = [safe(line) for line in check.message.splitlines()]
        click.echo(f"{level}  {check.name:{width}}  {lines[0] if lines else ''}")
        for line in lines[1:]:
            click.echo(f"{'':{width + 8}}{line}")
        if check.mend:
            click.echo(f"{'':{width + 8}}-> {safe(check.mend)}")
    warned = sum(check.level == "warn" for check in checks)
    failures = sum(check.level == "fail" for check in checks)
    said = f"{len(checks)} checks, {warned} warnings, {failures} failures"
    click.echo(f"\n{'not fit' if failed else 'fit'}: {said}")


def _print_json(checks: list[Check], failed: bool) -> None:
    import orjson

    report = {"fit": not failed, "checks": [check._asdict() for check in checks]}
    sys.stdout.buffer.write(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()
