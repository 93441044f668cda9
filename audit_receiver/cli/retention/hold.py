"""`audit-receiver hold`: what must not be erased or pruned, whatever the policy says."""

import json
from pathlib import Path
from typing import Any

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.retention import asking


@click.group("hold", short_help="Keep entries from erasure and pruning.")
def command() -> None:
    """Keep the bodies of entries, whatever the retention policy or an erasure says.

    \b
    In one minute:
      audit-receiver hold add ledger.db case-7 --seq 100-400 \\
        --reason "litigation 7" --authorised-by "General counsel"
      audit-receiver hold list ledger.db
      audit-receiver hold release ledger.db case-7 --reason closed --authorised-by "…"

    Each is a signed entry. A hold is about entries that are there; repeat it for later ones.
    """


@command.command("add")
@ledger_argument
@click.argument("name")
@click.option("--seq", "seqs", multiple=True, metavar="RANGES", help="As 17 or 20-29,40; repeat.")
@click.option("--actor", metavar="WHO", help="All entries of this actor.")
@click.option("--target", "also_target", is_flag=True, help="With --actor: also as target.")
@click.option("--all", "everything", is_flag=True, help="Everything that is there now.")
@asking.who_options
@asking.config_option
def add(ledger: Path, name: str, **options: Any) -> None:
    """Begin a hold of this name."""
    from audit_receiver.cli import ledgers
    from audit_receiver.retention import state
    from audit_receiver.retention.ranges import merged, parse, text

    given = [bool(options["seqs"]), bool(options["actor"]), options["everything"]]
    if given.count(True) != 1:
        raise click.UsageError("say what is to be kept: --seq, --actor or --all")
    with ledgers.open_trusted(ledger) as reader:
        if options["everything"]:
            ranges = [(0, reader.size() - 1)]
        elif options["actor"]:
            ranges = state.of_person(reader, options["actor"], options["also_target"])
        else:
            try:
                ranges = merged(one for part in options["seqs"] for one in parse(part))
            except ValueError as exc:
                raise click.UsageError(str(exc)) from exc
    if not ranges:
        raise click.UsageError("there is no such entry")
    order = {"command": "hold", "hold": name, "ranges": ranges, **_who(options)}
    done = asking.ask(ledger, options["config"], order)
    gone = f"; {done['gone']} of them have no body that could go" if done["gone"] else ""
    click.echo(f"entry {done['seq']} holds {done['entries']} entries: {text(ranges)}{gone}")


@command.command("release")
@ledger_argument
@click.argument("name")
@asking.who_options
@asking.config_option
def release(ledger: Path, name: str, **options: Any) -> None:
    """End a hold."""
    order = {"command": "release", "hold": name, **_who(options)}
    done = asking.ask(ledger, options["config"], order)
    click.echo(f"entry {done['seq']} releases {name}")


@command.command("list")
@ledger_argument
@asking.json_option
def show(ledger: Path, form: str) -> None:
    """The holds that are in force."""
    from audit_receiver.cli import ledgers
    from audit_receiver.retention import state
    from audit_receiver.retention.ranges import text

    with ledgers.open_trusted(ledger) as reader:
        holds = state.read(reader).holds
    if form == "json":
        click.echo(json.dumps([hold._asdict() for hold in holds]))
        return
    for hold in holds:
        click.echo(
            f"{hold.name}: {text(hold.ranges)} (entry {hold.seq}, {hold.authoriser}: {hold.reason})"
        )
    if not holds:
        click.echo("no hold is in force")


def _who(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("authoriser", "reason", "code")}
