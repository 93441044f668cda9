"""`audit-receiver retention`: how long bodies are kept, what is due, and doing it."""

import json
import time
from pathlib import Path
from typing import Any

import click

from audit_receiver.cli.ledgers import ledger_argument
from audit_receiver.cli.output import say
from audit_receiver.cli.retention import asking


@click.group("retention", short_help="How long bodies are kept: plan, apply, status, set.")
def command() -> None:
    """How long bodies are kept, what is due to go, and letting it go.

    \b
    In one minute:
      audit-receiver retention status ledger.db
      audit-receiver retention plan ledger.db            what would go now, and why not more
      audit-receiver retention apply ledger.db \\
        --reason "yearly" --authorised-by "A. Officer"
      audit-receiver retention set ledger.db --keep 400d --rule "user.login*=90d" \\
        --reason "policy 3" --authorised-by "A. Officer"

    The policy stands in the genesis, and is changed by a signed entry alone. Without one nothing
    is ever pruned. Headers, hashes and proofs stay; what is held stays.
    """


@command.command("plan")
@ledger_argument
@asking.json_option
def plan(ledger: Path, form: str) -> None:
    """What the policy in force lets go now; nothing is done."""
    told = _plan(ledger)
    if form == "json":
        click.echo(json.dumps(told))
        return
    click.echo(_words(told))


@command.command("apply")
@ledger_argument
@asking.who_options
@click.option("--dry-run", is_flag=True, help="Show what would go, and do nothing.")
@asking.yes_option
@asking.json_option
@asking.config_option
def apply(ledger: Path, **options: Any) -> None:
    """Delete what the policy in force lets go."""
    told = _plan(ledger)
    if options["dry_run"]:
        click.echo(json.dumps(told) if options["form"] == "json" else _words(told))
        return
    say(_words(told))
    if not told["bodies"] and not told["unfinished"]:
        return
    asking.confirm("Delete them?", options["yes"])
    order = {"command": "apply", **_who(options)}
    done = asking.ask(ledger, options["config"], order)
    if options["form"] == "json":
        click.echo(json.dumps(done))
    else:
        by = f" by entry {', '.join(map(str, done['entries']))}" if done["entries"] else ""
        click.echo(f"pruned {done['bodies']} bodies{by}")


@command.command("set")
@ledger_argument
@click.option("--keep", default="forever", show_default=True, help="As 400d, 8w or forever.")
@click.option(
    "--rule", "rules", multiple=True, metavar="ACTION=PERIOD", help="Globs over actions; repeat."
)
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND=PERIOD", help="span, log, audit, ledger."
)
@asking.who_options
@asking.config_option
def change(ledger: Path, **options: Any) -> None:
    """Change the policy: what is given here is all of it."""
    from audit_receiver.retention.policy import Policy, PolicyError

    rules = [
        *({"actions": [name], "keep": keep} for name, keep in map(_rule, options["rules"])),
        *({"kinds": [name], "keep": keep} for name, keep in map(_rule, options["kinds"])),
    ]
    try:
        policy = Policy.parse({"keep": options["keep"], "rules": rules})
    except PolicyError as exc:
        raise click.UsageError(str(exc)) from exc
    order = {"command": "set", "policy": policy.stated(), **_who(options)}
    done = asking.ask(ledger, options["config"], order)
    click.echo(f"entry {done['seq']} sets the policy: {json.dumps(policy.stated())}")


@command.command("status")
@ledger_argument
@asking.json_option
def status(ledger: Path, form: str) -> None:
    """The policy in force, holds, deletions, and what of them is unfinished."""
    from audit_receiver.cli import ledgers
    from audit_receiver.retention import state
    from audit_receiver.retention.ranges import text

    with ledgers.open_trusted(ledger) as reader:
        now = state.read(reader)
    unfinished = [one.seq for one in now.unfinished]
    if form == "json":
        told = {
            "policy": now.policy.stated(),
            "policy_seq": now.policy_seq,
            "holds": [hold._asdict() for hold in now.holds],
            "deletions": [one._asdict() for one in now.deletions],
            "unfinished": unfinished,
        }
        click.echo(json.dumps(told))
        return
    kept = json.dumps(now.policy.stated()) if now.policy.stated() else "bodies are kept for ever"
    click.echo(f"policy      {kept} (entry {now.policy_seq})")
    for hold in now.holds:
        click.echo(f"hold        {hold.name}: {text(hold.ranges)} (entry {hold.seq})")
    for one in now.deletions:
        left = ", UNFINISHED" if one.seq in unfinished else ""
        click.echo(
            f"{one.event:<11} entry {one.seq}: {one.bodies} bodies, {text(one.ranges)}{left}"
        )
    if unfinished:
        say(
            "unfinished: a running service tries again every minute; without one,"
            " `audit-receiver retention apply` finishes it first"
        )


def _plan(ledger: Path) -> dict[str, Any]:
    from audit_receiver.cli import ledgers
    from audit_receiver.retention import state
    from audit_receiver.retention.ranges import count, overlap, without

    with ledgers.open_trusted(ledger) as reader:
        now = state.read(reader)
        due = state.due(reader, now.policy, time.time_ns())
    held = state.held(now)
    going = without(due, held)
    return {
        "policy": now.policy.stated(),
        "policy_seq": now.policy_seq,
        "bodies": count(going),
        "ranges": going,
        "held": count(overlap(due, held)),
        "unfinished": [one.seq for one in now.unfinished],
    }


def _words(told: dict[str, Any]) -> str:
    from audit_receiver.retention.ranges import text

    if not told["policy"]:
        return "there is no policy, so nothing is ever pruned (`audit-receiver retention set`)"
    held = f"; {told['held']} more are due and held" if told["held"] else ""
    return (
        f"by the policy of entry {told['policy_seq']}, {json.dumps(told['policy'])},"
        f" {told['bodies']} bodies are due: {text(told['ranges'])}{held}"
    )


def _rule(text: str) -> tuple[str, str]:
    name, found, keep = text.rpartition("=")
    if not found or not name:
        raise click.UsageError(f"{text!r} is no rule; write it as user.login*=90d")
    return name, keep


def _who(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("authoriser", "reason", "code")}
