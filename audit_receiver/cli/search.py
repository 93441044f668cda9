"""`audit-receiver search`: records by filter, newest first."""

import sys
from pathlib import Path
from typing import Any

import click

from audit_receiver.cli.filters import build, filter_options
from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import count_of, format_option, say

DEFAULT_LIMIT = 100


@click.command("search", short_help="Find records by who, what, whom, when.")
@ledger_argument
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(0, 2**53),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="At most so many, the newest; 0: all.",
)
@format_option
def command(ledger: Path, limit: int, form: str | None, **options: Any) -> None:
    """Find records by who, what, whom, when; newest first.

    \b
    In one minute:
      audit-receiver search ledger.db --action role_update --since 90d
      audit-receiver search ledger.db --actor alice --outcome failure
      audit-receiver search ledger.db --from 2026-01-01 --to 2026-03-31 --target bob
      audit-receiver search ledger.db invoice 4711       all words, anywhere in the record
      audit-receiver search ledger.db --kind ledger      what the receiver says of itself

    Several values of one filter mean any of them, several filters mean all; --flag and TEXT must
    all be there. TEXT ignores case for ASCII letters. Times are event times as the producers state
    them; a record without one counts by the time at which it was received, and comes last.
    Repeated entries (flag duplicate) are left out unless --duplicates is given.
    While the service runs, the search is recorded in the ledger before anything is printed.
    """
    from audit_receiver import export, query
    from audit_receiver.cli import ledgers, output, readlog

    wanted = build(options)
    form = output.default_format(form)
    with ledgers.open_trusted(ledger) as reader:
        seqs = ledgers.found(reader, wanted, limit + 1 if limit else None)
        more = bool(limit) and len(seqs) > limit
        seqs = seqs[:limit] if more else seqs
        readlog.report(reader, "search", {**wanted.as_dict(), "records": len(seqs)})
        columns = wanted.summary if form == "table" else _columns(wanted.columns)
        rows = ledgers.rows_of(reader, wanted, columns, seqs)
        output.print_rows(form, columns, rows, export.JSON_COLUMNS, query.SPARE)
    if more:
        say(f"the newest {limit:,} are shown, more match; --limit 0 shows all")
    elif sys.stderr.isatty():
        say(count_of(len(seqs), "record"))


def _columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """All but what only a verifier needs; `export` has that too."""
    return tuple(name for name in columns if name not in ("body", "prev_hash"))
