"""Which logs a witness watches: verifier keys, on the command line or a line each in files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from audit_receiver.tlog.note import NoteError, VerifierKey
from audit_receiver.witness.files import WitnessError

Logs = Mapping[str, Sequence[VerifierKey]]
"""By origin, which is the key's name: the keys of which one has to have signed."""

MOST_FILE_BYTES = 1 << 20


def parse(given: Sequence[str]) -> Logs:
    """Read keys and names of files. Raises WitnessError with file and line.

    In a file every line is a key, `log KEY [URL]` as in a C2SP tlog-policy, empty or a # comment.
    """
    logs: dict[str, list[VerifierKey]] = {}
    for where, text in (pair for one in given for pair in _texts(one)):
        try:
            key = VerifierKey.parse(text)
        except NoteError as exc:
            raise WitnessError(
                f"{where}: {exc}. Give the verifier key of a log, one line name+id+key: of a ledger"
                " of audit-receiver it is `log_vkey` of the genesis entry"
            ) from exc
        known = logs.setdefault(key.name, [])
        if key not in known:
            known.append(key)
    if not logs:
        raise WitnessError("no log: give --log KEY, or --log FILE with a key on each line")
    return logs


def _texts(given: str) -> list[tuple[str, str]]:
    """(where, key) of one argument: it is a key if it has two plus signs and is no file."""
    path = Path(given)
    try:
        if given.count("+") >= 2 and not path.is_file():
            return [("--log", given.strip())]
        text = path.read_bytes()[:MOST_FILE_BYTES].decode("utf-8", "replace")
    except OSError as exc:
        raise WitnessError(
            f"--log {given}: {exc.strerror or exc}. Name a verifier key (name+id+key) or a file of"
            " them"
        ) from exc
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        key = words[1] if words[0] == "log" and len(words) in (2, 3) else line.strip()
        found.append((f"{path}, line {number}", key))
    return found
