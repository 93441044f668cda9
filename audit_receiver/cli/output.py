"""How results leave: the four formats, safe text for terminals, progress on stderr."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO

import click

from audit_receiver import export

FORMATS = ("json", "jsonl", "csv", "table")
TABLE_ROWS = 500  # a table needs all its rows for the column widths, so long results are several
FOLD = 24  # characters of a cell before folding it costs nothing
PATIENCE_SECONDS = 1.0

# What a terminal would obey or what turns text around: shown, not sent (docs: logs are hostile).
_SHOWN = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\n"
}
_SHOWN.update({code: f"\\u{code:04x}" for code in (*range(0x200B, 0x2010), *range(0x2028, 0x202F))})
_SHOWN.update({code: f"\\u{code:04x}" for code in (*range(0x2060, 0x2070), 0xFEFF)})
_SHOWN.update({code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)})
_ONE_LINE = {**_SHOWN, ord("\n"): "\\n"}

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to print. Default: table on a terminal, jsonl otherwise.",
)


def say(text: str) -> None:
    """Tell the person in front of the screen, on stderr."""
    click.echo(text, err=True)


def safe(text: str) -> str:
    """Text that a terminal shows and does not obey: escapes and controls become visible."""
    return text.translate(_ONE_LINE)


def default_format(form: str | None) -> str:
    """What was asked for; else a table for a person, JSON Lines for a program."""
    return form or ("table" if sys.stdout.isatty() else "jsonl")


def print_rows(
    form: str,
    columns: Sequence[str],
    rows: export.Rows,
    embedded: Iterable[str] = (),
    spare: Sequence[str] = (),
) -> int:
    """Print rows to stdout in one of FORMATS; returns how many.

    `embedded` names columns whose text is JSON; `spare` those that a table leaves out, first one
    first, while it is too wide for the screen.
    """
    if form == "table":
        return _print_tables(columns, rows, spare)
    count = write_rows(form, columns, rows, sys.stdout.buffer, embedded)
    sys.stdout.buffer.flush()
    return count


def write_rows(
    form: str,
    columns: Sequence[str],
    rows: export.Rows,
    stream: BinaryIO,
    embedded: Iterable[str] = (),
) -> int:
    """Write rows in a format for programs; returns how many."""
    if form == "csv":
        return export.write_csv(columns, rows, stream)
    write = export.write_json if form == "json" else export.write_jsonl
    return write(columns, rows, stream, embedded)


def _print_tables(columns: Sequence[str], rows: export.Rows, spare: Sequence[str]) -> int:
    from rich.console import Console

    console = Console(soft_wrap=False, highlight=False, markup=False, emoji=False)
    source = iter(rows)
    count = 0
    left_out: set[str] = set()
    while chunk := list(islice(source, TABLE_ROWS)):
        cells = [
            [_shown(name, value) for name, value in zip(columns, row, strict=True)] for row in chunk
        ]
        kept = [i for i in range(len(columns)) if len(columns) < 6 or _says_something(cells, i)]
        for name in spare:
            if _width(columns, cells, kept) <= console.width:
                break
            if name in columns and columns.index(name) in kept:
                kept.remove(columns.index(name))
                left_out.add(name)
        console.print(_table(columns, chunk, cells, kept))
        count += len(chunk)
    if left_out:
        names = ", ".join(name for name in columns if name in left_out)
        say(f"too narrow for {names}; widen the terminal, or see all with --format jsonl")
    return count


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    cells: Sequence[Sequence[str]],
    kept: Sequence[int],
) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i in kept:
        numbers = all(isinstance(row[i], int | float | None) for row in rows)
        table.add_column(
            Text(safe(columns[i])),
            justify="right" if numbers else "left",
            overflow="fold",
            no_wrap=columns[i] in ("seq", "timestamp"),
        )
    for line in cells:
        table.add_row(*(Text(line[i]) for i in kept))
    return table


def _says_something(cells: Sequence[Sequence[str]], i: int) -> bool:
    return any(line[i] not in ("", "{}") for line in cells)


def _width(columns: Sequence[str], cells: Sequence[Sequence[str]], kept: Sequence[int]) -> int:
    """How wide the table wants to be; a long text may fold."""
    widths = (max(len(columns[i]), *(len(line[i]) for line in cells)) for i in kept)
    return sum(min(width, FOLD) for width in widths) + 3 * (len(kept) - 1)


def _shown(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if column == "timestamp" and isinstance(value, str) and len(value) == 30:
        return value[:19] + "Z"  # the fraction stands in every other format
    if column == "flags" and isinstance(value, str):
        return safe(value.strip("[]").replace('"', "").replace(",", " "))
    return safe(str(value))


def count_of(number: int, noun: str) -> str:
    """A number with its noun: 1 entry, 1,204 entries."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


class Progress:
    """A bar on stderr once work has taken a second, and only on a terminal."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._wanted = sys.stderr.isatty()
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self._bar: Any = None
        self._task: Any = None

    def advance(self, steps: int = 1) -> None:
        """Some more is done."""
        self.reach(self._done + steps)

    def reach(self, done: int) -> None:
        """So much is done."""
        self._done = done
        if not self._wanted:
            return
        if self._bar is None:
            if time.monotonic() < self._deadline:
                return
            self._start()
        self._bar.update(self._task, completed=self._done)

    def label(self, text: str, total: int | None = None) -> None:
        """Something else begins."""
        self._label, self._total, self._done = text, total, 0
        if self._bar is not None:
            self._bar.reset(self._task, description=text, total=total)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self) -> None:
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(self._label, total=self._total)
        self._bar.start()


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Progress]:
    """A Progress that is taken away in the end, whatever the end is."""
    bar = Progress(label, total)
    try:
        yield bar
    finally:
        bar.stop()
