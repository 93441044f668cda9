"""Who a witness is: its name and key, made on the first start together with its empty memory."""

import os
from dataclasses import dataclass
from pathlib import Path

from audit_receiver.tlog.cosignature import Cosigner, CosignerKey
from audit_receiver.tlog.note import NoteError, SignerKey
from audit_receiver.witness.files import PRIVATE, PUBLIC, Lock, WitnessError, replace_durably
from audit_receiver.witness.memory import Memory


@dataclass(frozen=True, slots=True)
class WitnessFiles:
    """Where everything of one witness lies; only the private key may lie elsewhere."""

    key: Path
    vkey: Path
    memory: Path
    lock: Path

    @classmethod
    def within(cls, directory: Path, key: Path | None = None) -> "WitnessFiles":
        """The files of the witness in this directory."""
        return cls(
            key=key or directory / "witness.key",
            vkey=directory / "witness.vkey",
            memory=directory / "witness.memory",
            lock=directory / "witness.lock",
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A witness's key and memory, locked; `made` on its first start."""

    cosigner: Cosigner
    memory: Memory
    lock: Lock
    made: bool


def open_or_create(files: WitnessFiles, name: str = "") -> Opened:
    """Take what is there, or make all of it where nothing is. Raises WitnessError, OSError.

    A half-made witness, that is one whose first start was cut off before it could cosign anything,
    is made anew. Everything else that is missing is a refusal.
    """
    files.lock.parent.mkdir(parents=True, exist_ok=True)
    files.key.parent.mkdir(parents=True, exist_ok=True)
    lock = Lock(files.lock)
    try:
        made = not files.key.exists() and not _has_history(files)
        if made:
            _create(files, name or f"audit-witness/{os.urandom(8).hex()}")
        cosigner = _load(files, name)
        return Opened(cosigner, Memory(files.memory, cosigner.verifier), lock, made)
    except BaseException:
        lock.release()
        raise


def _create(files: WitnessFiles, name: str) -> None:
    """The key comes last: where there is one, there has to be a memory."""
    try:
        signer = SignerKey.generate(name)
    except NoteError as exc:
        raise WitnessError(f"--name: {exc}; take one like auditor.example.com/witness") from exc
    verifier = Cosigner(signer).verifier
    Memory.begin(files.memory, verifier)
    replace_durably(files.vkey, f"{verifier}\n".encode(), PUBLIC)
    replace_durably(files.key, signer.to_pem(), PRIVATE)


def _has_history(files: WitnessFiles) -> bool:
    """Whether, without a key, a witness was here before: then its key is lost, not new."""
    return not Memory.is_blank(files.memory) if files.memory.exists() else files.vkey.exists()


def _load(files: WitnessFiles, name: str) -> Cosigner:
    try:
        known = CosignerKey.parse(files.vkey.read_text("utf-8"))
        signer = SignerKey.from_pem(known.name, files.key.read_bytes())
    except FileNotFoundError as exc:
        raise WitnessError(
            f"{exc.filename}: is missing, but this witness has run before. Put it back from a"
            " backup; the logs know this witness by that key"
        ) from exc
    except (NoteError, ValueError) as exc:
        raise WitnessError(f"{files.key}, {files.vkey}: cannot be used: {exc}") from exc
    cosigner = Cosigner(signer)
    if cosigner.verifier != known:
        raise WitnessError(
            f"{files.key}: is not the key of {files.vkey}, which says {known}. One of the two was"
            " replaced: put back the one that belongs to this witness"
        )
    if name and name != known.name:
        raise WitnessError(
            f"--name: this witness is {known.name} and cannot become {name}; its name is part of"
            " its key. Leave --name out, or give a new witness a --data directory of its own"
        )
    return cosigner
