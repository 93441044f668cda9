"""`audit-receiver compact`: give the space of deleted bodies back."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import say
from audit_receiver.errors import IntegrityError, LedgerError

if TYPE_CHECKING:
    from audit_receiver.verify.report import VerifyReport


@click.command("compact", short_help="Give the space of deleted bodies back (service stopped).")
@ledger_argument
def command(ledger: Path) -> None:
    """Write the ledger anew without its free pages; stop the service first.

    \b
    In one minute:
      audit-receiver compact ledger.db

    It is verified before, written beside the old file, compared with it row by row, put in its
    place in one step, and verified again: every hash is what it was. As much free space as the
    ledger has bytes is needed meanwhile. Backups from before still hold what was deleted since.
    """
    from audit_receiver.cli import ledgers
    from audit_receiver.ledger.compacting import compact
    from audit_receiver.ledger.lock import is_held

    with ledgers.open_trusted(ledger) as reader:
        if is_held(reader.files.lock):
            raise LedgerError(f"{ledger}: a service holds it; stop it first, then compact")
    say("verifying before")
    before = _verified(ledger)
    say("writing it anew")
    done = compact(ledger)
    say("verifying after")
    after = _verified(ledger)
    if (before.size, before.root, before.origin) != (after.size, after.root, after.origin):
        raise IntegrityError(f"{ledger}: size or root changed; keep the file and report it")
    freed = done.before_bytes - done.after_bytes
    share = f" ({100 * freed // done.before_bytes} %)" if done.before_bytes else ""
    click.echo(
        f"{done.before_bytes} bytes became {done.after_bytes}: {freed} came back{share};"
        f" {done.entries} entries, root {after.root} as before"
    )


def _verified(ledger: Path) -> "VerifyReport":
    from audit_receiver.examine import Question, examine

    report = examine(Question(ledger))
    if report.findings:
        first = report.findings[0]
        raise IntegrityError(
            f"{ledger}: does not hold: {first.message}. Nothing more was done; run"
            " `audit-receiver verify` on it and keep the file as it is"
        )
    return report
