"""`audit-receiver export`: every matching record, whole or not at all."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_receiver.cli.filters import build, filter_options
from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import count_of, say

if TYPE_CHECKING:
    from audit_receiver.ledger.reader import Reader


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
@click.option(
    "--proofs",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write a proof of each record into DIR, a new directory.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(
    ledger: Path,
    form: str,
    target: Path | None,
    proofs: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """Write every matching record, in the order of the ledger; there is no hidden limit.

    \b
    In one minute:
      audit-receiver export ledger.db --output all.jsonl
      audit-receiver export ledger.db --format csv --from 2026-01-01 --to 2026-03-31 --output q1.csv
      audit-receiver export ledger.db --actor alice | jq .action
      audit-receiver export ledger.db --actor alice --output alice.jsonl --proofs alice.proofs
      audit-receiver export ledger-2025.db ledger-2026.db --output both.jsonl

    Filters are those of `search`. A FILE appears when it is complete and synced, or not at all.
    JSON Lines hold `body` byte for byte as it was hashed. In CSV a cell that begins with = + - @, a
    tab, a line end or an apostrophe gets an apostrophe in front, so that no spreadsheet computes
    it; take one leading apostrophe away to have the value.
    --proofs writes a C2SP tlog-proof for each record, SEQ.tlog-proof, all under one signed tree
    head, and keys.txt, with which the first verifier key is all that anybody needs to check them:
    audit-receiver verify --proof DIR/SEQ.tlog-proof --keys DIR/keys.txt --vkey ledger.vkey
    Further ledgers that continue LEDGER can be named behind it; they are written one after the
    other, each row with its ledger's name.
    While the service runs, the export is recorded in the ledger before anything is written.
    """
    from audit_receiver.cli import chained, output, readlog
    from audit_receiver.cli.ledgers import found, open_chain, take_ledgers
    from audit_receiver.export import JSON_COLUMNS, whole_file

    paths = take_ledgers(ledger, options)
    if proofs is not None and len(paths) > 1:
        raise click.UsageError("--proofs is for one LEDGER: its proofs have one signed tree head")
    wanted = build(options)
    with open_chain(paths) as readers, output.progress("searching", None) as bar:
        if target is not None and any(reader.files.holds(target) for reader in readers):
            raise click.UsageError(f"{target} belongs to the ledger; choose another name")
        size = sum(reader.size() for reader in readers)
        seqs = [sorted(found(reader, wanted)) for reader in readers]
        count = sum(map(len, seqs))
        readlog.report_all(
            readers, "export", {**wanted.as_dict(), "format": form, "records": count}
        )
        bar.label("exporting", count)
        rows = chained.in_order(readers, wanted, wanted.columns, seqs, bar.advance)
        columns = chained.columns_of(readers, wanted.columns)
        if proofs is not None:  # first: a failure leaves nothing
            bar.label("proving", count)
            _prove_each(readers[0], seqs[0], proofs, bar.advance)
            bar.label("exporting", count)
        if target is None:
            output.print_rows(form, columns, rows, JSON_COLUMNS)
        else:
            with whole_file(target, force) as stream:
                output.write_rows(form, columns, rows, stream, JSON_COLUMNS)
    if target is not None:
        told = count_of(count, "record")
        whole = "a ledger" if len(paths) == 1 else count_of(len(paths), "ledger")
        say(f"{told} of {whole} of {count_of(size, 'entry')} written to {target}")


def _prove_each(
    reader: "Reader", seqs: Sequence[int], proofs: Path, advance: Callable[[int], None]
) -> None:
    from audit_receiver.cli import heads, proving
    from audit_receiver.export import whole_directory

    tip = heads.signed_tip(reader)
    head = (heads.published(reader, tip, max(seqs)) if seqs else None) or tip
    with whole_directory(proofs) as folder:
        for seq in seqs:
            text = str(proving.prove_under(reader, head, seq))
            (folder / f"{seq}.tlog-proof").write_text(text, "utf-8")
            advance(1)
        (folder / "keys.txt").write_text(proving.key_chain(reader, tip)[0], "utf-8")
    say(f"{count_of(len(seqs), 'proof')} in the tree of {count_of(head.size, 'entry')}: {proofs}")
