"""Which endpoints are free, and who has those that are not."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from audit_receiver.cli.doctor.checks import Check, fail, ok, warn

if TYPE_CHECKING:
    from audit_receiver.config.model import Config

_LISTEN = "0A"  # /proc/net/tcp: TCP_LISTEN
_NAMES = ("receivers.otlp.protocols.", "telemetry.")


class Holder(NamedTuple):
    """The process that listens."""

    pid: int
    command: str

    @property
    def is_ours(self) -> bool:
        """Whether it is a receiver."""
        return "audit-receiver" in self.command or "audit_receiver" in self.command


def checks(config: "Config") -> Iterator[Check]:
    """One check for each endpoint of the configuration."""
    for key, endpoint in config.endpoints():
        name = key.removesuffix(".endpoint")
        for prefix in _NAMES:
            name = name.removeprefix(prefix)
        if endpoint.path:
            yield socket_file(f"socket {name}", Path(endpoint.path))
        else:
            yield port(f"port {name}", endpoint.host, endpoint.port)


def socket_file(name: str, path: Path) -> Check:
    """Whether a Unix socket can be made there."""
    if not path.parent.is_dir():
        return fail(name, f"{path.parent} is no directory", "create it, or name another")
    if not os.access(path.parent, os.W_OK):
        return fail(name, f"{path.parent} cannot be written to", "run this as the service's user")
    if path.exists() and not path.is_socket():
        return fail(name, f"{path} is not a socket", "move it away, or name another")
    return ok(name, f"{path} can be listened on")


def port(name: str, host: str, number: int) -> Check:
    """Try to listen there, as the service will."""
    shown = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        return fail(name, f"{shown}: no such host: {exc}", "name an address of this machine")
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as exc:
            return _not_free(name, shown, number, exc)
    return ok(name, f"{shown} is free")


def _not_free(name: str, shown: str, number: int, exc: OSError) -> Check:
    if exc.errno != errno.EADDRINUSE:
        mend = "take a port of 1024 or more" if exc.errno == errno.EACCES else "choose another"
        return fail(name, f"{shown} cannot be listened on: {exc.strerror}", mend)
    holder = listener(number)
    if holder is None:
        return fail(name, f"{shown} is in use by another program", "stop it, or choose another")
    if holder.is_ours:
        return warn(
            name,
            f"{shown} is in use by a running audit-receiver (process {holder.pid})",
            "nothing to mend if that is the one you mean; a second one needs other ports",
        )
    return fail(
        name,
        f"{shown} is in use by process {holder.pid}: {holder.command[:80]}",
        "stop it, or choose another port",
    )


def listener(number: int) -> Holder | None:
    """Who listens on this port, as far as /proc tells this user."""
    inodes = set(_listening(number))
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor) in inodes:
                        words = (process / "cmdline").read_bytes().split(b"\0")
                        return Holder(
                            int(process.name), b" ".join(words).decode("utf-8", "replace")
                        )
    return None


def _listening(number: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text("ascii").splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTEN and int(words[1].rpartition(":")[2], 16) == number:
                    yield f"socket:[{words[9]}]"
