"""Rows as JSON Lines and as CSV; files whole or not at all.

JSON Lines: one object a line. Columns of the views that hold canonical JSON are embedded byte for
byte, so that `body` can be hashed as it stands in the line. Bytes become {"$bytes": "<base64>"}.

CSV: RFC 4180 in UTF-8, NULL and the empty string are both an empty cell. A text that a spreadsheet
could take for a formula, or that begins with an apostrophe, gets an apostrophe in front; taking one
leading apostrophe away gives the value back.
"""

import base64
import csv
import io
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from audit_receiver.errors import AuditReceiverError

Rows = Iterable[Sequence[Any]]

JSON_COLUMNS = frozenset({"flags", "attributes", "resource", "scope", "body", "details"})
# What makes Excel, LibreOffice and Sheets compute: OWASP's list, with its full-width forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_GUARDED = ("'", *_FORMULA)


class ExportError(AuditReceiverError):
    """The file cannot be written; nothing of it is left."""


def write_jsonl(
    columns: Sequence[str], rows: Rows, stream: BinaryIO, embedded: Iterable[str] = ()
) -> int:
    """One JSON object a line; `embedded` names columns whose text is JSON. Returns the count."""
    count = 0
    for line in json_lines(columns, rows, embedded):
        stream.write(line + b"\n")
        count += 1
    return count


def write_json(
    columns: Sequence[str], rows: Rows, stream: BinaryIO, embedded: Iterable[str] = ()
) -> int:
    """One JSON array of all objects. Returns the count."""
    count = 0
    for line in json_lines(columns, rows, embedded):
        stream.write((b",\n" if count else b"[\n") + line)
        count += 1
    stream.write(b"\n]\n" if count else b"[]\n")
    return count


def json_lines(columns: Sequence[str], rows: Rows, embedded: Iterable[str] = ()) -> Iterator[bytes]:
    """Each row as one JSON object, without a newline."""
    names = unique(columns)
    inner = frozenset(embedded)
    nested = [name in inner for name in columns]
    for row in rows:
        members = {
            name: _embedded(value) if json else _plain(value)
            for name, json, value in zip(names, nested, row, strict=True)
        }
        yield orjson.dumps(members)


def write_csv(columns: Sequence[str], rows: Rows, stream: BinaryIO) -> int:
    """A header line and one line a row. Returns the count without the header."""
    text = io.TextIOWrapper(stream, "utf-8", "surrogatepass", newline="", write_through=True)
    count = 0
    try:
        writer = csv.writer(text)
        writer.writerow([guard(name) for name in columns])
        for row in rows:
            writer.writerow([_cell(value) for value in row])
            count += 1
    finally:
        with suppress(ValueError, OSError):
            text.detach()  # the stream is the caller's to close
    return count


def guard(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_GUARDED) else text


def unique(columns: Sequence[str]) -> list[str]:
    """Column names as member names: of equal ones the second is `name:2`, and so on."""
    seen: dict[str, int] = {}
    names = []
    for column in columns:
        seen[column] = seen.get(column, 0) + 1
        names.append(column if seen[column] == 1 else f"{column}:{seen[column]}")
    return names


@contextmanager
def whole_file(path: Path, replace: bool = False) -> Iterator[BinaryIO]:
    """A file that appears under its name when all is written and synced, or not at all.

    Raises ExportError if it exists (unless `replace`) or cannot be written.
    """
    if path.is_dir():
        raise ExportError(f"{path}: is a directory; name a file in it")
    if path.exists() and not replace:
        raise ExportError(f"{path}: exists already; choose another name, or say --force")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        file = draft.open("xb")
    except OSError as exc:
        raise ExportError(f"{path}: cannot be written: {exc.strerror}") from exc
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            _name_it(draft, path)
    except OSError as exc:
        raise ExportError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.absolute().parent)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """A new directory that appears under its name when its files are synced, or not at all.

    Raises ExportError if the name is taken or nothing can be written there.
    """
    if path.exists():
        raise ExportError(f"{path}: exists already; choose another name")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        draft.mkdir()
        yield draft
        for file in list(draft.iterdir()):
            _sync(file)
        _sync(draft)
        draft.rename(path)  # refuses a name that somebody has given to a file meanwhile
    except OSError as exc:
        raise ExportError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync(path.absolute().parent)


def _name_it(draft: Path, path: Path) -> None:
    """Give the name only if nobody has taken it meanwhile."""
    try:
        os.link(draft, path)
    except FileExistsError as exc:
        raise ExportError(f"{path}: exists already; choose another name, or say --force") from exc
    except OSError:  # a file system without hard links
        draft.rename(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems sync no directories
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$double": "Infinity" if value > 0 else "-Infinity"}  # SQLite has no NaN
    if isinstance(value, str) and not _is_utf8(value):
        return {"$bytes": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    return value


def _embedded(value: Any) -> Any:
    """Canonical JSON as it stands; what is no JSON (a file tampered with) as a string."""
    if not isinstance(value, str):
        return _plain(value)
    try:
        orjson.loads(value)
    except ValueError:
        return _plain(value)
    return orjson.Fragment(value)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return guard(value)
    if isinstance(value, bytes):
        return guard("base64:" + base64.b64encode(value).decode())
    return value
