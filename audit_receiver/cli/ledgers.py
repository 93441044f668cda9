"""Opening a ledger to read, and the rows of what a filter finds in it."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_receiver.cli.output import say
from audit_receiver.errors import IntegrityError, LedgerError

if TYPE_CHECKING:
    from audit_receiver.ledger.reader import Reader
    from audit_receiver.query import Filter

FETCH = 500  # rows a statement: a short transaction, and fewer than the 999 values of old SQLite

ledger_argument = click.argument("ledger", type=click.Path(path_type=Path), metavar="LEDGER")
SQLITE = b"SQLite format 3\0"  # how every database file begins


def take_ledgers(ledger: Path, options: dict[str, Any]) -> list[Path]:
    """The ledger, and those that were named behind it, which click took for words to look for.

    A word is a ledger if a database file has this name, and nothing but ledgers stands before it.
    """
    words = list(options["words"])
    taken = [ledger]
    while words and _is_database(Path(words[0])):
        taken.append(Path(words.pop(0)))
    options["words"] = tuple(words)
    if words and words[0].endswith(".db"):
        say(f"there is no ledger {words[0]}: it is looked for as a text")
    return taken


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(SQLITE)) == SQLITE
    except (OSError, ValueError):
        return False


def open_ledger(path: Path) -> "Reader":
    """Open it read-only, once it is clear that it is a ledger. Raises LedgerError (exit 2)."""
    from audit_receiver.ledger import database
    from audit_receiver.ledger.reader import Reader

    if path.is_dir():
        raise LedgerError(f"{path}: is a directory; name the ledger file in it")
    reader = Reader(path)
    try:
        facts = reader.facts()
        if facts.application_id != database.APPLICATION_ID:
            raise LedgerError(f"{path}: is a SQLite file, but no audit-receiver ledger")
        if facts.user_version != database.USER_VERSION:
            raise LedgerError(
                f"{path}: has ledger format {facts.user_version}, this program reads format"
                f" {database.USER_VERSION}; use the release that wrote it"
            )
    except BaseException:
        reader.close()
        raise
    return reader


def schema_trouble(reader: "Reader") -> str:
    """Why the views of this file cannot be believed, "" if they are the ones released."""
    from audit_receiver.ledger import database

    if reader.schema_digest() in (database.SCHEMA_SHA3, database.FIRST_SCHEMA_SHA3):
        return ""
    return (
        f"{reader.path}: its tables, triggers or views are not those of a ledger, so what the views"
        " say cannot be believed. Run `audit-receiver verify` on it and keep the file as it is"
    )


def open_trusted(path: Path) -> "Reader":
    """Open a ledger whose views are the ones released. Raises IntegrityError (exit 1) if not."""
    reader = open_ledger(path)
    try:
        if trouble := schema_trouble(reader):
            raise IntegrityError(trouble)
    except BaseException:
        reader.close()
        raise
    return reader


@contextmanager
def open_chain(paths: Sequence[Path]) -> "Iterator[list[Reader]]":
    """`open_trusted` for each of several ledgers, oldest first as they were given."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_trusted(path)) for path in paths]


def found(reader: "Reader", wanted: "Filter", limit: int | None = None) -> "array[int]":
    """The seq of each match, newest event first."""
    from audit_receiver import query

    statement = query.find(wanted, limit)
    _, rows = reader.select(statement.sql, statement.parameters)
    return array("q", (row[0] for row in rows))


def rows_of(
    reader: "Reader",
    wanted: "Filter",
    columns: Sequence[str],
    seqs: Sequence[int],
    advance: Callable[[int], None] = lambda steps: None,
) -> Iterator[Sequence[Any]]:
    """The rows of these entries in the order given, read in short transactions."""
    from audit_receiver import query

    source = iter(seqs)
    while chunk := list(islice(source, FETCH)):
        statement = query.fetch(wanted.view, ("seq", *columns), chunk)
        _, rows = reader.select(statement.sql, statement.parameters)
        by_seq = {row[0]: row[1:] for row in rows}
        if len(by_seq) != len(chunk):
            raise IntegrityError(
                f"{reader.path}: entries vanished while they were read. Run `audit-receiver verify`"
            )
        yield from (by_seq[seq] for seq in chunk)
        advance(len(chunk))
