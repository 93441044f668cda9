"""`audit-receiver demo`: real SDK telemetry in, asked for, verified, tampered with, found."""

import importlib.util
import shutil
import tempfile
from pathlib import Path

import click

from audit_receiver.cli.demo.outcome import DemoFailed

NEEDED = (
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.grpc",
    "opentelemetry.exporter.otlp.proto.http",
)


@click.command("demo", short_help="See all of it work on this machine, and tampering found.")
@click.option("--keep", is_flag=True, help="Leave the directory with the ledger behind.")
def command(keep: bool) -> None:
    """Start a receiver, send it real OpenTelemetry, ask, verify, tamper with a copy, see it found.

    \b
    In one minute:
      pip install 'audit-receiver[demo]'       the OpenTelemetry SDK and its exporters
      audit-receiver demo
      audit-receiver demo --keep               and look around in the ledger afterwards

    Works in a temporary directory on free ports of 127.0.0.1 and stops what it started.
    Exit code 0 only if everything happened as it is told.
    """
    from audit_receiver.cli.demo import story

    missing = [name for name in NEEDED if not _is_there(name)]
    if missing:
        raise DemoFailed(
            f"the demo sends with the real OpenTelemetry SDK, and {missing[0]} is not installed."
            " Install it: pip install 'audit-receiver[demo]'"
        )
    folder = Path(tempfile.mkdtemp(prefix="audit-receiver-demo-"))
    try:
        story.tell(folder)
    finally:
        if keep:
            click.echo(f"\nThe ledger is left in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
