"""The door where reads are told: `ledger.sock`, a Unix socket beside the ledger.

`query`, `search` and `export` tell it what they are about to show, and print only after the
`ledger.read` entry is durable. The protocol is one line of JSON each way:

    -> {"command": "search", "arguments": {"actor": "alice"}, ...}
    <- {"seq": 1042}            the entry that records it
    <- {"error": "why not"}     nothing was recorded

The commands that delete bodies or keep them (`retention.orders`) come the same way, and only from
the service's own user or root; their answer comes when all is done.

Who asks is taken from the socket (SO_PEERCRED: uid, gid, pid), never from the text. `command` is
required; `arguments` is an object of strings, numbers, booleans and lists of them.
"""

import asyncio
import json
import os
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from audit_receiver.errors import AuditReceiverError, Forbidden, MalformedRequest
from audit_receiver.ledger.appender import Appender
from audit_receiver.ledger.awaiting import answer_to

MOST_LINE_BYTES = 64 * 1024
MOST_ORDER_BYTES = 4 * 1024 * 1024  # ranges of many scattered bodies
PATIENCE_SECONDS = 10.0
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))
COMMANDS = ("query", "search", "export")


# Given an order, the uid and user name of who gives it; what became of it.
Orders = Callable[[dict[str, Any], int, str], Awaitable[dict[str, Any]]]


class ReadsDoor:
    """Listens on the socket, writes `ledger.read` entries and hands orders on."""

    def __init__(
        self,
        appender: Appender,
        path: Path,
        orders: Orders | None = None,
        order_names: Sequence[str] = (),
    ) -> None:
        self._appender = appender
        self._path = path
        self._orders = orders
        self._order_names = order_names
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket that a dead service left behind is replaced (we hold its lock).

        Raises OSError if there is something else in its place.
        """
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(self._path.lstat().st_mode):
                raise OSError(f"{self._path} is not a socket; move it away")
            self._path.unlink()
        self._server = await asyncio.start_unix_server(
            self._serve, sock=_bind(self._path), limit=MOST_ORDER_BYTES
        )
        self._path.chmod(0o660)

    async def stop(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            with suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = writer.get_extra_info("socket")
            async with asyncio.timeout(PATIENCE_SECONDS) as patience:
                line = await reader.readline()
                told = _told(line)
                if self._orders is not None and told.get("command") in self._order_names:
                    patience.reschedule(None)  # deleting may take its time
                    answer = await self._order(self._orders, told, peer)
                elif len(line) > MOST_LINE_BYTES:
                    raise MalformedRequest(f"the limit of a read is {MOST_LINE_BYTES} bytes")
                else:
                    answer = await self._record(told, peer)
        except (TimeoutError, ValueError, AuditReceiverError) as error:
            answer = {"error": str(error) or "the read could not be recorded in time"}
        with suppress(OSError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _order(self, orders: Orders, told: dict[str, Any], peer: Any) -> dict[str, Any]:
        _, uid, _ = _credentials(peer)
        if uid not in (0, os.geteuid()):
            raise Forbidden(
                f"{told['command']} is for the service's own user or root; uid {uid} is neither"
            )
        return await orders(told, uid, _user(uid))

    async def _record(self, told: dict[str, Any], peer: Any) -> dict[str, Any]:
        fields = _parse(told)
        pid, uid, gid = _credentials(peer)
        fields.update({"gid": gid, "pid": pid, "uid": uid, "user": _user(uid)})
        kept = await answer_to(lambda done: self._appender.submit_record("read", fields, done))
        return {"seq": kept.first_seq}


def _bind(path: Path) -> socket.socket:
    """A socket bound to `path`, however long: sockaddr_un holds 108 bytes (unix(7))."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        bound.bind(f"/proc/self/fd/{directory}/{path.name}")
    except OSError:
        bound.close()
        raise
    finally:
        os.close(directory)
    return bound


def _credentials(peer: Any) -> tuple[int, int, int]:
    """pid, uid and gid of the process at the other end."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return pid, uid, gid


def _told(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise MalformedRequest(f"a read is told as one line of JSON: {exc}") from exc
    return told if isinstance(told, dict) else {}


def _parse(told: dict[str, Any]) -> dict[str, Any]:
    if told.get("command") not in COMMANDS:
        raise MalformedRequest(f"a read is told by one of {', '.join(COMMANDS)}")
    arguments = told.get("arguments", {})
    if not isinstance(arguments, dict) or not all(map(_is_plain, arguments.values())):
        raise MalformedRequest(
            "`arguments` is an object of strings, numbers, booleans, lists of them"
        )
    return {"command": told["command"], "arguments": arguments}


def _is_plain(value: Any) -> bool:
    """Nothing deep: the writer thread walks through it."""
    items = value if isinstance(value, list) else [value]
    return all(item is None or isinstance(item, str | int | float) for item in items)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def socket_path(ledger: Path) -> Path:
    """Where the service of this ledger listens for reads."""
    return Path(os.path.abspath(ledger)).with_suffix(".sock")
