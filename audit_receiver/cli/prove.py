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
    from audit_receiver.cli import heads, ledgers

    if seq is None and (keys_file is None or target is not None):
        raise click.UsageError("name the entry to prove, SEQ, or a file for --keys alone")
    with ledgers.open_ledger(ledger) as reader:
        tip = heads.signed_tip(reader)
        if seq is not None:
            proof = _prove(reader, tip, seq)
            _write(proof, target)
            if keys_file is None and _later_key(tip, proof):
                say(
                    "its key is a later one than ledger.vkey: --keys FILE writes what leads there,"
                    f" for example audit-receiver prove {ledger} --keys keys.txt"
                )
        if keys_file is not None:
            _write_keys(reader, tip, keys_file)


def _prove(reader: "Reader", tip: "SignedTip", seq: int) -> "Proof":
    from audit_receiver.cli import heads
    from audit_receiver.errors import IntegrityError, LedgerError
    from audit_receiver.tlog.bundle import Proof
    from audit_receiver.tlog.proof import ProofError, prove_inclusion

    if seq >= tip.size:
        raise LedgerError(f"{reader.path}: has entries 0 to {tip.size - 1}; there is no {seq}")
    row = next(reader.entries(seq, seq + 1), None)
    if row is None or not isinstance(row[1], str):
        raise IntegrityError(f"{reader.path}: entry {seq} is missing. Run `audit-receiver verify`")
    head = heads.published(reader, tip, seq) or tip
    path = prove_inclusion(seq, head.size, reader.subtree(head.size))
    proof = Proof(seq, row[1].encode(), tuple(path), head.note)
    try:
        proof.verify(head.vkey)
    except ProofError as exc:
        raise IntegrityError(
            f"{reader.path}: entry {seq} cannot be proven: {exc}. The ledger was changed; run"
            " `audit-receiver verify` on it and keep the file as it is"
        ) from exc
    return proof


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
    from audit_receiver.export import whole_file
    from audit_receiver.ledger import keyproofs
    from audit_receiver.tlog import keychain

    links = keyproofs.links(reader, list(tip.reigns))
    with whole_file(keys_file) as stream:
        stream.write(keychain.render(links).encode())
    say(f"{keys_file}: {count_of(len(links), 'change')} of the key")
