"""A ledger from its mirror alone, equal in every hash, body and head that the mirror holds.

Nothing is believed: headers by the tiles under the signed root, bodies by the hashes in the
headers, heads by the keys that the ledger itself names. What erase and prune entries name stays
out, also where the place still holds it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha3_256
from itertools import islice
from pathlib import Path

import orjson

from audit_receiver.errors import IntegrityError
from audit_receiver.ledger.database import FIRST_SCHEMA_SHA3
from audit_receiver.ledger.restoration import Restoration
from audit_receiver.mirror import bundles, layout
from audit_receiver.mirror.bundles import BundleError, SignedHead
from audit_receiver.mirror.layout import BODIES, ENTRIES, HEADS, WIDTH, Piece
from audit_receiver.mirror.notes import Fork, NoCheckpoint, Offered, offered, versions
from audit_receiver.mirror.permitted import Range, action_of, event_of, is_own, ranges_of
from audit_receiver.mirror.stores import Source
from audit_receiver.mirror.tree import MissingPiece, TileTree, WrongPiece, decoded
from audit_receiver.tlog.chain import entry_hash
from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError, head_text
from audit_receiver.tlog.merkle import Frontier, Node, leaf_hash
from audit_receiver.tlog.note import Note, NoteError, VerifierKey
from audit_receiver.verify.epochs import BEGINNING, Epochs

MOST_CHECKPOINTS = 1000  # the newest that are looked for in the place
MOST_RANGES = 1_000_000
Progress = Callable[[int, int], None]


@dataclass
class Rebuilt:
    """What came of it."""

    origin: str
    size: int
    root: bytes
    heads: int = 0
    checkpoints: int = 0
    without_body: int = 0  # as the mirror has it, erased or never mirrored
    remarks: list[str] = field(default_factory=list)


def rebuild(
    source: Source,
    target: Path,
    vkeys: Sequence[VerifierKey],
    progress: Progress = lambda done, total: None,
) -> Rebuilt:
    """Write the ledger of a mirror to a new file.

    Raises IntegrityError (also as Fork, MissingPiece, WrongPiece), StoreError, LedgerError; then
    there is no file.
    """
    chosen, tree, remarks = _newest_whole(source, vkeys)
    checkpoint = chosen.checkpoint
    result = Rebuilt(checkpoint.origin, checkpoint.size, checkpoint.root, remarks=remarks)
    with Restoration(target) as restoration:
        work = _Work(source, tree, chosen, vkeys[0], restoration, result)
        for piece in layout.pieces(0, checkpoint.size):
            work.take(piece)
            progress(piece.end, checkpoint.size)
        work.finish()
    return result


def _newest_whole(
    source: Source, vkeys: Sequence[VerifierKey]
) -> tuple[Offered, TileTree, list[str]]:
    """The largest checkpoint under which the log is there."""
    remarks: list[str] = []
    missing: MissingPiece | None = None
    for one in offered(source, vkeys):
        size = one.checkpoint.size
        if size == 0:
            continue
        tree = TileTree(source, one.checkpoint)
        last = [*layout.pieces((size - 1) // WIDTH * WIDTH, size)][-1]
        try:
            tree.hashes(0, last.place)
            tree.piece(ENTRIES, last, bundles.decode_entries, lambda _: True)
        except MissingPiece as exc:
            remarks.append(f"a checkpoint of size {size} is there, and not all of its log: {exc}")
            missing = exc
            continue
        return one, tree, remarks
    raise missing or NoCheckpoint(f"{source}: its checkpoints cover no entries")


class _Work:
    """The walk over the entries, piece by piece."""

    def __init__(
        self,
        source: Source,
        tree: TileTree,
        chosen: Offered,
        key: VerifierKey,
        restoration: Restoration,
        result: Rebuilt,
    ) -> None:
        self._source, self._tree = source, tree
        self._restoration, self._result = restoration, result
        self._epochs = Epochs(key)
        self._frontier = Frontier()
        self._notes = self._published(chosen)
        self._kept: list[tuple[int, str]] = []  # checkpoints that fit
        self._ranges: list[Range] = []
        self._schema = ""
        self._bad_heads: list[int] = []
        self._no_heads: list[int] = []

    def take(self, piece: Piece) -> None:
        """Up to 256 entries with their heads and nodes."""
        expected = self._tree.hashes(0, piece.place)
        headers = self._tree.piece(
            ENTRIES,
            piece,
            bundles.decode_entries,
            lambda found: [leaf_hash(header) for header in found] == list(expected),
        )
        bodies = self._bodies(piece, headers)
        heads = {head.size: head for head in self._heads(piece)}
        stops = {size for size in self._notes if piece.first < size <= piece.end}
        at = piece.first
        for stop in sorted({*heads, *stops, piece.end}):
            self._append(at, headers[at - piece.first : stop - piece.first], bodies, piece.first)
            at = stop
            self._stop(stop, heads.get(stop))

    def finish(self) -> None:
        """What can only be done at the end."""
        result = self._result
        if self._frontier.root() != result.root:  # each piece was compared, so this cannot be
            raise IntegrityError(f"{self._source}: the entries do not give the root")
        if not self._kept or self._kept[-1][0] != result.size:
            raise IntegrityError(
                f"{self._source}: the checkpoint of size {result.size} has no line by the key that"
                " the ledger names for it, so the rebuilt ledger would end without a signed head"
            )
        self._restoration.erase(self._ranges)
        if self._schema != FIRST_SCHEMA_SHA3:
            self._restoration.checkpoints(self._kept)
            result.checkpoints = len(self._kept)
        first = self._epochs.first
        self._restoration.finish(str(first.key) if first else "", self._schema)
        if self._bad_heads:
            result.remarks.append(
                f"{len(self._bad_heads)} heads in the mirror are not signed by the ledger's key"
                f" and were left out, the first of size {self._bad_heads[0]}"
            )
        if self._no_heads:
            result.remarks.append(
                f"heads of {len(self._no_heads)} ranges of {WIDTH} entries are not in the mirror,"
                f" the first after entry {self._no_heads[0]}"
            )

    def _append(
        self, first: int, headers: Sequence[bytes], bodies: Sequence[str | None], base: int
    ) -> None:
        """Entries from `first` on, with the tree nodes that they complete."""
        rows = []
        nodes: list[Node] = []
        for seq, raw in enumerate(headers, first):
            body = bodies[seq - base]
            header = _text(raw, seq)
            rows.append((seq, header, entry_hash(raw), body))
            nodes += self._frontier.push(leaf_hash(raw))
            self._result.without_body += body is None
            if body is not None and is_own(header):
                self._learn(seq, header, body)
        self._restoration.entries(rows)
        self._restoration.nodes(sorted(nodes))

    def _learn(self, seq: int, header: str, body: str) -> None:
        action = action_of(header).removeprefix("ledger.")
        if action in BEGINNING:
            self._epochs.begin(seq, action, event_of(body))
        if action == "genesis":
            self._schema = str(event_of(body).get("schema_sha3", ""))
        elif action == "schema":
            self._schema = str(event_of(body).get("new", ""))
        if len(self._ranges) < MOST_RANGES:
            self._ranges += ranges_of(seq, header, body)

    def _stop(self, size: int, head: SignedHead | None) -> None:
        """The head of this size, from its bundle or from a published note; and the note."""
        if size != self._frontier.size:
            return
        root, reign = self._frontier.root(), self._epochs.at(size)
        published = self._notes.get(size)
        if reign is None:
            return
        signatures = [] if head is None else [head.signature]
        if published is not None and published.checkpoint.origin == reign.origin:
            if published.checkpoint.root != root:
                raise Fork(
                    f"{self._source}: keeps a signed checkpoint of size {size} that is not of this"
                    " history: the ledger was forked. Keep both notes, they are the proof",
                    (published.note, self._notes[self._result.size].note),
                )
            lines = Note.parse(published.note).signatures
            signatures += [
                line.signature
                for line in lines
                if (line.name, line.key_id) == (reign.key.name, reign.key.key_id)
            ]
        text = head_text(reign.origin, size, root).encode()
        good = next((one for one in signatures if reign.key.verify(text, one)), None)
        if good is None:
            self._bad_heads += [size] if head is not None else []
            return
        self._restoration.head(size, root, good, reign.seq)
        self._result.heads += 1
        if published is not None and published.checkpoint.origin == reign.origin:
            self._kept.append((size, published.note))

    def _bodies(self, piece: Piece, headers: Sequence[bytes]) -> Sequence[str | None]:
        """For each header the body that it names, None where no version of the bundle has it."""
        wanted = [_body_hash(header) for header in headers]
        bodies: list[str | None] = [None] * piece.width
        for found in decoded(self._source, BODIES, piece, bundles.decode_bodies):
            if isinstance(found, BundleError):
                continue
            for at, body in enumerate(found):
                if bodies[at] is None and body is not None and _digest(body) == wanted[at]:
                    bodies[at] = body
            if None not in bodies:
                break
        return bodies

    def _heads(self, piece: Piece) -> Sequence[SignedHead]:
        heads: dict[int, SignedHead] = {}
        there = False
        for found in decoded(
            self._source,
            HEADS,
            piece,
            lambda data, width: bundles.decode_heads(data, piece.first, piece.first + width),
        ):
            there = True
            for head in () if isinstance(found, BundleError) else found:
                if head.size <= piece.end:
                    heads.setdefault(head.size, head)
            if not isinstance(found, BundleError):
                break
        if not there:
            self._no_heads.append(piece.first)
        return sorted(heads.values())

    def _published(self, chosen: Offered) -> dict[int, Offered]:
        """Published checkpoints by size; their signatures are checked where their key is known."""
        found = {chosen.checkpoint.size: chosen}
        sizes = [size for size in self._source.sizes() if size < chosen.checkpoint.size]
        if len(sizes) > MOST_CHECKPOINTS:
            self._result.remarks.append(
                f"of {len(sizes)} older checkpoints the newest {MOST_CHECKPOINTS} are restored"
            )
        for size in sizes[-MOST_CHECKPOINTS:]:
            for note in islice(versions(self._source, layout.checkpoint_key(size)), 1):
                try:
                    checkpoint = Checkpoint.parse(Note.parse(note).text)
                except (NoteError, CheckpointError):
                    continue
                if checkpoint.size == size:
                    found[size] = Offered(checkpoint, note)
        return found


def _digest(body: str) -> str:
    return sha3_256(body.encode()).hexdigest()


def _body_hash(header: bytes) -> str:
    try:
        return str(orjson.loads(header).get("body"))
    except (ValueError, AttributeError):
        return ""


def _text(header: bytes, seq: int) -> str:
    try:
        return header.decode()
    except UnicodeDecodeError as exc:
        raise WrongPiece(f"the header of entry {seq} is signed and is not UTF-8") from exc
