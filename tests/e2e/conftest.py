"""A running receiver for each test, and what only root can do."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.kit.senders import Sender
from tests.kit.server import Server


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Servers of one test, each in a folder of its own; killed afterwards if they still run."""
    made: list[Server] = []

    def make(config: dict[str, Any] | None = None, folder: Path | None = None) -> Server:
        place = folder or tmp_path / f"server-{len(made)}"
        place.mkdir(exist_ok=True)
        made.append(Server(place, config))
        return made[-1]

    yield make
    for server in made:
        if server.running:
            server.kill()


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    """One receiver, ready, on a new ledger."""
    return make_server().start()


@pytest.fixture
def sender(server: Server) -> Iterator[Sender]:
    """A sender to `server`."""
    with server.sender() as sender:
        yield sender


@pytest.fixture
def as_root() -> None:
    """For tests that mount a file system or read as another user."""
    if os.geteuid() != 0:
        pytest.skip("needs to be started as root")


@pytest.fixture
def small_disk(as_root: None, tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mount.returncode != 0:
        pytest.skip(f"this system does not let us mount a file system: {mount.stderr.strip()}")
    with ExitStack() as after:
        after.callback(subprocess.run, ["umount", "-l", str(place)], check=True)
        yield place
