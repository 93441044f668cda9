"""Telling the running service what is about to be read, so that the ledger says it too.

One line of JSON each way over `ledger.sock` (receive.reads has the protocol). The answer comes when
the `ledger.read` entry is durable; only then is anything printed. Where it cannot be recorded the
reader is told so, and reads on: the file can be opened directly anyway, and nobody would gain.
"""

import json
import os
import socket
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha3_256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit_receiver.cli.output import say

if TYPE_CHECKING:
    from audit_receiver.ledger.reader import Reader

PATIENCE_SECONDS = 15.0  # the service gives up after 10
LONGEST_ARGUMENT = 16_000  # characters; the service takes lines of 64 KiB
LONGEST_PATH = 100  # bytes; sockaddr_un holds 108 (unix(7))


class NotRecorded(Exception):
    """The read stands nowhere; the message says why."""


def report(reader: "Reader", command: str, arguments: dict[str, Any]) -> None:
    """Have this read recorded, or say on stderr that it was not and why."""
    try:
        tell(reader.files.socket, command, arguments)
    except NotRecorded as exc:
        say(f"this read was not recorded in the ledger: {exc}")


def report_all(readers: "Sequence[Reader]", command: str, arguments: dict[str, Any]) -> None:
    """`report` of a chain of ledgers: the newest is told, with the names of those before it.

    Those were closed, and nothing more is written to them.
    """
    *closed, newest = readers
    if closed:
        arguments = {**arguments, "ledgers": [str(reader.path) for reader in readers]}
    report(newest, command, arguments)


def tell(path: Path, command: str, arguments: dict[str, Any]) -> int:
    """The seq of the entry that records the read. Raises NotRecorded."""
    line = json.dumps({"command": command, "arguments": _bounded(arguments)}).encode() + b"\n"
    try:
        answer = json.loads(exchange(path, line))
        seq = answer.get("seq")
    except (FileNotFoundError, ConnectionRefusedError) as exc:
        raise NotRecorded("no service is running on it") from exc
    except PermissionError as exc:
        raise NotRecorded(f"{path} is closed to this user; join the ledger's group") from exc
    except TimeoutError as exc:
        raise NotRecorded(f"the service did not answer within {PATIENCE_SECONDS:g} s") from exc
    except (OSError, ValueError, AttributeError) as exc:
        raise NotRecorded(f"the service could not be asked: {exc}") from exc
    if not isinstance(seq, int):
        raise NotRecorded(str(answer.get("error") or "the service did not say why"))
    return seq


def exchange(path: Path, line: bytes, patience_seconds: float = PATIENCE_SECONDS) -> bytes:
    """One line to the service, its line back. Raises OSError."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(patience_seconds)
        _connect(connection, path.absolute())
        connection.sendall(line)
        answer = b""
        while not answer.endswith(b"\n") and (part := connection.recv(65536)):
            answer += part
    return answer


def _connect(connection: socket.socket, path: Path) -> None:
    if len(os.fsencode(path)) <= LONGEST_PATH:
        connection.connect(str(path))
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def _bounded(arguments: dict[str, Any]) -> dict[str, Any]:
    """A statement of megabytes is recorded by its beginning and its digest."""
    bounded = {}
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if len(text) > LONGEST_ARGUMENT:
            bounded[name] = text[:LONGEST_ARGUMENT]
            bounded[f"{name}_sha3_256"] = sha3_256(text.encode("utf-8", "replace")).hexdigest()
        else:
            bounded[name] = value
    return bounded
