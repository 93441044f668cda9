"""`audit-receiver verify`: does it hold, and who outside says so."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_receiver.cli import outside
from audit_receiver.cli.output import safe, say

if TYPE_CHECKING:
    from audit_receiver.examine import Answer, Question
    from audit_receiver.verify.report import VerifyReport
    from audit_receiver.verify.succession import ChainReport

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify", short_help="Check that a ledger is unaltered and complete.")
@click.argument("ledgers", nargs=-1, type=click.Path(path_type=Path), metavar="[LEDGER]...")
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    metavar="KEY|FILE",
    help="The verifier key, from outside; of a recovered ledger one for each incarnation.",
)
@click.option(
    "--checkpoint",
    "notes",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="A checkpoint from outside; may be given many times, older and newer ones.",
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|DIR",
    help="What an anchor keeps: its file, a folder of notes, JSON lines of standard output.",
)
@click.option(
    "--policy",
    type=_FILE,
    metavar="FILE",
    help="Witnesses to trust, and how many of them: a C2SP tlog-policy.",
)
@click.option(
    "--tsa-roots",
    "roots",
    type=_FILE,
    metavar="FILE",
    help="Root certificates (PEM) of the time-stamping authorities to trust.",
)
@click.option(
    "--state",
    "memory",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Remember what held, and compare with it next time; keep it away from the ledger.",
)
@click.option(
    "--incremental", is_flag=True, help="Check only what came after the state; a full run is safer."
)
@click.option(
    "--jobs",
    type=click.IntRange(0, 256),
    default=1,
    show_default=True,
    help="Processes that check entries; 0: one for each processor.",
)
@click.option("--every-head", is_flag=True, help="Check every signature, not a spread of them.")
@click.option("--proof", type=_FILE, metavar="FILE", help="Check a proof of `prove`, no ledger.")
@click.option(
    "--keys",
    "keys_file",
    type=_FILE,
    metavar="FILE",
    help="With --proof: what `prove --keys` wrote, from the first key to later ones.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print.",
)
def command(
    ledgers: tuple[Path, ...],
    vkeys: tuple[str, ...],
    notes: tuple[Path, ...],
    anchors: tuple[Path, ...],
    policy: Path | None,
    roots: Path | None,
    memory: Path | None,
    incremental: bool,
    jobs: int,
    every_head: bool,
    proof: Path | None,
    keys_file: Path | None,
    form: str,
) -> int:
    """Check that a ledger is unaltered and complete, and how far checkpoints from outside say so.

    \b
    In one minute:
      audit-receiver verify ledger.db
      audit-receiver verify ledger.db --vkey ledger.vkey --checkpoint checkpoint-2026-03-31.txt
      audit-receiver verify ledger.db --vkey ledger.vkey --anchor /mnt/other/checkpoints.txt
      audit-receiver verify ledger.db --policy witnesses.txt --tsa-roots tsa.pem
      audit-receiver verify ledger.db --vkey ledger.vkey --state seen.json
      audit-receiver verify ledger-2025.db ledger-2026.db --anchor /mnt/other/checkpoints.txt
      audit-receiver verify --proof 1204.tlog-proof --keys keys.txt --vkey ledger.vkey

    Re-hashes everything: bodies, subjects, chain, tree, the root of every signed head; checks the
    signatures, canonical form, headers against bodies, schema, and the file's structure. Reads only
    and works on a ledger that is being written to. Without --vkey the key beside the ledger is
    used, which whoever rewrote the ledger may have replaced.

    Each verdict is told by itself (altered, reordered, inserted, missing, truncated, rolled back,
    forked, schema, index, key, time, pruned or erased as a signed entry allows, not anchored since,
    could not judge), and a level of assurance: LOCAL_CHAINED, SIGNED (--vkey), ANCHORED
    (--checkpoint, --anchor), WITNESSED, with what it rests on.

    Several ledgers that were continued one in the next (`audit-receiver continue`) get one verdict:
    each by itself, and the links between them; a checkpoint of a later one covers those before it.

    Cosignatures and time stamps that the ledger keeps are judged by whom you trust: --policy names
    witnesses, --tsa-roots authorities. Each then says before when the entries it covers existed.

    --state FILE is written when the ledger held, and next time the ledger must continue what it
    remembers: it counts as a checkpoint from outside, so keep it where you are and the ledger is
    not. With --incremental entries before it are not read again, and the report says so.

    \b
    Exit codes: 0 holds, and an outside checkpoint covers every record
                1 does not hold; each finding names the entries
                2 could not judge, or wrong use
                3 holds, but records lie after the last outside checkpoint, or none was given
    """
    if proof is not None:
        if ledgers or notes or anchors or memory is not None:
            raise click.UsageError("--proof is checked alone: with --vkey, and --keys")
        if len(vkeys) != 1:
            raise click.UsageError("a proof needs the ledger's verifier key: --vkey KEY or FILE")
        from audit_receiver.cli import proofs

        return proofs.check(proof, outside.read_key(vkeys[0]), keys_file, form)
    if keys_file is not None:
        raise click.UsageError("--keys belongs to --proof; a ledger holds its keys itself")
    if not ledgers:
        raise click.UsageError("name the LEDGER to verify, or a proof with --proof FILE")
    if len(ledgers) > 1 and memory is not None:
        raise click.UsageError("--state remembers one LEDGER; verify them one by one with it")
    if incremental and memory is None:
        raise click.UsageError("--incremental goes on from what --state FILE remembers")
    from audit_receiver import examine
    from audit_receiver.inspection import parallel, state

    before = state.read(memory) if memory is not None else None
    given = outside.checkpoints(notes) + outside.anchored(anchors)
    pins = tuple(map(outside.read_key, vkeys))
    question = examine.Question(
        ledgers[0],
        pins,
        given,
        every_head,
        outside.trusted(policy, roots),
        remembered=(safe(str(memory)), before) if before is not None else None,
        incremental=incremental,
        jobs=jobs or parallel.processors(),
    )
    if len(ledgers) > 1:
        return _check_chain(question, ledgers, form)
    return _check_ledger(question, memory, form)


def _check_chain(question: "Question", ledgers: tuple[Path, ...], form: str) -> int:
    from audit_receiver.cli import succession as chain
    from audit_receiver.verify import succession
    from audit_receiver.verify.report import EXIT_CODES

    asked = chain.questions(question, ledgers)
    report = succession.judge([(safe(str(one.ledger)), _examined(one).report) for one in asked])
    if form == "json":
        _print_json(report)
    else:
        _print_lines(report.verdict, chain.in_words(report))
    return EXIT_CODES[report.verdict]


def _check_ledger(question: "Question", memory: Path | None, form: str) -> int:
    from audit_receiver.errors import LedgerError
    from audit_receiver.inspection import state
    from audit_receiver.verify.report import exit_code

    pinned = bool(question.pinned)
    try:
        report, seen = _examined(question)
        if memory is not None and seen is not None:
            state.write(memory, seen)
    except LedgerError as exc:
        if form == "text":
            raise
        say(f"error: {exc}")
        report = _nothing_judged(safe(str(exc)), pinned)
    if form == "json":
        _print_json(report)
    else:
        whose = _whose(question.ledger, report.key_pinned)
        if pinned and not report.key_pinned:
            whose = _LOG_KEY
        _print_text(report, question.ledger, whose)
    return exit_code(report)


def _examined(question: "Question") -> "Answer":
    from audit_receiver import examine
    from audit_receiver.cli import output

    with output.progress("opening", None) as bar:

        class Watcher(examine.Watcher):
            def begins(self, what: str, total: int | None) -> None:
                bar.label(what, total)

            def reached(self, done: int) -> None:
                bar.reach(done)

        return examine.answer(question, Watcher())


def _whose(ledger: Path, pinned: bool) -> str:
    if pinned:
        return "given with --vkey"
    beside = ledger.with_suffix(".vkey")
    where = f"from {beside}, beside the ledger" if beside.exists() else "from the ledger itself"
    return f"{where}: not pinned; whoever rewrote the ledger could have replaced it too (--vkey)"


_LOG_KEY = (
    "not pinned: the one given with --vkey is the log key, which vouches for published checkpoints"
    " and not for the heads; give the ledger's first key as well"
)


def _print_json(report: "VerifyReport | ChainReport") -> None:
    import orjson

    text = orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2, default=str)
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()


def _print_text(report: "VerifyReport", ledger: Path, key: str) -> None:
    from audit_receiver.cli import verdict

    _print_lines(report.verdict, verdict.in_words(report, ledger, key))


def _print_lines(verdict: str, lines: Iterable[str]) -> None:
    colour = {"intact": "green", "tampered": "red"}.get(verdict, "yellow")
    first, *rest = lines
    click.echo(click.style(first, fg=colour, bold=True))
    for line in rest:
        click.echo(line)


def _nothing_judged(reason: str, pinned: bool) -> "VerifyReport":
    from audit_receiver.verify.report import VerifyReport

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
