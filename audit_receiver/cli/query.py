"""`audit-receiver query`: somebody's own SQL, read-only."""

import sys
from pathlib import Path

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import format_option, say

TIME_LIMIT_SECONDS = 300.0


@click.command("query", short_help="Run SQL on a ledger, read-only.")
@ledger_argument
@click.argument("sql")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0),
    default=TIME_LIMIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Stop a statement that takes longer; 0: never.",
)
@format_option
def command(ledger: Path, sql: str, time_limit: float, form: str | None) -> None:
    """Run one SQL statement on a ledger, read-only; `-` reads it from stdin.

    \b
    In one minute:
      audit-receiver query ledger.db "SELECT actor, count(*) FROM audit_records GROUP BY 1"
      audit-receiver query ledger.db "SELECT timestamp, actor, target, old_value, new_value, outcome
         FROM audit_spans WHERE action = 'role_update' ORDER BY timestamp DESC"
      audit-receiver query ledger.db --format csv - < question.sql

    Views: audit_records (without repeated entries; audit_records_all has them), audit_spans,
    audit_logs, ledger_events. The statement cannot write, attach other files or change settings.
    More questions and their SQL: docs/queries.md.
    While the service runs, the statement is recorded in the ledger before anything is printed.
    """
    from audit_receiver.cli import ledgers, output, readlog

    if sql == "-":
        sql = sys.stdin.read()
    if not sql.strip():
        raise click.UsageError("there is no SQL to run")
    with ledgers.open_ledger(ledger) as reader:
        if trouble := ledgers.schema_trouble(reader):
            say(f"warning: {trouble}")
        columns, rows = reader.select(sql, (), time_limit)
        readlog.report(reader, "query", {"sql": sql})
        output.print_rows(output.default_format(form), columns, rows)
