"""`audit-receiver erase`: delete bodies, by seq or by person, so that nothing is left of them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import say
from audit_receiver.cli.retention import asking

if TYPE_CHECKING:
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.retention.ranges import Range


@click.command("erase", short_help="Delete bodies for good, by seq or by person.")
@ledger_argument
@click.option("--seq", "seqs", multiple=True, metavar="RANGES", help="As 17 or 20-29,40; repeat.")
@click.option("--actor", metavar="WHO", help="All entries of this actor, and reads that name them.")
@click.option("--target", "also_target", is_flag=True, help="With --actor: also as target.")
@asking.who_options
@click.option("--dry-run", is_flag=True, help="Show what would go, and do nothing.")
@asking.yes_option
@asking.json_option
@asking.config_option
def command(ledger: Path, **options: Any) -> None:
    """Delete the bodies of entries for good; their headers, hashes and proofs stay.

    \b
    In one minute:
      audit-receiver erase ledger.db --seq 17,20-29 --code art-17 \\
        --reason "request 2026-17" --authorised-by "A. Officer" --dry-run
      audit-receiver erase ledger.db --actor bob --target --code art-17 \\
        --reason "request 2026-17" --authorised-by "A. Officer"

    First a signed entry says which seqs, why and on whose word, never who; then the bodies are
    deleted, the indexes built anew and the WAL cut; then the file's bytes are searched for what was
    in them. What a hold keeps is never erased. A running service does it while records go on
    coming in; it listens to its own user and to root.
    """
    from audit_receiver.cli import ledgers
    from audit_receiver.ledger import residue
    from audit_receiver.retention import state
    from audit_receiver.retention.ranges import count, overlap, text

    _check_words(options)
    with ledgers.open_trusted(ledger) as reader:
        wanted = _wanted(reader, options)
        present = state.present(reader, wanted)
        kept = overlap(wanted, state.held(state.read(reader)))
        salts = set(state.salts(reader, present))
    plan = {"bodies": count(present), "ranges": present, "held": kept}
    if options["dry_run"]:
        _show(options["form"], plan, f"{count(present)} bodies would go: {text(present)}")
        if kept:
            say(f"held, so nothing would be erased: {text(kept)}")
        return
    if not present:
        raise click.UsageError("there is no body to erase in these entries")
    say(f"{count(present)} bodies go for good: {text(present)}")
    asking.confirm("Erase them?", options["yes"])
    order = {
        "command": "erase",
        "ranges": present if not kept else wanted,
        "authoriser": options["authoriser"],
        "reason": options["reason"],
        "code": options["code"],
    }
    done = asking.ask(ledger, options["config"], order)
    actor = options["actor"]
    found = residue.search(ledger, salts)
    done["searched"] = {"bytes": found.bytes, "salts": len(salts), "found": found.salts}
    said = f"erased {done['bodies']} bodies by entry {', '.join(map(str, done['entries']))}"
    said += f"; searched {found.bytes} bytes of the ledger's files for {len(salts)} salts of them:"
    said += " none is left" if not found.salts else f" {found.salts} ARE LEFT"
    if actor:
        with ledgers.open_ledger(ledger) as reader:
            done["mentions"] = state.mentions(reader, actor)
        if done["mentions"]:
            said += f"\nthe name still stands in {done['mentions']} other bodies; look at them with"
            said += " `audit-receiver search`, and erase them by --seq if they have to go"
    _show(options["form"], done, said)
    if found.salts:
        raise click.ClickException(
            "something of the erased bodies is left in the files; run `audit-receiver compact`"
        )


def _check_words(options: dict[str, Any]) -> None:
    if bool(options["seqs"]) == bool(options["actor"]):
        raise click.UsageError("say what is to be erased: by --seq, or by --actor")
    if options["also_target"] and not options["actor"]:
        raise click.UsageError("--target goes with --actor")
    if not options["code"]:
        raise click.UsageError("--code is required: the reason code that the entry states")
    person = options["actor"]
    for name in ("reason", "authoriser", "code"):
        if person and person.casefold() in options[name].casefold():
            raise click.UsageError(
                f"--{name.replace('authoriser', 'authorised-by')} names the person; the entry stays"
                " for ever, so name the request and not the person"
            )


def _wanted(reader: "Reader", options: dict[str, Any]) -> "list[Range]":
    from audit_receiver.retention import state
    from audit_receiver.retention.ranges import merged, parse

    if options["actor"]:
        return state.of_person(reader, options["actor"], options["also_target"])
    try:
        return merged(one for part in options["seqs"] for one in parse(part))
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc


def _show(form: str, told: dict[str, Any], said: str) -> None:
    click.echo(json.dumps(told) if form == "json" else said)
