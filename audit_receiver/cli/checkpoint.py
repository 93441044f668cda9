"""`audit-receiver checkpoint`: the signed tree head of the tip, as a note to keep elsewhere."""

import sys
from pathlib import Path

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import say


@click.command("checkpoint", short_help="Print the signed tree head, to be kept elsewhere.")
@ledger_argument
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write here instead of stdout; an existing file is not replaced.",
)
def command(ledger: Path, target: Path | None) -> None:
    """Print the newest signed tree head as a C2SP checkpoint.

    \b
    In one minute:
      audit-receiver checkpoint ledger.db --output checkpoint-2026-03-31.txt
      ... keep it, and ledger.vkey, where the operators of this machine cannot change them; later:
      audit-receiver verify ledger.db --vkey ledger.vkey --checkpoint checkpoint-2026-03-31.txt

    It needs no private key and works on a running and on a stopped ledger. Whoever holds it can
    prove later that no record of that day was changed, removed or put in.
    """
    from audit_receiver.cli import heads, ledgers
    from audit_receiver.export import whole_file

    with ledgers.open_ledger(ledger) as reader:
        head = heads.signed_tip(reader)
    if target is None:
        click.echo(head.note, nl=False)
    else:
        with whole_file(target) as stream:
            stream.write(head.note.encode())
    if target is not None or sys.stderr.isatty():
        say(f"size {head.size:,}; keep this where the operators of this machine cannot change it")
