"""`audit-receiver serve`: the receiver itself."""

import click

from audit_receiver.cli.output import say


@click.command("serve", short_help="Receive OTLP and keep what is audit.")
@click.option(
    "--config",
    "path",
    metavar="FILE",
    help="Configuration; default $AUDIT_RECEIVER_CONFIG, else the embedded one.",
)
@click.option("--check", is_flag=True, help="Only read the configuration, say what is wrong, end.")
@click.option(
    "--accept-clock",
    is_flag=True,
    help="Believe the clock once, although it is far ahead of the last entry.",
)
@click.option(
    "--new-key",
    metavar="REASON",
    default="",
    help="Change the ledger's key now, for a reason that the ledger keeps.",
)
def command(path: str | None, check: bool, accept_clock: bool, new_key: str) -> int:
    """Receive OTLP, keep audit spans and logs, acknowledge what is on disk.

    \b
    In one minute:
      audit-receiver serve                          127.0.0.1:4317, :4318, ./audit-data/ledger.db
      audit-receiver serve --config receiver.yaml
      audit-receiver serve --check --config receiver.yaml

    It says `ready` on stderr, and stops on SIGTERM or Ctrl-C with nothing lost.
    Exit codes: 0 stopped; 1 the ledger does not hold; 2 configuration, port, lock, key or missing
    ledger.
    """
    from audit_receiver.config import load

    config = load.load(path)
    if check:
        click.echo(f"{load.source(path) or load.EMBEDDED} is valid")
        return 0
    from audit_receiver import service

    return service.run(config, say, accept_clock, new_key)
