"""`audit-receiver init`: a new ledger with its keys."""

from pathlib import Path

import click

from audit_receiver.cli.output import say


@click.command("init", short_help="Create a ledger and its keys.")
@click.argument("ledger", required=False, type=click.Path(path_type=Path), metavar="[LEDGER]")
@click.option("--name", metavar="NAME", help="First part of the origin, as example.com/audit.")
@click.option("--config", "path", metavar="FILE", help="As for `serve`: rule, name, key, path.")
def command(ledger: Path | None, name: str | None, path: str | None) -> None:
    """Create a ledger with its keys, and print its origin and verifier key.

    \b
    In one minute:
      audit-receiver init                                ./audit-data/ledger.db
      audit-receiver init /data/ledger.db --name example.com/audit
      audit-receiver init --config receiver.yaml         the path and rule that `serve` will use

    LEDGER is the configuration's ledger.path if it is not given. Nothing existing is overwritten.
    Do this once in production and set `ledger.create: never`, so that a lost volume is an error and
    not a silent fresh start.
    """
    import os
    from dataclasses import replace

    from audit_receiver import service
    from audit_receiver.config import load
    from audit_receiver.ledger.keys import LedgerFiles
    from audit_receiver.ledger.opening import create_only
    from audit_receiver.ledger.reader import Reader

    settings = service.ledger_settings(load.load(path))
    if ledger is not None:
        settings = replace(settings, path=ledger)
    if name is not None:
        settings = replace(settings, name=name)
    os.umask(0o027)
    vkey = create_only(settings, service.system_clock())
    files = LedgerFiles.beside(settings.path, settings.key_path)
    click.echo(f"ledger        {files.ledger}")
    click.echo(f"origin        {vkey.partition('+')[0]}")
    click.echo(f"verifier key  {vkey}")
    with Reader(files.ledger) as reader:
        click.echo(f"log key       {reader.genesis().event['log_vkey']}")
    say(
        f"\nKeep outside this machine, today: the verifier key ({files.vkey.name}); it is what an\n"
        "auditor checks with. Then, daily at least: `audit-receiver checkpoint` of this ledger.\n"
        f"Keep secret and backed up: {files.dedup.name} (recognises resent records) and\n"
        f"{files.logkey.name} (adds a line to published checkpoints; give the log key to those\n"
        f"who run a witness). {files.key.name} signs every head and changes daily: no backup."
    )
