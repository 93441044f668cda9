"""Where a door listens; of Unix sockets what a dead service left behind, and who may connect."""

import errno
import os
import socket
import stat
from contextlib import suppress
from typing import NamedTuple

MODE = 0o660  # the group may connect


class Place(NamedTuple):
    """A host and a port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""


def clear(path: str) -> None:
    """Remove a socket that nobody listens on any more.

    Raises OSError if somebody does, or if something else is in its place.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, f"{path} is not a socket; move it away")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(path)
            except OSError:  # a dead service's
                os.unlink(path)
                return
        raise OSError(errno.EADDRINUSE, f"{path} is listened on by another program")


def open_to_group(path: str) -> None:
    """Let the group of the socket connect, whatever the umask says."""
    os.chmod(path, MODE)


def remove(path: str) -> None:
    """Take the socket away."""
    with suppress(FileNotFoundError):
        os.unlink(path)
