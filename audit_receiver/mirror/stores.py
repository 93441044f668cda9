"""Where a mirror lies: what a place for objects can do, and a directory as such a place.

Objects under their final name are whole: a reader, and whoever goes on after a crash, never meets
half of one. Only `checkpoint` is ever replaced, and bundles of bodies where bodies are erased.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from audit_receiver.errors import AuditReceiverError
from audit_receiver.ledger.durable import sync_directory
from audit_receiver.mirror.layout import CHECKPOINTS, checkpoint_size


class StoreError(AuditReceiverError):
    """A place cannot be read or written now; the message says what it said."""


class Source(Protocol):
    """A place that can be read; nothing in it is believed."""

    def candidates(self, key: str) -> Iterator[bytes]:
        """What lies under a name, newest first: older versions too, where the place keeps them.

        Nothing if there is nothing. Raises StoreError.
        """

    def sizes(self, least: int = 0) -> Iterator[int]:
        """The sizes of `checkpoints/`, from `least` on, in order; none where it cannot list."""


class Store(Source, Protocol):
    """A place that can be written, too."""

    keeps_for_good: bool  # whether what is written cannot be taken back: no erasure reaches it

    def put(self, key: str, data: bytes) -> bool:
        """Keep an object under a new name; False if the name is taken, which changes nothing.

        Returns once it is durable. Raises StoreError.
        """

    def replace(self, key: str, data: bytes) -> None:
        """Keep an object under a name, whatever was there. Raises StoreError."""

    def drop(self, folder: str, keep: str = "") -> None:
        """Take away what lies under a folder, but for one name. Raises StoreError."""


def newest(source: Source, key: str) -> bytes | None:
    """The newest object under a name, None if there is none."""
    return next(iter(source.candidates(key)), None)


class DirectoryStore:
    """A directory; it can be served by any web server as it is."""

    keeps_for_good = False

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def candidates(self, key: str) -> Iterator[bytes]:
        """The file, if it is there."""
        try:
            data = (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            raise StoreError(f"{self.root / key}: cannot be read: {exc.strerror}") from exc
        yield data

    def sizes(self, least: int = 0) -> Iterator[int]:
        """The checkpoints that lie here."""
        try:
            names = sorted(path.name for path in (self.root / CHECKPOINTS).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            raise StoreError(f"{self.root / CHECKPOINTS}: {exc.strerror}") from exc
        for name in names:
            size = checkpoint_size(CHECKPOINTS + name)
            if size is not None and size >= least:
                yield size

    def put(self, key: str, data: bytes) -> bool:
        """Write beside, sync, link under the name: the link fails if it is taken."""
        try:
            draft, path = self._drafted(key, data)
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
            finally:
                draft.unlink()
            sync_directory(path.parent)
        except OSError as exc:
            raise self._cannot(key, exc) from exc
        return True

    def replace(self, key: str, data: bytes) -> None:
        """Write beside, sync, rename over it."""
        try:
            draft, path = self._drafted(key, data)
            draft.rename(path)
            sync_directory(path.parent)
        except OSError as exc:
            raise self._cannot(key, exc) from exc

    def drop(self, folder: str, keep: str = "") -> None:
        """Unlink the files of a folder."""
        try:
            for path in list((self.root / folder).iterdir()):
                if path.name != keep:
                    path.unlink()
            if not keep:
                (self.root / folder).rmdir()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            raise self._cannot(folder, exc) from exc

    def _drafted(self, key: str, data: bytes) -> tuple[Path, Path]:
        path = self.root / key
        self._make(path.parent)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # hidden: no tool's name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(draft, flags, 0o640)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return draft, path

    def _make(self, directory: Path) -> None:
        if directory.is_dir():
            return
        self._make(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)

    def _cannot(self, key: str, exc: OSError) -> StoreError:
        return StoreError(f"{self.root / key}: cannot be written: {exc.strerror or exc}")
