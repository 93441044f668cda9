"""`audit-receiver export`: every matching record, whole or not at all."""

from pathlib import Path
from typing import Any

import click

from audit_receiver.cli.filters import build, filter_options
from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import count_of, say


@click.command("export", short_help="Write all matching records as JSON Lines or CSV.")
@ledger_argument
@filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines, or CSV for spreadsheets.",
)
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write here, whole or not at all. Default: stdout.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(ledger: Path, form: str, target: Path | None, force: bool, **options: Any) -> None:
    """Write every matching record, in the order of the ledger; there is no hidden limit.

    \b
    In one minute:
      audit-receiver export ledger.db --output all.jsonl
      audit-receiver export ledger.db --format csv --from 2026-01-01 --to 2026-03-31 --output q1.csv
      audit-receiver export ledger.db --actor alice | jq .action

    Filters are those of `search`. A FILE appears when it is complete and synced, or not at all.
    JSON Lines hold `body` byte for byte as it was hashed. In CSV a cell that begins with = + - @, a
    tab, a line end or an apostrophe gets an apostrophe in front, so that no spreadsheet computes
    it; take one leading apostrophe away to have the value.
    While the service runs, the export is recorded in the ledger before anything is written.
    """
    from audit_receiver.cli import ledgers, output, readlog
    from audit_receiver.export import JSON_COLUMNS, whole_file

    wanted = build(options)
    with ledgers.open_trusted(ledger) as reader, output.progress("searching", None) as bar:
        if target is not None and reader.files.holds(target):
            raise click.UsageError(f"{target} belongs to the ledger; choose another name")
        size = reader.size()
        seqs = sorted(ledgers.found(reader, wanted))
        about = {**wanted.as_dict(), "format": form, "records": len(seqs)}
        readlog.report(reader, "export", about)
        bar.label("exporting", len(seqs))
        rows = ledgers.rows_of(reader, wanted, wanted.columns, seqs, bar.advance)
        if target is None:
            output.print_rows(form, wanted.columns, rows, JSON_COLUMNS)
        else:
            with whole_file(target, force) as stream:
                output.write_rows(form, wanted.columns, rows, stream, JSON_COLUMNS)
    if target is not None:
        told = count_of(len(seqs), "record")
        say(f"{told} of a ledger of {count_of(size, 'entry')} written to {target}")
