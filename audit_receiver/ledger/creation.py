"""Making a new ledger: keys, schema, genesis, first signed head, and only then its name.

Everything is written into `ledger.creating`, synced, and renamed last: a crash in between leaves a
file that no acknowledgement depends on, and the next start begins afresh.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import database, keys
from audit_receiver.ledger.durable import sync_directory
from audit_receiver.ledger.group import End, Group
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.keysource.model import KeySource
from audit_receiver.ledger.model import LedgerSettings
from audit_receiver.ledger.pen import insert
from audit_receiver.tlog.chain import GENESIS_PREV
from audit_receiver.tlog.checkpoint import check_origin
from audit_receiver.tlog.merkle import Frontier

DEFAULT_NAME = "audit-receiver"
_HASHES = {"body": "sha3-256", "chain": "sha3-256", "head": "ed25519", "tree": "rfc6962-sha-256"}


class Beginning(NamedTuple):
    """What a new ledger follows: nothing, one that was closed, or one that is lost."""

    previous: Mapping[str, Any] | None = None  # origin, size, root, hash
    lost: Sequence[Mapping[str, Any]] = ()  # what anchors know of the lost one
    reason: str = ""


FROM_NOTHING = Beginning()


def make_directory(directory: Path) -> None:
    """Create the ledger's directory, 2750; one that exists is left as it is."""
    if directory.is_dir():
        return
    try:
        directory.mkdir(parents=True)
        directory.chmod(0o2750)
    except OSError as exc:
        raise LedgerError(f"{directory}: cannot be created: {exc.strerror}") from exc


def create_ledger(
    settings: LedgerSettings,
    files: LedgerFiles,
    wall_unix_nano: int,
    beginning: Beginning = FROM_NOTHING,
) -> None:
    """Create the ledger with its genesis entry and a signed head of size 1. Call under the lock."""
    origin = f"{settings.name or DEFAULT_NAME}/{secrets.token_hex(8)}"
    try:
        check_origin(origin)
    except ValueError as exc:
        raise LedgerError(
            f"ledger.name: {settings.name!r} cannot be a ledger's name: {exc}"
        ) from exc
    source = keys.source_of(files, settings.key_source)
    _clear_the_ground(files, source)
    try:
        connection = database.create(files.draft)
    except sqlite3.Error as exc:
        raise LedgerError(f"{files.draft}: cannot be created: {exc}") from exc
    try:
        files.draft.chmod(0o640)
        made, log_vkey = keys.create(files, source, origin)
        fields = _genesis_fields(
            settings, origin, str(made.signer.verifier), str(log_vkey), beginning
        )
        group = Group(
            End(0, GENESIS_PREV, -1, 0), Frontier(), Counter(), wall_unix_nano, held=False
        )
        group.event("genesis", fields)
        connection.execute("BEGIN IMMEDIATE")
        insert(connection, group, made.signer, origin, epoch=0)
        connection.execute("COMMIT")
    except sqlite3.Error as exc:
        raise LedgerError(f"{files.draft}: cannot be written: {exc}") from exc
    finally:
        connection.close()
    files.draft.rename(files.ledger)
    sync_directory(files.ledger.absolute().parent)
    if files.key.absolute().parent != files.ledger.absolute().parent:
        sync_directory(files.key.absolute().parent)


def _clear_the_ground(files: LedgerFiles, source: KeySource) -> None:
    """Remove what an interrupted creation left; refuse if there was a ledger here."""
    ours = (files.logkey, files.dedup, files.vkey)
    if files.draft.exists():  # never renamed, so nothing was ever acknowledged from it
        source.clear()
        for path in (*ours, Path(f"{files.draft}-journal"), files.draft):  # the mark goes last
            path.unlink(missing_ok=True)
        return
    wal = Path(f"{files.ledger}-wal")
    left = [*source.left(), *(path.name for path in (*ours, wal) if path.exists())]
    if left:
        raise LedgerError(
            f"{files.ledger}: there is no ledger, but of one there"
            f" are {', '.join(left)}. If the ledger was lost, restore it; if"
            " a new history is to begin, move these files away first"
        )


def _genesis_fields(
    settings: LedgerSettings, origin: str, vkey: str, log_vkey: str, beginning: Beginning
) -> Mapping[str, Any]:
    return {
        "origin": origin,
        "vkey": vkey,
        "log_vkey": log_vkey,
        "hashes": _HASHES,
        "schema_sha3": database.SCHEMA_SHA3,
        "select": settings.select,
        "select_digest": settings.select_digest,
        "retention": settings.retention,
        "previous": beginning.previous,
        "lost": list(beginning.lost),
        "reason": beginning.reason,
        "version": settings.version,
    }
