"""A key in a file: `ledger.key`, with `ledger.key.next` and `ledger.key.old` during a rotation.

next written, synced          the ledger names the old key: `settle` destroys next
COMMIT                        the ledger names the next key: `settle` goes on from here
old linked to ledger.key.old  so that a crash behind the rename does not lose sight of it
next renamed over ledger.key  there is a ledger.key at every moment
old overwritten, unlinked
"""

import os
from collections.abc import Sequence
from pathlib import Path

from audit_receiver.errors import LedgerError
from audit_receiver.ledger.durable import destroy, sync_directory, write_new
from audit_receiver.tlog.note import NoteError, SignerKey, VerifierKey

PRIVATE = 0o400
IF_LOST = (
    "If it is lost: audit-receiver recover --reason '...' (with the --config that `serve` has) goes"
    " on under a new key, and records that"
)
_LONGEST = 65536  # no key file is anywhere near this long


class FileSource:
    """PKCS#8 PEM in a file of mode 0400."""

    rotates = True

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    @property
    def _key(self) -> Path:
        """The file itself, where `path` is a link to it: renaming must not replace the link."""
        return Path(os.path.realpath(self._path))

    @property
    def _next(self) -> Path:
        return beside(self._key, "next")

    @property
    def _old(self) -> Path:
        return beside(self._key, "old")

    def left(self) -> Sequence[str]:
        """The names of key files that are there."""
        return [path.name for path in (self._key, self._next, self._old) if path.exists()]

    def clear(self) -> None:
        """Remove the key of a ledger that was never there."""
        for path in (self._key, self._next, self._old):
            path.unlink(missing_ok=True)

    def create(self, origin: str) -> SignerKey:
        """Make, write and sync a key."""
        return self._write(self._key, origin)

    def find(self, named: VerifierKey) -> SignerKey:
        """The key in the file, or the next one if a crash kept it from being renamed."""
        signer = self._load(named)
        if signer.verifier.public == named.public:
            return signer
        waiting = _read(self._next, named.name)
        if waiting is not None and waiting.verifier == named:
            return waiting
        raise LedgerError(
            f"{self._path}: is the key {signer.verifier}, the ledger names {named}. Restore the key"
            f" that belongs to this ledger; a new one cannot continue it. {IF_LOST}"
        )

    def prepare(self, origin: str) -> SignerKey:
        """Write and sync the next key beside the current one."""
        destroy(self._next)  # of an attempt that failed
        return self._write(self._next, origin)

    def settle(self, named: VerifierKey) -> str:
        """Rename the next key over the current one if it is the named one; destroy the others."""
        key, waiting, old = self._key, self._next, self._old
        current, following = _read(key, named.name), _read(waiting, named.name)
        problems = []
        if following is not None and following.verifier == named:
            problems.append(self._replace(key, waiting, old))
        elif current is None or current.verifier != named:
            return ""  # neither is the ledger's: nothing here is ours to destroy
        elif waiting.exists():
            problems.append(destroy(waiting))
        if old.exists():
            if old.samefile(key):
                os.unlink(old)
                sync_directory(key.parent)
            else:
                problems.append(destroy(old))
        return "; ".join(filter(None, problems))

    def _replace(self, key: Path, waiting: Path, old: Path) -> str:
        problem = ""
        if key.exists() and not old.exists():
            try:
                os.link(key, old)
            except OSError as exc:  # a file system without hard links
                problem = f"{key}: the old key was replaced and not overwritten: {exc.strerror}"
        sync_directory(key.parent)
        os.rename(waiting, key)
        sync_directory(key.parent)
        return problem

    def _write(self, path: Path, origin: str) -> SignerKey:
        signer = SignerKey.generate(origin)
        write_new(path, signer.to_pem(), PRIVATE)
        sync_directory(path.parent)
        return signer

    def _load(self, named: VerifierKey) -> SignerKey:
        pem = read_secret(self._path, "the private key that signs the ledger's heads")
        return signer_of(pem, named.name, str(self._path))


def beside(key: Path, which: str) -> Path:
    """`ledger.key.next`, `ledger.key.old`."""
    return key.with_name(f"{key.name}.{which}")


def signer_of(pem: bytes, name: str, where: str) -> SignerKey:
    """The key in a PEM text. Raises LedgerError."""
    try:
        return SignerKey.from_pem(name, pem)
    except (NoteError, ValueError) as exc:
        raise LedgerError(
            f"{where}: not an Ed25519 private key in PKCS#8 PEM: {exc}. Restore it from a backup"
        ) from exc


def read_secret(path: Path, what: str) -> bytes:
    """The content of a key file. Raises LedgerError with the mend."""
    try:
        return path.read_bytes()[:_LONGEST]
    except FileNotFoundError as exc:
        hint = "restore it from a backup"
        if path.suffix == ".dedup":
            hint += (
                "; if it is lost, put 32 random bytes there (mode 0400): then records from before"
                " can be stored a second time, nothing else changes"
            )
        else:
            hint += f"; a new one cannot continue this ledger. {IF_LOST}"
        raise LedgerError(f"{path}: {what} is missing; {hint}") from exc
    except OSError as exc:
        raise LedgerError(f"{path}: {what} cannot be read: {exc.strerror}") from exc


def _read(path: Path, name: str) -> SignerKey | None:
    """The key in a file, None if there is none or it is no key: half a write, for example."""
    try:
        return SignerKey.from_pem(name, path.read_bytes()[:_LONGEST])
    except FileNotFoundError:
        return None
    except (NoteError, ValueError):
        return None
