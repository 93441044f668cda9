"""`audit-receiver recover`: the only way on where a start refuses, and evidence itself."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_receiver.cli.output import count_of, safe, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from audit_receiver.ledger.recovery import Recovered


@click.command("recover", short_help="Go on where a start refuses, and record why.")
@click.argument("ledger", required=False, type=click.Path(path_type=Path), metavar="[LEDGER]")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is recorded for ever.")
@click.option("--config", "path", metavar="FILE", help="As for `serve`: path, key, anchors.")
def command(ledger: Path | None, reason: str, path: str | None) -> None:
    """Go on with a ledger that `serve` refuses, as a new incarnation that says why.

    \b
    In one minute:
      audit-receiver serve --config receiver.yaml       refuses, and says what is wrong
      ... restore the ledger if that can be done; if not:
      audit-receiver recover --config receiver.yaml --reason 'volume lost on 2 March, INC-1234'
      audit-receiver serve --config receiver.yaml

    Nothing that stands in the ledger is changed. A `recover` entry begins a new incarnation with a
    new origin and a new key, and names the last signed head, the reason, and every checkpoint that
    the anchors know and the ledger does not hold any more. Triggers, views and indexes that
    somebody changed are put back. Of a ledger that is gone, or that nothing can be appended to, a
    new one begins, whose genesis says the same. `verify` will always tell of it.

    Stop the service first. LEDGER is the configuration's ledger.path if it is not given.
    """
    import asyncio
    import os
    import time
    from dataclasses import replace

    from audit_receiver import publishing, service
    from audit_receiver.config import load
    from audit_receiver.ledger.recovery import recover

    if not reason.strip():
        raise click.UsageError("--reason is empty; say why, it is what an auditor will read")
    config = load.load(path)
    settings = service.ledger_settings(config)
    if ledger is not None:
        settings = replace(settings, path=ledger)
    os.umask(0o027)
    if load.source(path) is None:
        say(
            "warning: no --config: only the anchors of the embedded configuration are asked what"
            " is lost"
        )
    known, unasked = asyncio.run(publishing.ask(config))
    for warning in unasked:
        say(f"warning: {warning}; what it knows is not recorded as lost")
    done = recover(replace(settings, known=known), service.system_clock(), reason)
    _tell(done, settings.path)
    if done.note:
        failed = asyncio.run(publishing.hand_out(config, done.note, time.time_ns()))
        for name, why in failed.items():
            say(f"warning: anchor {name} does not keep the checkpoint over it: {why}")


def _tell(done: "Recovered", ledger: Path) -> None:
    if done.created:
        click.echo(f"begun         {ledger}, in place of the ledger that is lost")
    else:
        click.echo(f"recovered     {ledger}, {count_of(done.size, 'entry')}")
    click.echo(f"origin        {done.vkey.partition('+')[0]}")
    click.echo(f"verifier key  {done.vkey}")
    click.echo(f"log key       {done.log_vkey}")
    for line in _lost(done.lost):
        click.echo(f"lost          {safe(line)}")
    for mended in done.mended:
        click.echo(f"mended        {safe(mended)}")
    for name in done.moved:
        click.echo(f"moved away    {name}")
    if done.remark:
        say(f"warning: {done.remark}")
    if done.created:
        say("The new verifier key has to reach your auditor, together with the reason.")
    elif done.signed:
        say("The old key signed for the new one: the verifier key that an auditor has still works.")
    else:
        say(
            "The old key is lost, so nothing signs for the new one: `verify` cannot judge what"
            " follows without the new verifier key. It has to reach your auditor, with the reason."
        )
    say("A witness watches the log key under its new origin from now on; tell who runs one.")


def _lost(lost: "Sequence[Mapping[str, Any]]") -> "Iterator[str]":
    """One line for each history of each anchor, however many checkpoints it has of it."""
    sizes: dict[tuple[str, str], list[int]] = {}
    for one in lost:
        sizes.setdefault((str(one["origin"]), str(one["anchor"])), []).append(int(one["size"]))
    for (origin, anchor), found in sizes.items():
        least, most = min(found), max(found)
        which = f"size {most}" if least == most else f"sizes {least} to {most}"
        yield f"{count_of(len(found), 'checkpoint')} of {origin}, {which}, known to {anchor}"
