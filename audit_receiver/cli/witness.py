"""`audit-receiver witness`: cosigns what extends the history of other people's ledgers."""

import ssl
import time
from pathlib import Path

import click

from audit_receiver.cli.output import say

_FILE = click.Path(path_type=Path)


@click.command("witness", short_help="Watch ledgers of others: cosign what only ever grows.")
@click.option(
    "--log",
    "given",
    multiple=True,
    metavar="KEY|FILE",
    help="A log key to watch, or a file with one on each line; may be repeated.",
)
@click.option(
    "--data",
    "directory",
    type=_FILE,
    default=Path("./witness-data"),
    show_default=True,
    metavar="DIR",
    help="Where the key and the memory lie.",
)
@click.option("--key", type=_FILE, metavar="FILE", help="The private key. Default: in --data.")
@click.option("--name", default="", metavar="NAME", help="Its name, for the first start only.")
@click.option(
    "--listen",
    default="127.0.0.1:7880",
    show_default=True,
    metavar="HOST:PORT",
    help="Where ledgers send their checkpoints.",
)
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Certificate chain in PEM.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Its private key in PEM.")
@click.option("--client-ca", type=_FILE, metavar="FILE", help="Senders show a certificate of it.")
def command(
    given: tuple[str, ...],
    directory: Path,
    key: Path | None,
    name: str,
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
) -> int:
    """Run a witness: it remembers one tree head of each ledger and cosigns what extends it.

    \b
    In one minute:
      (on a machine that the ledger's operators do not own)
      audit-receiver witness --log 'example.com/audit/9f…+5d3c1b2a+AR…'   keep its `verifier key`
      ... the ledger's operators add to their configuration:
      anchors: {witness: {witnesses: [{url: "http://HOST:7880", vkey: "audit-witness/…"}]}}
      curl http://127.0.0.1:7880/                     who it is, and how far each ledger is

    A ledger's log key is `log_vkey` of its genesis entry (docs/witness.md). A ledger that was cut
    off, rolled back, rewritten or forked gets no cosignature any more. It speaks C2SP tlog-witness,
    so other logs and other witnesses fit. What it needs to keep is the --data directory, as it is:
    without its memory it does not start, and an older copy would let it cosign a second history.
    Exit codes: 0 stopped; 2 key, memory, log or port cannot be used.
    """
    import os

    import uvloop

    from audit_receiver.config.endpoint import parse_endpoint
    from audit_receiver.witness import identity, logs, running

    try:
        place = parse_endpoint(listen)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--listen") from exc
    if place.path:
        raise click.BadParameter("a witness listens on a TCP port", param_hint="--listen")
    tls = _tls(tls_cert, tls_key, client_ca)
    watched = logs.parse(given)
    os.umask(0o027)
    running.start_logging()
    opened = identity.open_or_create(identity.WitnessFiles.within(directory, key), name)
    try:
        scheme = "http" if tls is None else "https"
        run = running.Run(opened, watched, say, lambda: int(time.time()), tls)
        return uvloop.run(run.serve(place.host, place.port, f"{scheme}://{place}"))
    finally:
        opened.lock.release()


def _tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise click.UsageError("TLS takes both --tls-cert and --tls-key")
    from audit_receiver.receive import tls

    return tls.for_http(tls.Files(cert, key, client_ca))
