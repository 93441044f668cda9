"""`audit-receiver rebuild`: a ledger from its mirror alone."""

from pathlib import Path

import click

from audit_receiver.cli.output import say


@click.command("rebuild", short_help="Make a ledger from its mirror alone.")
@click.argument("source", metavar="DIR|s3://BUCKET/PREFIX|URL")
@click.argument("target", type=click.Path(path_type=Path), metavar="TARGET.db")
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    required=True,
    metavar="KEY|FILE",
    help="A key that signed its checkpoints, from outside; may be repeated.",
)
@click.option("--endpoint-url", metavar="URL", help="Of an S3 that is not Amazon's.")
@click.option("--region", metavar="NAME", help="Of the bucket.")
def command(
    source: str, target: Path, vkeys: tuple[str, ...], endpoint_url: str | None, region: str | None
) -> None:
    """Write the ledger that a mirror holds to a new file, and believe nothing of the mirror.

    \b
    In one minute:
      audit-receiver rebuild s3://audit-worm/ledger again.db --vkey ledger.vkey
      audit-receiver verify again.db --vkey ledger.vkey

    Headers are checked by the tiles under the signed root, bodies by the hashes in the headers,
    heads by the ledger's keys. In a bucket with versions nothing is hidden by a delete marker or
    an overwritten object. What erase and prune entries name stays out. The file can be verified,
    searched and exported; without its private keys nothing can be appended to it.
    Exit codes: 0 done, 1 the mirror does not hold, 2 the mirror or the target cannot be used.
    """
    from audit_receiver.cli import output, outside
    from audit_receiver.mirror import places
    from audit_receiver.mirror.rebuild import rebuild

    keys = [outside.read_key(text) for text in vkeys]
    with output.progress("rebuilding", None) as bar:

        def told(done: int, total: int) -> None:
            bar.label("rebuilding", total)
            bar.reach(done)

        place = places.source(source, endpoint_url, region)
        made = rebuild(place, target, keys, told)
    say(
        f"{target}: {made.size:,} entries, {made.heads:,} heads, {made.checkpoints:,} published"
        f" checkpoints of {made.origin}"
    )
    if made.without_body:
        say(
            f"{made.without_body:,} entries are without body: erased as the ledger says, or never"
            " mirrored; `verify` tells the two apart and calls the second body_missing"
        )
    for remark in made.remarks:
        say(remark)
