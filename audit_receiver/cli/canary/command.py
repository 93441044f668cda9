"""`audit-receiver canary`: sends a marked record and waits until it is in the ledger."""

import platform
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_receiver.cli.output import safe, say

if TYPE_CHECKING:
    from audit_receiver.ledger.reader import Reader

NOT_FOUND = 1
LOOK_SECONDS = 0.05
_FIND = "SELECT seq FROM audit_records WHERE record_id = ?"


def _duration(ctx: click.Context, param: click.Parameter, value: str) -> float:
    from audit_receiver.config.values import parse_duration

    try:
        return parse_duration(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def _headers(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for name, sign, _ in pairs:
        if not (name and sign):
            raise click.BadParameter("is no header; write NAME=VALUE")
    return {name.strip(): value.strip() for name, _, value in pairs}


@click.command("canary", short_help="Send a marked record through the pipeline and await it.")
@click.option(
    "--via", required=True, metavar="ENDPOINT", help="Where applications send: the Collector."
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path),
    metavar="LEDGER",
    help="Where it has to arrive. Default: the ledger that the configuration names.",
)
@click.option("--config", "path", metavar="FILE", help="As for `serve`.")
@click.option(
    "--timeout", default="30s", show_default=True, callback=_duration, help="How long to wait."
)
@click.option(
    "--signal",
    type=click.Choice(("logs", "traces")),
    default="logs",
    show_default=True,
    help="As a log record or as a span.",
)
@click.option(
    "--transport",
    type=click.Choice(("http", "grpc")),
    help="Default: grpc for port 4317, else http.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=_headers,
    metavar="NAME=VALUE",
    help="Sent along; may be repeated.",
)
@click.option(
    "--token-file", type=click.Path(path_type=Path), metavar="FILE", help="Holds a bearer token."
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The authority that the endpoint's certificate is of, for https://.",
)
def command(
    via: str,
    ledger: Path | None,
    path: str | None,
    timeout: float,
    signal: str,
    transport: str | None,
    headers: dict[str, str],
    token_file: Path | None,
    ca: Path | None,
) -> int:
    """Send one marked audit record to ENDPOINT and wait until it is in the ledger.

    \b
    In one minute:
      audit-receiver canary --via 127.0.0.1:14318           through a Collector
      audit-receiver canary --via 127.0.0.1:14317 --transport grpc --signal traces
      audit-receiver canary --via 127.0.0.1:4318            to the receiver itself

    The record stays in the ledger for good, as one of action audit.canary by the actor
    `audit-receiver canary` of the service audit-receiver-canary, so that queries can leave it out
    (docs/collector.md). Sent once, past any proxy; looking for it is not recorded as a read.
    Exit codes: 0 found, 1 not found in time, 2 could not send, or not read the ledger.
    """
    from audit_receiver.cli import ledgers
    from audit_receiver.cli.canary import record, send

    try:
        to = send.endpoint(via, transport, signal)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--via") from exc
    if token_file is not None:
        headers["Authorization"] = f"Bearer {token_file.read_text().strip()}"
    record_id = f"canary-{uuid.uuid4().hex}"
    with ledgers.open_ledger(ledger or _configured(path)) as reader:
        if trouble := ledgers.schema_trouble(reader):
            say(f"warning: {trouble}")
        message = record.request(
            signal, record_id, to.address, platform.node() or "localhost", time.time_ns()
        )
        began = time.monotonic()
        send.send(to, message, signal, headers, ca, max(timeout, 0.001))
        taken = time.monotonic() - began
        seq = _await(reader, record_id, began + timeout)
        delay = time.monotonic() - began
    if seq is None:
        _say_where_to_look(record_id, str(to), reader.path, taken, timeout)
        return NOT_FOUND
    click.echo(f"found: seq {seq} after {delay:.2f} s ({record_id})")
    return 0


def _configured(path: str | None) -> Path:
    from audit_receiver.config import load

    return Path(load.load(path).ledger.path)


def _await(reader: "Reader", record_id: str, deadline: float) -> int | None:
    """The canary's seq, looked for until the deadline and once more after it."""
    while True:
        last = time.monotonic() >= deadline
        _, rows = reader.select(_FIND, (record_id,))
        for row in rows:
            return int(row[0])
        if last:
            return None
        time.sleep(LOOK_SECONDS)


def _say_where_to_look(record_id: str, to: str, ledger: Path, taken: float, timeout: float) -> None:
    say(f"not found: {record_id} is not in {safe(str(ledger))} after {timeout:g} s")
    say(f"  {safe(to)} took it after {taken:.2f} s, so it is behind that. Look, in this order:")
    say("  - is this the ledger that the receiver behind the pipeline writes?")
    say("  - does the Collector's configuration lose it? audit-receiver lint collector.yaml")
    say("  - the Collector's log, and its metrics otelcol_exporter_queue_size and _send_failed_*")
    say("  - the receiver's log and /metrics (docs/operations.md), and audit-receiver doctor")
    say("  It may still come: audit-receiver search LEDGER --action audit.canary --since 1h")
