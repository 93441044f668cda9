"""`audit-receiver prove`: that one entry is in the signed tree, as a file that checks offline."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import count_of, say

if TYPE_CHECKING:
    from audit_receiver.cli.heads import SignedTip
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.tlog.bundle import Proof


@click.command("prove", short_help="Write an offline proof that one entry is in the ledger.")
@ledger_argument
@click.argument("seq", type=click.IntRange(min=0), required=False)
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write here instead of stdout; an existing file is not replaced.",
)
@click.option(
    "--keys",
    "keys_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write here how the first key leads to today's; an existing file is not replaced.",
)
def command(ledger: Path, seq: int | None, target: Path | None, keys_file: Path | None) -> None:
    """Write a C2SP tlog-proof that entry SEQ is in the ledger: header, path, signed checkpoint.

    \b
    In one minute:
      audit-receiver search ledger.db --actor alice          the first column is SEQ
      audit-receiver prove ledger.db 1204 --output 1204.tlog-proof --keys keys.txt
      audit-receiver verify --proof 1204.tlog-proof --keys keys.txt --vkey ledger.vkey

    The proof shows the entry's header (when, which action, which outcome, the hash of its body),
    nothing of its body and nothing of any other entry. The body, if you hand it over as well, is
    checked by its SHA3-256.

    The ledger's key changes daily. --keys writes a proof of each change, with which the first key
    (ledger.vkey) is all that anybody needs; without SEQ it writes nothing else. Where the service
    published a checkpoint behind SEQ the proof is under that one, which the log key signed too.
    """
    from audit_receiver.cli import heads, ledgers, proving

    if seq is None and (keys_file is None or target is not None):
        raise click.UsageError("name the entry to prove, SEQ, or a file for --keys alone")
    with ledgers.open_ledger(ledger) as reader:
        tip = heads.signed_tip(reader)
        if seq is not None:
            proof = proving.prove(reader, tip, seq)
            _write(proof, target)
            if keys_file is None and _later_key(tip, proof):
                say(
                    "its key is a later one than ledger.vkey: --keys FILE writes what leads there,"
                    f" for example audit-receiver prove {ledger} --keys keys.txt"
                )
        if keys_file is not None:
            _write_keys(reader, tip, keys_file)


def _later_key(tip: "SignedTip", proof: "Proof") -> bool:
    later = tip.reigns[1:]
    return bool(later) and proof.size >= later[0].first_size


def _write(proof: "Proof", target: Path | None) -> None:
    from audit_receiver.export import whole_file

    if target is None:
        click.echo(str(proof), nl=False)
        sys.stdout.flush()
        return
    with whole_file(target) as stream:
        stream.write(str(proof).encode())
    say(f"{target}: entry {proof.index:,} in the tree of {proof.size:,}")


def _write_keys(reader: "Reader", tip: "SignedTip", keys_file: Path) -> None:
    from audit_receiver.cli import proving
    from audit_receiver.export import whole_file

    text, number = proving.key_chain(reader, tip)
    with whole_file(keys_file) as stream:
        stream.write(text.encode())
    say(f"{keys_file}: {count_of(number, 'change')} of the key")
