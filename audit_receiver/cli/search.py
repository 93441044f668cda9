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
      audit-receiver search ledger-2025.db ledger-2026.db --actor alice

    Several values of one filter mean any of them, several filters mean all; --flag and TEXT must
    all be there. TEXT ignores case for ASCII letters. Times are event times as the producers state
    them; a record without one counts by the time at which it was received, and comes last.
    Repeated entries (flag duplicate) are left out unless --duplicates is given.
    Further ledgers that continue LEDGER can be named behind it; the rows come as of one, each with
    its ledger's name.
    While the service runs, the search is recorded in the ledger before anything is printed.
    """
    from audit_receiver import export, query
    from audit_receiver.cli import chained, output, readlog
    from audit_receiver.cli.ledgers import found, open_chain, take_ledgers

    paths = take_ledgers(ledger, options)
    wanted = build(options)
    form = output.default_format(form)
    with open_chain(paths) as readers:
        seqs = [found(reader, wanted, limit + 1 if limit else None) for reader in readers]
        matches = sum(map(len, seqs))
        more = bool(limit) and matches > limit
        shown = limit if more else matches
        readlog.report_all(readers, "search", {**wanted.as_dict(), "records": shown})
        columns = wanted.summary if form == "table" else _columns(wanted.columns)
        rows = chained.newest_first(readers, wanted, columns, seqs, shown)
        named = chained.columns_of(readers, columns)
        output.print_rows(form, named, rows, export.JSON_COLUMNS, query.SPARE)
    if more:
        say(f"the newest {limit:,} are shown, more match; --limit 0 shows all")
    elif sys.stderr.isatty():
        say(count_of(shown, "record"))


def _columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """All but what only a verifier needs; `export` has that too."""
    return tuple(name for name in columns if name not in ("body", "prev_hash"))
