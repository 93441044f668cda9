"""What `verify` is given from outside: keys, checkpoints, what anchors keep."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_receiver.cli.output import safe

if TYPE_CHECKING:
    from audit_receiver.tlog.note import VerifierKey
    from audit_receiver.verify.trust import Trust

MOST_FILES = 100_000  # of one folder of notes
MOST_BYTES = 1 << 30  # of one file that an anchor keeps


def read_key(text: str) -> "VerifierKey":
    """The key that was given as text or as the name of a file. Raises click.UsageError."""
    from audit_receiver.tlog.note import NoteError, VerifierKey

    named = text
    path = Path(text)
    if len(text) < 1024 and path.is_file():
        named = path.read_bytes()[:4096].decode("utf-8", "replace").strip()
    try:
        return VerifierKey.parse(named)
    except (NoteError, ValueError) as exc:
        raise click.UsageError(
            f"--vkey {text}: neither a verifier key nor a file with one: {exc}"
        ) from exc


def checkpoints(files: Sequence[Path]) -> list[tuple[str, str, str]]:
    """Notes that were given one by one, as (name, text, "")."""
    return [(safe(str(file)), _text(file), "") for file in files]


def anchored(places: Sequence[Path]) -> list[tuple[str, str, str]]:
    """Every note that anchors keep, as (name, text, anchor). Raises click.UsageError if none."""
    from audit_receiver.verify.notebook import notes

    found: list[tuple[str, str, str]] = []
    for place in places:
        name = safe(str(place))
        before = len(found)
        for file in _files(place):
            found += [(name, note, name) for note in notes(_text(file))]
        if len(found) == before:
            raise click.UsageError(
                f"--anchor {place}: holds no checkpoint. Name a file that an anchor wrote, a"
                " folder of notes, or a log with the JSON lines of standard output"
            )
    return found


def trusted(policy: Path | None, roots: Path | None) -> "Trust":
    """Whom to trust besides the ledger's key. Raises click.UsageError, ConfigError."""
    from audit_receiver.verify.trust import NOTHING

    trust = NOTHING
    if policy is not None:
        from audit_receiver.verify.policy import PolicyError, parse

        try:
            read = parse(policy.read_bytes().decode("utf-8", "surrogateescape"))
        except (PolicyError, OSError) as exc:
            raise click.UsageError(
                f"--policy {policy}: {exc}. It is a C2SP tlog-policy: lines `log KEY`,"
                " `witness NAME KEY`, `group NAME all|any|K MEMBER...`, `quorum NAME`"
            ) from exc
        trust = trust._replace(cosigned=read.cosigned, quorum=read.enough)
    if roots is not None:
        from audit_receiver.verify.rfc3161 import stamped_under

        trust = trust._replace(stamped=stamped_under(roots.read_bytes()))
    return trust


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    count = 0
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            count += 1
            if count > MOST_FILES:
                raise click.UsageError(f"--anchor {place}: more than {MOST_FILES:,} files")
            yield path


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError as exc:
        raise click.UsageError(f"{file}: cannot be read: {exc.strerror}") from exc
