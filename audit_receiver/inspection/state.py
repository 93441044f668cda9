"""The file in which a verifier remembers what it saw, between two runs."""

import json
import os
from pathlib import Path

from audit_receiver.errors import AuditReceiverError
from audit_receiver.verify.memory import Memory, StateError

MOST_BYTES = 1 << 30


class StateFileError(AuditReceiverError):
    """The state cannot be read or written; the message says what to do."""


def read(path: Path) -> Memory | None:
    """What was remembered, None where there is no file yet. Raises StateFileError."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StateFileError(f"--state {path}: cannot be read: {exc.strerror}") from exc
    return parse(text, f"--state {path}")


def parse(text: bytes, name: str) -> Memory:
    """A state from its text. Raises StateFileError."""
    try:
        return Memory.from_dict(json.loads(text))
    except (StateError, ValueError, RecursionError) as exc:
        raise StateFileError(
            f"{name}: is no state that `verify --state` wrote: {exc}. Find out what"
            " changed it; without it nothing is compared with what was seen earlier"
        ) from exc


def render(memory: Memory) -> bytes:
    """The state as text."""
    return json.dumps(memory.as_dict(), indent=1, ensure_ascii=False).encode() + b"\n"


def write(path: Path, memory: Memory) -> None:
    """Keep it, whole or not at all: an interrupted run leaves the state of the one before."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as stream:
            stream.write(render(memory))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
        directory = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as exc:
        raise StateFileError(f"--state {path}: cannot be written: {exc.strerror}") from exc
    finally:
        draft.unlink(missing_ok=True)
