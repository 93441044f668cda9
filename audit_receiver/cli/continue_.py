"""`audit-receiver continue`: close a ledger and begin its successor in another file."""

from pathlib import Path

import click

from audit_receiver.cli.output import say


@click.command("continue", short_help="Close a ledger and begin its successor.")
@click.argument("ledger", type=click.Path(path_type=Path), metavar="LEDGER")
@click.argument("successor", type=click.Path(path_type=Path), metavar="SUCCESSOR")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the `close` entry.")
@click.option("--config", "path", metavar="FILE", help="As for `serve`: rule, name, anchors.")
def command(ledger: Path, successor: Path, reason: str, path: str | None) -> None:
    """Close LEDGER for good and create SUCCESSOR, whose genesis names where the old one ended.

    \b
    In one minute:
      ... stop the service
      audit-receiver continue /data/ledger-2026.db /data/ledger-2027.db --config receiver.yaml
      ... set ledger.path to the new file, start the service
      audit-receiver verify /data/ledger-2026.db /data/ledger-2027.db

    The last entry of LEDGER is `close`; nothing can be appended to it any more, and its last
    checkpoint goes to the anchors. SUCCESSOR has keys of its own; its verifier key is printed. Run
    it again if it was interrupted: what was closed stays closed.
    """
    import asyncio
    import os
    import time
    from dataclasses import replace

    from audit_receiver import publishing, service
    from audit_receiver.config import load
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.ledger.succession import continue_as
    from audit_receiver.retention import state

    config = load.load(path)
    settings = service.ledger_settings(config)
    os.umask(0o027)
    with Reader(ledger) as reader:  # the policy goes on, unless the configuration has another one
        policy = settings.retention or state.read(reader).policy.stated()
    done = continue_as(
        replace(settings, path=ledger, create="never"),
        replace(settings, path=successor, key_path=None, retention=policy),
        service.system_clock(),
        reason,
    )
    previous = done.previous
    click.echo(f"closed        {ledger}, {previous['size']} entries of {previous['origin']}")
    click.echo(f"ledger        {successor}")
    click.echo(f"origin        {done.vkey.partition('+')[0]}")
    click.echo(f"verifier key  {done.vkey}")
    if done.remark:
        say(f"warning: {done.remark}")
    if done.note:
        failed = asyncio.run(publishing.hand_out(config, done.note, time.time_ns()))
        for name, why in failed.items():
            say(f"warning: anchor {name} does not keep the last checkpoint: {why}")
    say(f"Set ledger.path to {successor}. The new verifier key has to reach your auditor.")
