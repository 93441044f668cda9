"""`audit-receiver verify`: does it hold, and who outside says so."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_receiver.cli.output import safe, say

if TYPE_CHECKING:
    from audit_receiver.tlog.note import VerifierKey
    from audit_receiver.verify.findings import VerifyReport

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify", short_help="Check that a ledger is unaltered and complete.")
@click.argument("ledger", required=False, type=click.Path(path_type=Path), metavar="LEDGER")
@click.option("--vkey", metavar="KEY|FILE", help="The verifier key, from outside.")
@click.option(
    "--checkpoint",
    "notes",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="A checkpoint from outside; may be given many times, older and newer ones.",
)
@click.option("--every-head", is_flag=True, help="Check every signature, not a spread of them.")
@click.option("--proof", type=_FILE, metavar="FILE", help="Check a proof of `prove`, no ledger.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print.",
)
def command(
    ledger: Path | None,
    vkey: str | None,
    notes: tuple[Path, ...],
    every_head: bool,
    proof: Path | None,
    form: str,
) -> int:
    """Check that a ledger is unaltered and complete, and how far checkpoints from outside say so.

    \b
    In one minute:
      audit-receiver verify ledger.db
      audit-receiver verify ledger.db --vkey ledger.vkey --checkpoint checkpoint-2026-03-31.txt
      audit-receiver verify --proof 1204.tlog-proof --vkey ledger.vkey

    Re-hashes everything: bodies, subjects, chain, tree, the root of every signed head; checks the
    signatures, canonical form, headers against bodies, schema, and the file's structure. Reads only
    and works on a ledger that is being written to. Without --vkey the key beside the ledger is
    used, which whoever rewrote the ledger may have replaced.

    \b
    Exit codes: 0 holds, and an outside checkpoint covers every record
                1 does not hold; each finding names the entries
                2 could not judge, or wrong use
                3 holds, but records lie after the last outside checkpoint, or none was given
    """
    if proof is not None:
        if ledger is not None or notes:
            raise click.UsageError("--proof is checked alone: without LEDGER and --checkpoint")
        if vkey is None:
            raise click.UsageError("a proof needs the ledger's verifier key: --vkey KEY or FILE")
        from audit_receiver.cli import proofs

        return proofs.check(proof, read_key(vkey), form)
    if ledger is None:
        raise click.UsageError("name the LEDGER to verify, or a proof with --proof FILE")
    return _check_ledger(ledger, vkey, notes, every_head, form)


def read_key(text: str) -> "VerifierKey":
    """The key that was given as text or as the name of a file. Raises click.UsageError."""
    from audit_receiver.tlog.note import NoteError, VerifierKey

    named = text
    path = Path(text)
    if len(text) < 1024 and path.is_file():
        named = path.read_bytes()[:4096].decode("utf-8", "replace").strip()
    try:
        return VerifierKey.parse(named)
    except (NoteError, ValueError) as exc:
        raise click.UsageError(
            f"--vkey {text}: neither a verifier key nor a file with one: {exc}"
        ) from exc


def _check_ledger(
    ledger: Path, vkey: str | None, notes: tuple[Path, ...], every_head: bool, form: str
) -> int:
    from audit_receiver import examine
    from audit_receiver.errors import LedgerError
    from audit_receiver.verify import findings

    pinned = read_key(vkey) if vkey is not None else None
    checkpoints = [
        (safe(str(note)), note.read_bytes().decode("utf-8", "replace")) for note in notes
    ]
    question = examine.Question(ledger, pinned, checkpoints, every_head)
    try:
        report = _examined(question)
    except LedgerError as exc:
        if form == "text":
            raise
        say(f"error: {exc}")
        report = _nothing_judged(safe(str(exc)), pinned is not None)
    if form == "json":
        _print_json(report)
    else:
        _print_text(report, ledger, _whose(ledger, vkey))
    return findings.exit_code(report)


def _examined(question: Any) -> "VerifyReport":
    from audit_receiver import examine
    from audit_receiver.cli import output

    with output.progress("opening", None) as bar:

        class Watcher(examine.Watcher):
            def begins(self, what: str, total: int | None) -> None:
                bar.label(what, total)

            def reached(self, done: int) -> None:
                bar.reach(done)

        return examine.examine(question, Watcher())


def _whose(ledger: Path, vkey: str | None) -> str:
    if vkey is not None:
        return "given with --vkey"
    beside = ledger.with_suffix(".vkey")
    where = f"from {beside}, beside the ledger" if beside.exists() else "from the ledger itself"
    return f"{where}: not pinned; whoever rewrote the ledger could have replaced it too (--vkey)"


def _print_json(report: "VerifyReport") -> None:
    import orjson

    text = orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2, default=str)
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()


def _print_text(report: "VerifyReport", ledger: Path, key: str) -> None:
    from audit_receiver.cli import verdict

    colour = {"intact": "green", "tampered": "red"}.get(report.verdict, "yellow")
    first, *rest = verdict.in_words(report, ledger, key)
    click.echo(click.style(first, fg=colour, bold=True))
    for line in rest:
        click.echo(line)


def _nothing_judged(reason: str, pinned: bool) -> "VerifyReport":
    from audit_receiver.verify.findings import VerifyReport

    return VerifyReport(
        verdict="undecided",
        size=0,
        root="",
        origin="",
        key_pinned=pinned,
        anchored_size=0,
        unanchored=0,
        unanchored_since=None,
        last_received=None,
        entries_checked=0,
        heads_checked=0,
        signatures_checked=0,
        undecided=(reason,),
        findings=(),
    )
