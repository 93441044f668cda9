"""`audit-receiver prove`: that one entry is in the signed tree, as a file that checks offline."""

import sys
from pathlib import Path

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import say


@click.command("prove", short_help="Write an offline proof that one entry is in the ledger.")
@ledger_argument
@click.argument("seq", type=click.IntRange(min=0))
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write here instead of stdout; an existing file is not replaced.",
)
def command(ledger: Path, seq: int, target: Path | None) -> None:
    """Write a C2SP tlog-proof that entry SEQ is in the ledger: header, path, signed checkpoint.

    \b
    In one minute:
      audit-receiver search ledger.db --actor alice          the first column is SEQ
      audit-receiver prove ledger.db 1204 --output 1204.tlog-proof
      audit-receiver verify --proof 1204.tlog-proof --vkey ledger.vkey

    The proof shows the entry's header (when, which action, which outcome, the hash of its body),
    nothing of its body and nothing of any other entry. The body, if you hand it over as well, is
    checked by its SHA3-256.
    """
    from audit_receiver.cli import heads, ledgers
    from audit_receiver.errors import IntegrityError, LedgerError
    from audit_receiver.export import whole_file
    from audit_receiver.tlog.bundle import Proof
    from audit_receiver.tlog.proof import ProofError, prove_inclusion

    with ledgers.open_ledger(ledger) as reader:
        tip = heads.signed_tip(reader)
        if seq >= tip.size:
            raise LedgerError(f"{ledger}: has entries 0 to {tip.size - 1}; there is no {seq}")
        row = next(reader.entries(seq, seq + 1), None)
        if row is None or not isinstance(row[1], str):
            raise IntegrityError(f"{ledger}: entry {seq} is missing. Run `audit-receiver verify`")
        path = prove_inclusion(seq, tip.size, reader.subtree(tip.size))
    proof = Proof(seq, row[1].encode(), tuple(path), tip.note)
    try:
        proof.verify(tip.vkey)
    except ProofError as exc:
        raise IntegrityError(
            f"{ledger}: entry {seq} cannot be proven: {exc}. The ledger was changed; run"
            " `audit-receiver verify` on it and keep the file as it is"
        ) from exc
    if target is None:
        click.echo(str(proof), nl=False)
        sys.stdout.flush()
        return
    with whole_file(target) as stream:
        stream.write(str(proof).encode())
    say(f"{target}: entry {seq:,} in the tree of {tip.size:,}")
