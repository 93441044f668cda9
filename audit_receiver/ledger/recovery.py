"""The only way on where a start refuses: a new incarnation, which says why and what is missing.

Nothing that stands in the file is changed. A `recover` entry is appended, under a new origin and a
new key; what was cut off, forked or never signed is named in it, and the old key signs for it if it
is still there (DESIGN 3.2). Where nothing can be appended any more, a new ledger begins instead.
"""

import base64
import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.ledger import closing, creation, database, epochs, keys, outside, pen, repair
from audit_receiver.ledger.clockwatch import Reading
from audit_receiver.ledger.counters import Counters
from audit_receiver.ledger.group import End
from audit_receiver.ledger.guard import FileGuard
from audit_receiver.ledger.keys import Keys, LedgerFiles
from audit_receiver.ledger.lock import WriterLock
from audit_receiver.ledger.model import Clock, Job, LedgerSettings, Tip
from audit_receiver.ledger.notary import Notary
from audit_receiver.record import timestamp
from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.tlog.merkle import Frontier, leaf_hash
from audit_receiver.tlog.note import VerifierKey

# Behind so many heads that do not hold, there is nothing to go on from.
_NEWEST_HEADS = "SELECT size FROM main.head ORDER BY size DESC LIMIT 1000"


class Recovered(NamedTuple):
    """What a recovery did."""

    created: bool  # there was nothing to go on with: a new ledger was begun
    vkey: str  # the key of the new incarnation
    log_vkey: str  # its log key, for those who run a witness
    size: int  # entries now
    lost: list[dict[str, Any]]  # checkpoints of outside that the ledger does not hold any more
    signed: bool  # the old key signed for the new one, so that the first verifier key is enough
    mended: list[str]  # of the schema
    moved: list[str]  # files of a lost ledger, out of the way
    note: str  # the checkpoint over all of it
    remark: str  # what an operator should know


def recover(settings: LedgerSettings, clock: Clock, reason: str) -> Recovered:
    """Go on with a ledger that the start refuses, or begin a new one in a lost one's place.

    Raises LedgerError (a key that cannot be read, locked), IntegrityError (nothing can be appended
    to this file: it has to be moved away, and kept).
    """
    files = LedgerFiles.beside(settings.path, settings.key_path)
    creation.make_directory(files.ledger.absolute().parent)
    lock = WriterLock(files.lock)
    try:
        if not files.ledger.exists():
            return _begin_anew(settings, files, clock, reason)
        connection = database.open_writer(files.ledger)
        try:
            found = _Recovery(connection, files, settings, clock).run(reason)
            remark = closing.leave_wal(connection, FileGuard(files.ledger))
            return found._replace(remark="; ".join(filter(None, (found.remark, remark))))
        except sqlite3.Error as exc:
            raise IntegrityError(f"{files.ledger}: cannot be gone on with: {exc}. {_ANEW}") from exc
        finally:
            connection.close()
    finally:
        lock.release()


def _begin_anew(
    settings: LedgerSettings, files: LedgerFiles, clock: Clock, reason: str
) -> Recovered:
    """A new ledger whose genesis names what is lost; the old one's files are moved away."""
    lost = [_as_lost(one) for one in outside.read(settings.known)]
    moved = _move_away(files, timestamp.render(clock.wall())[:19].replace(":", ""))
    beginning = creation.Beginning(lost=lost, reason=reason)
    creation.create_ledger(settings, files, clock.wall(), beginning)
    vkey = keys.read_vkey(files)
    assert vkey is not None  # just made
    log_key, _ = keys.carry_over(files, vkey.name)
    return Recovered(True, str(vkey), str(log_key.verifier), 1, lost, False, [], moved, "", "")


def _move_away(files: LedgerFiles, when: str) -> list[str]:
    """Keep the keys of the lost ledger: with them its copies elsewhere can still be told apart."""
    moved = []
    for path in (files.key, files.next_key, files.old_key, files.logkey, files.vkey, files.dedup):
        if path.exists() and not files.draft.exists():
            target = path.with_name(f"{path.name}.lost-{when}")
            path.rename(target)
            moved.append(target.name)
    wal = Path(f"{files.ledger}-wal")
    if wal.exists():
        raise LedgerError(
            f"{wal}: is there without its ledger. It may hold records: put it aside together with"
            " whatever is found of the ledger, then run this again"
        )
    return moved


class _Recovery:
    """One recovery in place."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        files: LedgerFiles,
        settings: LedgerSettings,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._files = files
        self._settings = settings
        self._now = Reading(clock.wall(), clock.monotonic())
        self._path = files.ledger

    def run(self, reason: str) -> Recovered:
        mends = repair.of_schema(self._path, self._connection)
        seq, digest, received = self._last_entry()
        size = seq + 1
        self._refuse_what_lies_beyond(size)
        roots, nodes = self._tree(size)
        reigns = self._reigns()
        signed_size, signed_root = self._last_signed(reigns, roots)
        lost = self._lost(size, reigns, roots)
        source = keys.source_of(self._files, self._settings.key_source)
        old, new_origin = reigns[-1].key, _next_origin(reigns[-1].key.name)
        log_signer, dedup = keys.carry_over(self._files, new_origin)
        try:
            old_signer = source.find(old)
        except LedgerError:
            old_signer = None  # lost: a verifier needs the new key from outside
        signer = source.prepare(new_origin)
        text = recover_text(old.name, signed_size, signed_root, signer.verifier)
        signature = old_signer.sign(text.encode()) if old_signer is not None else b""
        fields = {
            "origin": new_origin,
            "vkey": str(signer.verifier),
            "log_vkey": str(log_signer.verifier),
            "size": signed_size,
            "root": signed_root.hex(),
            "lost": lost,
            "reason": reason,
            "signature": base64.b64encode(signature).decode(),
        }
        end = End(size, digest.hex(), min(received, self._now.wall - 1), 0)
        writer = self._writer(Keys(signer, dedup), Notary(log_signer), reigns[-1], end, roots)
        written = writer.write(
            [Job((), self._schema_event(), None, publish=True)],
            self._now,
            held=False,
            schema=[*mends.statements, *nodes],
            successor=pen.Successor(signer, "recover", fields),
        )
        remark = source.settle(signer.verifier)
        return Recovered(
            created=False,
            vkey=str(signer.verifier),
            log_vkey=str(log_signer.verifier),
            size=writer.end.size,
            lost=lost,
            signed=bool(signature),
            mended=mends.words,
            moved=[],
            note=written.note,
            remark=remark,
        )

    def _writer(
        self, held: Keys, log: Notary, reign: epochs.Reign, end: End, roots: "_Roots"
    ) -> pen.Pen:
        """The pen, at the place where the ledger ends."""
        return pen.Pen(
            self._connection,
            held,
            self._stored_tip(),
            reign.seq,
            reign.since,
            end,
            roots.frontier,
            Counter(),
            Counters(),
            FileGuard(self._path),
            log,
        )

    def _last_entry(self) -> tuple[int, bytes, int]:
        row = self._connection.execute(
            "SELECT seq, hash, header, (SELECT count(*) FROM main.entry NOT INDEXED)"
            " FROM main.entry NOT INDEXED ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if row is None:
            raise IntegrityError(f"{self._path}: holds no entry at all. {_ANEW}")
        seq, digest, header, count = row
        if count != seq + 1:
            raise IntegrityError(f"{self._path}: {seq + 1 - count} entries are missing. {_ANEW}")
        stated = self._connection.execute("SELECT json_extract(?, '$.received')", (header,))
        try:
            return seq, bytes(digest), timestamp.parse(str(stated.fetchone()[0]))
        except ValueError:
            return seq, bytes(digest), self._now.wall - 1

    def _refuse_what_lies_beyond(self, size: int) -> None:
        """Heads and checkpoints only grow: those of entries that are gone bar the way."""
        for table in ("head", "checkpoint"):
            there = "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?"
            if self._connection.execute(there, (table,)).fetchone() is None:
                continue
            row = self._connection.execute(f"SELECT max(size) FROM main.{table}").fetchone()
            if table == "head" and row[0] is None:
                raise IntegrityError(f"{self._path}: holds no signed head at all. {_ANEW}")
            if row[0] is not None and row[0] > size:
                raise IntegrityError(
                    f"{self._path}: table `{table}` goes up to size {row[0]}, and there are {size}"
                    f" entries: the others were deleted, and nothing can be appended. {_ANEW}"
                )

    def _tree(self, size: int) -> tuple["_Roots", list[str]]:
        """The tree over every header, and the statements that write the nodes that are missing."""
        newest = self._connection.execute(_NEWEST_HEADS).fetchall()
        wanted = {one.checkpoint.size for one in outside.read(self._settings.known)}
        roots, nodes = _Roots(wanted | {size for (size,) in newest}), list[str]()
        there = {
            (level, idx)
            for level, idx in self._connection.execute("SELECT level, idx FROM main.node")
        }
        rows = self._connection.execute("SELECT header FROM main.entry NOT INDEXED ORDER BY seq")
        for (header,) in rows:
            for level, idx, digest in roots.push(leaf_hash(str(header).encode())):
                if (level, idx) not in there:
                    nodes.append(f"INSERT INTO main.node VALUES({level},{idx},x'{digest.hex()}')")
        return roots, nodes

    def _reigns(self) -> list[epochs.Reign]:
        execute = self._connection.execute
        first = epochs.first(self._path, execute(epochs.GENESIS).fetchall())
        try:
            return epochs.walk(
                self._path,
                first,
                execute(epochs.ENTRIES).fetchall(),
                lambda size: execute(epochs.HEAD, (size,)).fetchone(),
            )
        except IntegrityError:
            return [first]  # verify tells where it is broken

    def _last_signed(self, reigns: list[epochs.Reign], roots: "_Roots") -> tuple[int, bytes]:
        """The newest head that its key signed and that the entries still give."""
        heads = self._connection.execute(_NEWEST_HEADS.replace("size", "size, root, signature", 1))
        for size, root, signature in heads:
            key = epochs.at(reigns, size).key
            if roots.at_size(size) == root and key.verify(
                head_text(key.name, size, root).encode(), signature
            ):
                return size, root
        raise IntegrityError(f"{self._path}: no head in it holds. {_ANEW}")

    def _lost(self, size: int, reigns: list[epochs.Reign], roots: "_Roots") -> list[dict[str, Any]]:
        ours = {reign.key.name for reign in reigns}
        return [
            _as_lost(one)
            for one in outside.read(self._settings.known)
            if one.checkpoint.origin not in ours
            or one.checkpoint.size > size
            or roots.at_size(one.checkpoint.size) != one.checkpoint.root
        ]

    def _schema_event(self) -> list[tuple[str, dict[str, Any]]]:
        """The entry that states the present schema, where the ledger states the first one."""
        execute = self._connection.execute
        [(text,)] = execute("SELECT body FROM main.entry NOT INDEXED WHERE seq = 0").fetchall()
        stated = json.loads(text)["event"]["schema_sha3"]
        rows = execute("SELECT 1 FROM main.entry WHERE action = 'ledger.schema' LIMIT 1").fetchall()
        if rows or stated == database.SCHEMA_SHA3:
            return []
        return [("schema", {"old": stated, "new": database.SCHEMA_SHA3})]

    def _stored_tip(self) -> Tip:
        """The newest head as it stands, for the pen to find it as it left it."""
        size, root, signature = self._connection.execute(
            "SELECT size, root, signature FROM main.head ORDER BY size DESC LIMIT 1"
        ).fetchone()
        return Tip(size, root, signature, 0, "", size - 1)


class _Roots:
    """The tree, and its roots at the sizes that somebody asks about."""

    def __init__(self, wanted: Collection[int]) -> None:
        self.frontier = Frontier()
        self._wanted = wanted
        self._roots = {0: self.frontier.root()}

    def push(self, leaf: bytes) -> Sequence[tuple[int, int, bytes]]:
        nodes = self.frontier.push(leaf)
        if self.frontier.size in self._wanted:
            self._roots[self.frontier.size] = self.frontier.root()
        return nodes

    def at_size(self, size: int) -> bytes | None:
        return self._roots.get(size)


def recover_text(origin: str, size: int, root: bytes, vkey: VerifierKey) -> str:
    """What the old key signs for the new one (docs/ledger-format.md, keys)."""
    encoded = base64.b64encode(root).decode()
    return f"recover/v1\n{origin}\n{size}\n{encoded}\n{vkey.name}\n{vkey}\n"


def _next_origin(origin: str) -> str:
    return f"{origin.rpartition('/')[0]}/{secrets.token_hex(8)}"


def _as_lost(one: outside.Stated) -> dict[str, Any]:
    checkpoint = one.checkpoint
    return {
        "anchor": one.anchor,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
    }


_ANEW = (
    "Keep the file as it is under another name (`verify` tells what is wrong with it), then run"
    " this command again: it begins a new ledger that says so"
)
