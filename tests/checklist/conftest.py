"""One receiver for all checks of a file; in the end its ledger has to hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checklist.door import Door
from tests.e2e.oracle import settle
from tests.kit.server import Server


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A receiver with the default limits; stopped, checked and verified after the last check."""
    folder: Path = tmp_path_factory.mktemp("checklist")
    server = Server(folder).start()
    yield Door(server)
    settle(server)
