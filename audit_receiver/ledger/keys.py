"""The files beside the ledger: private key, verifier key, log key, dedup key, lock, socket."""

import os
import stat
from dataclasses import astuple, dataclass
from pathlib import Path

from audit_receiver.errors import LedgerError
from audit_receiver.ledger.durable import write_new
from audit_receiver.ledger.keysource.file import PRIVATE, FileSource, beside, read_secret
from audit_receiver.ledger.keysource.model import KeySource, Signer
from audit_receiver.tlog.note import NoteError, SignerKey, VerifierKey

DEDUP_KEY_BYTES = 32
_PUBLIC = 0o644
_LONGEST = 65536  # no key file is anywhere near this long


@dataclass(frozen=True, slots=True)
class LedgerFiles:
    """Where everything of one ledger lies; `ledger.db` has `ledger.key` and so on beside it."""

    ledger: Path
    key: Path
    next_key: Path  # during a rotation of `key`
    old_key: Path  # until it is destroyed
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
        key = key if key is not None else ledger.with_suffix(".key")
        return cls(
            ledger=ledger,
            key=key,
            next_key=beside(key, "next"),
            old_key=beside(key, "old"),
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

    signer: Signer
    dedup: bytes


def _place(path: Path) -> Path:
    """The directory entry itself: a link that stands there is not followed."""
    return path.parent.resolve() / path.name


def source_of(files: LedgerFiles, given: KeySource | None) -> KeySource:
    """Where the private key lives: in its file, if nothing else is configured."""
    return given if given is not None else FileSource(files.key)


def create(files: LedgerFiles, source: KeySource, origin: str) -> tuple[Keys, VerifierKey]:
    """Make and sync all key files; returns the keys and the log key's public half."""
    signer, log_signer = source.create(origin), SignerKey.generate(origin)
    dedup = os.urandom(DEDUP_KEY_BYTES)
    write_new(files.logkey, log_signer.to_pem(), PRIVATE)
    write_new(files.dedup, dedup, PRIVATE)
    write_new(files.vkey, f"{signer.verifier}\n".encode(), _PUBLIC)
    return Keys(signer, dedup), log_signer.verifier


def load(files: LedgerFiles, source: KeySource, first: VerifierKey, named: VerifierKey) -> Keys:
    """Get the keys of the ledger's first and current epoch, or say which is wrong.

    Args:
        first: the key that the genesis names; `ledger.vkey` holds it for ever.
        named: the key that the newest epoch names.
    """
    signer = source.find(named)
    beside = read_vkey(files)
    if beside is not None and beside != first:
        raise LedgerError(
            f"{files.vkey}: holds {beside}, the ledger names {first}. One of the two has been"
            " replaced: find out which, compare with what your auditor has"
        )
    dedup = read_secret(files.dedup, "the key of the identity tags")
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
    pem = read_secret(files.logkey, "the log key, which adds a line to published checkpoints")
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


def carry_over(files: LedgerFiles, origin: str) -> tuple[SignerKey, bytes]:
    """The log key under a new origin, and the dedup key; one that is lost is made anew."""
    if not files.logkey.exists():
        write_new(files.logkey, SignerKey.generate(origin).to_pem(), PRIVATE)
    if not files.dedup.exists():
        write_new(files.dedup, os.urandom(DEDUP_KEY_BYTES), PRIVATE)
    pem = read_secret(files.logkey, "the log key, which adds a line to published checkpoints")
    try:
        signer = SignerKey.from_pem(origin, pem)
    except (NoteError, ValueError) as exc:
        raise LedgerError(f"{files.logkey}: {exc}. Restore it from a backup, or remove it") from exc
    return signer, read_secret(files.dedup, "the key of the identity tags")


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
    for path in (files.key, files.next_key, files.old_key, files.logkey, files.dedup, files.redact):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            found.append(f"{path}: mode {mode:04o} lets others read it; chmod 0400 {path.name}")
    return found
