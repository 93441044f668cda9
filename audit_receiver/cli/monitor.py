"""`audit-receiver monitor`: follows the mirror of another ledger and alarms."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_receiver.cli.output import safe, say

if TYPE_CHECKING:
    from audit_receiver.mirror.monitor import Look

_HOLDS, _DOES_NOT_HOLD, _NOT_SEEN, _SILENT = 0, 1, 2, 3
_WEBHOOK_SECONDS = 10


@click.command("monitor", short_help="Follow the mirror of another ledger, and alarm.")
@click.argument("place", metavar="DIR|URL|s3://BUCKET/PREFIX")
@click.option(
    "--vkey",
    "vkeys",
    multiple=True,
    required=True,
    metavar="KEY|FILE",
    help="A key that signs its checkpoints, best the log key; may be repeated.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path("./audit-monitor.json"),
    show_default=True,
    metavar="FILE",
    help="What was seen; without it a rollback cannot be seen.",
)
@click.option("--once", is_flag=True, help="Look once and end.")
@click.option(
    "--every", default="60s", show_default=True, metavar="DURATION", help="Between looks."
)
@click.option(
    "--max-silence",
    default="0s",
    show_default=True,
    metavar="DURATION",
    help="Alarm when nothing came for so long; 0s for never.",
)
@click.option(
    "--entries/--no-entries",
    default=True,
    show_default=True,
    help="Hash each new header anew and follow the chain.",
)
@click.option("--webhook", metavar="URL", help="Also POST each alarm there, as JSON.")
@click.option("--endpoint-url", metavar="URL", help="Of an S3 that is not Amazon's.")
@click.option("--region", metavar="NAME", help="Of the bucket.")
def command(
    place: str,
    vkeys: tuple[str, ...],
    state: Path,
    once: bool,
    every: str,
    max_silence: str,
    entries: bool,
    webhook: str | None,
    endpoint_url: str | None,
    region: str | None,
) -> int:
    """Look at a mirror again and again: each checkpoint is signed and extends what was seen.

    \b
    In one minute:
      (on a machine of the auditor or of another team)
      audit-receiver monitor https://audit.example.com/mirror --vkey KEY --max-silence 10m
      audit-receiver monitor /srv/audit-mirror --vkey ledger.vkey --once

    A JSON line for each look that says something new goes to stdout, an alarm to stderr too:
    bad_signature, fork, rollback, other_log, damaged, unreachable, silence. What holds is written
    to --state before it is told; two notes that cannot both be true are kept beside it.
    KEY is best the ledger's log key (`log_vkey` of its genesis), which stays over changes of key.
    Exit codes: 0 all held, 1 an alarm that what is there does not hold, 2 the place could not be
    read, 3 silence. Without --once: the worst that was met, when it is interrupted.
    """
    from audit_receiver.cli import outside
    from audit_receiver.config.values import parse_duration
    from audit_receiver.mirror import places
    from audit_receiver.mirror.monitor import Monitor

    try:
        pause, silence = parse_duration(every), parse_duration(max_silence)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    if pause < 1:
        raise click.UsageError("--every: a second is the least")
    monitor = Monitor(
        places.source(place, endpoint_url, region),
        [outside.read_key(text) for text in vkeys],
        state,
        lambda: int(time.time()),
        silence,
        entries,
    )
    worst, told = _HOLDS, None
    try:
        while True:
            found = monitor.look()
            worst = _worse(worst, _code(found.alarm))
            if (found.alarm, found.size) != told:
                _tell(found, webhook)
                told = (found.alarm, found.size)
            if once:
                return worst
            time.sleep(pause)
    except KeyboardInterrupt:
        return worst


def _code(alarm: str) -> int:
    from audit_receiver.mirror.monitor import DOES_NOT_HOLD

    if alarm in DOES_NOT_HOLD:
        return _DOES_NOT_HOLD
    return {"": _HOLDS, "silence": _SILENT}.get(alarm, _NOT_SEEN)


def _worse(one: int, other: int) -> int:
    order = (_HOLDS, _SILENT, _NOT_SEEN, _DOES_NOT_HOLD)
    return max(one, other, key=order.index)


def _tell(found: "Look", webhook: str | None) -> None:
    fields = {key: value for key, value in found._asdict().items() if value != "" or key == "alarm"}
    click.echo(json.dumps(fields, ensure_ascii=False, sort_keys=True))
    sys.stdout.flush()
    if not found.alarm:
        return
    say(f"ALARM {found.alarm}: {safe(found.message)}")
    if found.evidence:
        say(f"both notes are kept in {found.evidence}; they are the proof")
    if webhook is not None:
        _post(webhook, json.dumps({"audit_receiver": "monitor", **fields}).encode())


def _post(url: str, body: bytes) -> None:
    """An alarm that cannot be delivered is said, and stays an alarm here."""
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--webhook {url}: write it as in https://alarms.example.com/")
    request = Request(url, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urlopen(request, timeout=_WEBHOOK_SECONDS):
            pass
    except (OSError, HTTPException, ValueError) as exc:
        say(f"warning: the alarm could not be posted: {exc}")
