"""The filters that `search` and `export` share, as options."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from audit_receiver.query import Filter

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.argument("words", nargs=-1, metavar="[TEXT]..."),
    click.option("--actor", "actors", multiple=True, metavar="WHO", help="Who did it."),
    click.option("--action", "actions", multiple=True, metavar="WHAT", help="What was done."),
    click.option("--target", "targets", multiple=True, metavar="WHOM", help="On whom or what."),
    click.option(
        "--outcome", "outcomes", multiple=True, metavar="OUTCOME", help="success, failure, unknown."
    ),
    click.option("--service", "services", multiple=True, metavar="NAME", help="service.name."),
    click.option(
        "--kind", "kinds", multiple=True, metavar="KIND", help="span, log, audit; or ledger alone."
    ),
    click.option("--trace-id", "trace_ids", multiple=True, metavar="HEX", help="32 hex digits."),
    click.option(
        "--flag", "flags", multiple=True, metavar="FLAG", help="Data quality, as missing_actor."
    ),
    click.option("--since", metavar="AGE", help="Not older than this: 30m, 24h, 90d, 2w."),
    click.option("--from", "start", metavar="TIME", help="First day, or time with zone."),
    click.option("--to", "end", metavar="TIME", help="Last day (included), or time (excluded)."),
    click.option("--duplicates", is_flag=True, help="Also entries that repeat an earlier one."),
)
NAMES = (
    *("words", "actors", "actions", "targets", "outcomes", "services", "kinds", "trace_ids"),
    *("flags", "since", "start", "end", "duplicates"),
)


def filter_options(command: F) -> F:
    """Add the filters to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def build(options: dict[str, Any]) -> "Filter":
    """The filter that these options mean. Raises click.UsageError."""
    from audit_receiver.cli import when
    from audit_receiver.query import Filter, FilterError

    since, start, end = (options.pop(name) for name in ("since", "start", "end"))
    if since and start:
        raise click.UsageError("--since and --from both say when to begin: give one of them")
    try:
        first = when.instant(start) if start else None
        if since:
            first = max(time.time_ns() - when.duration(since), 0)
        before = when.instant(end, end=True) if end else None
        many = {name: tuple(dict.fromkeys(options[name])) for name in NAMES if name in _MANY}
        many["trace_ids"] = tuple(text.lower() for text in many["trace_ids"])
        return Filter(
            **many,
            since_unix_nano=first,
            before_unix_nano=before,
            duplicates=options["duplicates"],
        )
    except (FilterError, ValueError) as exc:
        raise click.UsageError(str(exc)) from exc


_MANY = frozenset(NAMES) - {"since", "start", "end", "duplicates"}
