"""The files beside the ledger: private key, verifier key, log key, dedup key, lock, socket."""

import os
import stat
from dataclasses import astuple, dataclass
from pathlib import Path

from audit_receiver.errors import LedgerError
from audit_receiver.tlog.note import NoteError, SignerKey, VerifierKey

DEDUP_KEY_BYTES = 32
_PRIVATE = 0o400
_PUBLIC = 0o644
_LONGEST = 65536  # no key file is anywhere near this long


@dataclass(frozen=True, slots=True)
class LedgerFiles:
    """Where everything of one ledger lies; `ledger.db` has `ledger.key` and so on beside it."""

    ledger: Path
    key: Path
    vkey: Path
    logkey: Path
    dedup: Path
    redact: Path
    lock: Path
    socket: Path
    draft: Path  # the ledger while it is being created

    @classmethod
    def beside(cls, ledger: Path, key: Path | None = None) -> "LedgerFiles":
        """The files of this ledger; only the private key may lie elsewhere."""
        if ledger.suffix in {
            ".key",
            ".vkey",
            ".logkey",
            ".dedup",
            ".redact",
            ".lock",
            ".sock",
            ".creating",
        }:
            raise LedgerError(f"{ledger}: this name is taken by a file beside the ledger; use .db")
        return cls(
            ledger=ledger,
            key=key if key is not None else ledger.with_suffix(".key"),
            vkey=ledger.with_suffix(".vkey"),
            logkey=ledger.with_suffix(".logkey"),
            dedup=ledger.with_suffix(".dedup"),
            redact=ledger.with_suffix(".redact"),
            lock=ledger.with_suffix(".lock"),
            socket=ledger.with_suffix(".sock"),
            draft=ledger.with_suffix(".creating"),
        )

    def holds(self, path: Path) -> bool:
        """Whether this is the name of one of these files, or of one of SQLite's own."""
        real = self.ledger.resolve()
        sqlite = [real.with_name(f"{real.name}{end}") for end in ("-wal", "-shm", "-journal")]
        taken = (*astuple(self), *astuple(LedgerFiles.beside(real)), *sqlite)
        return _place(path) in map(_place, taken)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the writer needs: the signer of the heads and the key of the identity tags."""

    signer: SignerKey
    dedup: bytes


def _place(path: Path) -> Path:
    """The directory entry itself: a link that stands there is not followed."""
    return path.parent.resolve() / path.name


def create(files: LedgerFiles, origin: str) -> tuple[Keys, VerifierKey]:
    """Make and sync all key files; returns the keys and the log key's public half."""
    signer, log_signer = SignerKey.generate(origin), SignerKey.generate(origin)
    dedup = os.urandom(DEDUP_KEY_BYTES)
    write_new(files.key, signer.to_pem(), _PRIVATE)
    write_new(files.logkey, log_signer.to_pem(), _PRIVATE)
    write_new(files.dedup, dedup, _PRIVATE)
    write_new(files.vkey, f"{signer.verifier}\n".encode(), _PUBLIC)
    return Keys(signer, dedup), log_signer.verifier


def load(files: LedgerFiles, named: VerifierKey) -> Keys:
    """Read the keys that the ledger's current epoch names (`named`), or say which is wrong."""
    pem = _read(files.key, "the private key that signs the ledger's heads")
    try:
        signer = SignerKey.from_pem(named.name, pem)
    except (NoteError, ValueError) as exc:
        raise LedgerError(
            f"{files.key}: not an Ed25519 private key in PKCS#8 PEM: {exc}."
            " Restore it from a backup"
        ) from exc
    if signer.verifier.public != named.public:
        raise LedgerError(
            f"{files.key}: is the key {signer.verifier}, the ledger names {named}. Restore the key"
            " that belongs to this ledger; a new one cannot continue it"
        )
    beside = read_vkey(files)
    if beside is not None and beside != named:
        raise LedgerError(
            f"{files.vkey}: holds {beside}, the ledger names {named}. One of the two has been"
            " replaced: find out which, compare with what your auditor has"
        )
    dedup = _read(files.dedup, "the key of the identity tags")
    if len(dedup) != DEDUP_KEY_BYTES:
        raise LedgerError(
            f"{files.dedup}: has {len(dedup)} bytes, a dedup key has {DEDUP_KEY_BYTES}. Restore it"
            " from a backup"
        )
    return Keys(signer, dedup)


def load_log_signer(files: LedgerFiles, named: str) -> SignerKey | None:
    """The log key that the ledger names, None if its file is gone: then its line is missing.

    Raises LedgerError if the file holds another key, or none.
    """
    if not files.logkey.exists():
        return None
    pem = _read(files.logkey, "the log key, which adds a line to published checkpoints")
    try:
        signer = SignerKey.from_pem(named.partition("+")[0], pem)
    except (NoteError, ValueError) as exc:
        raise LedgerError(f"{files.logkey}: {exc}. Restore it from a backup") from exc
    if str(signer.verifier) != named:
        raise LedgerError(
            f"{files.logkey}: is the key {signer.verifier}, the ledger names {named} as its log"
            " key. Restore the one that belongs to this ledger"
        )
    return signer


def read_vkey(files: LedgerFiles) -> VerifierKey | None:
    """The verifier key beside the ledger, or None if there is no such file."""
    try:
        text = files.vkey.read_bytes()[:_LONGEST].decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise LedgerError(f"{files.vkey}: cannot be read: {exc.strerror}") from exc
    try:
        return VerifierKey.parse(text)
    except (NoteError, ValueError) as exc:
        raise LedgerError(f"{files.vkey}: not a C2SP verifier key: {exc}") from exc


def loose_permissions(files: LedgerFiles) -> list[str]:
    """Secrets that others may read, as sentences; a warning, because mounts decide modes."""
    found = []
    for path in (files.key, files.logkey, files.dedup):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            found.append(f"{path}: mode {mode:04o} lets others read it; chmod 0400 {path.name}")
    return found


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that does not exist yet and sync it; nobody sees it with a wider mode."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as exc:
        raise LedgerError(f"{path}: exists already; move it away first") from exc
    except OSError as exc:
        raise LedgerError(f"{path}: cannot be written: {exc.strerror}") from exc
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the umask took or left
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(directory: Path) -> None:
    """Make names in this directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, what: str) -> bytes:
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
            hint += "; a new one cannot continue this ledger"
        raise LedgerError(f"{path}: {what} is missing; {hint}") from exc
    except OSError as exc:
        raise LedgerError(f"{path}: {what} cannot be read: {exc.strerror}") from exc
