"""A mirrored directory under tools of the Go ecosystem: tessera's fsck, sumdb's tlog and note."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from audit_receiver.mirror.stores import DirectoryStore
from audit_receiver.tlog.note import VerifierKey
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import grow_to, mirror, vkey_of
from tests.peers import programs

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]


@lru_cache
def checker() -> Path:
    """The checker of tests/peers/mirror."""
    programs.need("go")
    source = programs.HERE / "mirror"
    recipe = b"".join((source / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))

    def build(folder: Path) -> None:
        programs.run("go", "build", "-o", folder / "check", ".", cwd=source)

    return programs.built("mirror", recipe, build) / "check"


def check(place: Path, key: VerifierKey, *older: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checker(), place, str(key), *older],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerLab]:
    folder = tmp_path_factory.mktemp("made")
    lab = LedgerLab(folder)
    lab.open()
    for size in (1_000, 5_000, 66_000):
        grow_to(lab, size)
        mirror(lab, DirectoryStore(folder / "mirror"))
        if size == 5_000:
            shutil.copytree(folder / "mirror", folder / "small")
        (folder / f"note-{size}").write_bytes((folder / "mirror" / "checkpoint").read_bytes())
    yield lab
    lab.discard()


def test_others_accept_the_mirror_and_every_entry_in_it(made: LedgerLab) -> None:
    folder = made.path.parent.parent
    done = check(folder / "mirror", vkey_of(made.path), folder / "note-1000")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("66000 entries, ")


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512])
def test_others_accept_it_at_the_edges(tmp_path: Path, size: int) -> None:
    lab = LedgerLab(tmp_path)
    lab.open()
    grow_to(lab, max(size, lab.rows("SELECT count(*) FROM entry")[0][0]))
    mirror(lab, DirectoryStore(tmp_path / "mirror"))
    done = check(tmp_path / "mirror", vkey_of(lab.path))
    assert done.returncode == 0, done.stderr
    lab.discard()


@pytest.mark.parametrize(
    "name",
    ["tile/entries/003", "tile/0/010", "tile/0/019.p/136", "tile/1/000.p/19"],
)
# Small, because fsck stops reading at the first fault and never ends where more than that waits.
def test_others_refuse_it_after_one_changed_byte(
    made: LedgerLab, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "mirror"
    shutil.copytree(made.path.parent.parent / "small", place)
    data = bytearray((place / name).read_bytes())
    data[20] ^= 1
    (place / name).write_bytes(data)
    assert check(place, vkey_of(made.path)).returncode != 0
