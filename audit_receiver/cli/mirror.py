"""`audit-receiver mirror`: a ledger as C2SP tlog-tiles, where other people's tools read it."""

import time
from pathlib import Path

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import say

_POLL_SECONDS = 5.0


@click.command("mirror", short_help="Copy a ledger to where others can read and check it.")
@ledger_argument
@click.argument("place", metavar="DIR|s3://BUCKET/PREFIX")
@click.option("--follow", is_flag=True, help="Go on with each new checkpoint, until interrupted.")
@click.option(
    "--bodies/--no-bodies",
    default=True,
    show_default=True,
    help="Whether the records' contents go with their headers.",
)
@click.option("--endpoint-url", metavar="URL", help="Of an S3 that is not Amazon's.")
@click.option("--region", metavar="NAME", help="Of the bucket.")
def command(
    ledger: Path,
    place: str,
    follow: bool,
    bodies: bool,
    endpoint_url: str | None,
    region: str | None,
) -> None:
    """Write a ledger as a C2SP tlog-tiles log, its headers as the entries, with bodies beside.

    \b
    In one minute:
      audit-receiver mirror audit-data/ledger.db /srv/audit-mirror
      audit-receiver rebuild /srv/audit-mirror again.db --vkey audit-data/ledger.vkey
      audit-receiver monitor /srv/audit-mirror --vkey audit-data/ledger.vkey --once

    It goes as far as the newest published checkpoint, and writes `checkpoint` last: interrupted
    anywhere, the place holds what it held before, and the next run goes on from there. Any web
    server can serve the directory, and any tlog-tiles client check it (docs/mirror.md).
    Exit codes: 0 done, 1 the place holds another history or the ledger does not hold, 2 the place
    or the ledger cannot be used.
    """
    from audit_receiver.cli import ledgers
    from audit_receiver.mirror import places
    from audit_receiver.mirror.following import newest_note
    from audit_receiver.mirror.stores import StoreError
    from audit_receiver.mirror.writer import MirrorWriter

    writer = MirrorWriter(places.store(place, endpoint_url, region), bodies)
    with ledgers.open_ledger(ledger) as reader:
        known = ""
        while True:
            note = newest_note(reader)
            try:
                if note != known:
                    done = writer.bring_up(reader, note)
                    known = note
                    say(f"{place}: {done.size:,} entries; {done.written:,} new objects")
            except StoreError as exc:
                if not follow:
                    raise
                say(f"warning: {exc}; tried again in {_POLL_SECONDS:g} s")
            if not follow:
                return
            time.sleep(_POLL_SECONDS)
