"""The whole verification as one object: feed it what a ledger holds, ask it for the report.

    examination = Examination(pinned=vkey, checkpoints=[("note.txt", text)])
    examination.schema(rows, application_id, user_version)
    examination.log(entries, heads, nodes, size)
    examination.structure(integrity_messages)
    report = examination.report()

It knows no file and no database, so the same code judges a live ledger, a copy and a test's list.
Nothing that a ledger holds makes it raise: whatever is wrong is a finding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from audit_receiver.tlog.merkle import leaf_hash
from audit_receiver.tlog.note import VerifierKey
from audit_receiver.verify import anchors, assurance, schema
from audit_receiver.verify.entries import EntryChecker
from audit_receiver.verify.epochs import BEGINNING, Epochs
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.heads import HeadChecker
from audit_receiver.verify.incarnations import Incarnations, carried_on
from audit_receiver.verify.report import Verdict, VerifyReport
from audit_receiver.verify.stored import StoredChecker
from audit_receiver.verify.tree import Tree
from audit_receiver.verify.trust import NOTHING, Trust

Progress = Callable[[int], None]
_TOLD_EVERY = 4096


class Examination:
    """One verification of one ledger.

    Args:
        pinned: the verifier key from outside, if the caller has one; or one for each incarnation.
        beside: the key that lies beside the ledger; it must be the same, and proves less.
        checkpoints: (name, text) of notes from outside, or (name, text, anchor) of those that an
            anchor keeps, among which may be those of other ledgers.
        every_head: check every signature and not a spread of them.
        trust: how tokens that the ledger keeps are judged.
    """

    def __init__(
        self,
        pinned: VerifierKey | Sequence[VerifierKey] | None = None,
        beside: VerifierKey | None = None,
        checkpoints: Sequence[Sequence[str]] = (),
        every_head: bool = False,
        trust: Trust = NOTHING,
    ) -> None:
        self._pins = (pinned,) if isinstance(pinned, VerifierKey) else tuple(pinned or ())
        self._beside = beside
        self._every_head = every_head
        self._trust = trust
        self._findings = Findings()
        self._schema = schema.SchemaChecker()
        self._epochs = Epochs(self._pins[0] if self._pins else beside)
        self._incarnations = Incarnations()
        given, self._undecided = anchors.read(checkpoints)
        self._anchors = anchors.AnchorChecker(given, self._pins, self._findings)
        self._entries = EntryChecker(self._findings, self._own_record)
        self._stored = self._stored_checker((), ())
        self._heads: HeadChecker | None = None
        self._tree: Tree | None = None
        self._genesis: dict[str, Any] = {}

    def schema(
        self, rows: Iterable[tuple[Any, Any, Any, Any]], application_id: Any, user_version: Any
    ) -> None:
        """Check the schema first: what is read through it means what it should."""
        self._schema.check(rows, application_id, user_version)

    def stored(self, checkpoints: Iterable[Sequence[Any]], tokens: Iterable[Sequence[Any]]) -> None:
        """Have the checkpoints and tokens that the ledger keeps checked by `log`, too.

        Args:
            checkpoints: (size, note) in order of size.
            tokens: (size, anchor, kind, content) in order of size.
        """
        self._stored = self._stored_checker(checkpoints, tokens)

    def log(
        self,
        entries: Iterable[Sequence[Any]],
        heads: Iterator[Any],
        nodes: Iterable[Sequence[Any]],
        size: int,
        progress: Progress | None = None,
    ) -> None:
        """Check entries, heads and nodes in one pass.

        Args:
            entries: (seq, header, hash, body) in order of seq.
            heads: (size, root, signature, epoch) in order of size.
            nodes: (level, idx, hash) in order.
            size: the end, fixed when the reading began: the larger of the last seq + 1 and of the
                newest head's size.
            progress: told the number of entries checked, now and then.
        """
        checker, outside = self._entries, self._anchors
        self._tree = tree = Tree(iter(nodes), self._findings)
        self._heads = HeadChecker(iter(heads), size, self._epochs, self._every_head, self._findings)
        wake, push, feed = self._wake(), tree.push, checker.feed
        for seq, header, digest, body in entries:
            leaf = feed(seq, header, digest, body)
            if leaf is None:
                continue
            if checker.missing_before:
                tree.skip(checker.missing_before)
                checker.missing_before = 0
                wake = self._arrive()
            if outside.waits and checker.records > outside.newest:
                outside.record(checker.last_received)
            push(leaf_hash(leaf))
            if tree.size >= wake:
                wake = self._arrive()
            if progress is not None and not tree.size % _TOLD_EVERY:
                progress(tree.size)
        self._finish()

    def structure(self, messages: Iterable[str]) -> None:
        """What SQLite's integrity check said; each message is a finding."""
        for message in messages:
            self._findings.add("index", None, None, f"integrity_check: {message}", "ok", message)

    def unreadable(self, message: str) -> None:
        """The file could not be read to its end."""
        self._findings.add("unreadable", self._entries.next_seq, None, message)

    def report(self) -> VerifyReport:
        """The result; call it last."""
        checker, heads, tree = self._entries, self._heads, self._tree
        undecided = self._not_judged()
        findings = self._findings.sorted()
        covered, size = self._anchors.covered, tree.size if tree is not None else 0
        unanchored = checker.records - covered.records
        incarnations = self._incarnations.report(size, self._pins)
        stored, brackets = self._stored.report()
        previous = self._genesis.get("previous")
        return VerifyReport(
            verdict=_verdict(
                bool(findings), bool(undecided), unanchored, self._anchors.anchored_size
            ),
            size=size,
            root="" if tree is None or tree.lost else tree.root().hex(),
            origin=self._epochs.origin,
            key_pinned=bool(self._pins),
            anchored_size=self._anchors.anchored_size,
            unanchored=unanchored,
            unanchored_since=covered.since if unanchored else None,
            last_received=checker.last_received or None,
            entries_checked=size,
            heads_checked=heads.checked if heads is not None else 0,
            signatures_checked=(heads.signatures if heads is not None else 0) + stored.signatures,
            undecided=tuple(undecided),
            findings=tuple(findings),
            assurance=assurance.level(
                bool(findings), bool(self._pins), incarnations, self._anchors, self._stored
            ),
            pruned=tuple(checker.erasures.pruned),
            erased=tuple(checker.erasures.erased),
            incarnations=incarnations,
            brackets=brackets,
            stored=stored,
            remarks=tuple(self._anchors.remarks),
            last_hash=checker.last_hash,
            last_action=checker.last_action,
            previous=previous if type(previous) is dict else None,
        )

    def _not_judged(self) -> list[str]:
        """What could not be judged, in words; takes the schema's findings to where they belong."""
        newer, heads = self._entries.newer_version, self._heads
        undecided = [*self._undecided, *self._anchors.undecided]
        if newer is not None:
            undecided.append(
                f"entries from {newer} on are of a later format: hashes, tree and"
                " signatures were checked, the rest needs a later version of this program"
            )
        if newer is not None and heads is not None and heads.good_size > newer:
            undecided += [finding.message for finding in self._schema.findings]
        else:
            self._findings.extend(self._schema.findings)
        return list(dict.fromkeys(undecided))

    def _own_record(self, seq: int, event: str, fields: dict[str, Any]) -> None:
        """What the receiver's own records teach: keys, origins, the schema's digest."""
        if event == "genesis" and seq != 0:
            self._key(seq, "a genesis stands inside the ledger", "one genesis", "another")
        elif event in BEGINNING:
            if wrong := self._epochs.begin(seq, event, fields):
                message = f"the entry that should name the ledger's key does not: {wrong}"
                self._key(seq, message, "a verifier key", str(fields.get("vkey")))
            if event != "key":
                self._incarnation(seq, event, fields)
        if event == "genesis" and seq == 0:
            self._genesis = fields
            self._schema.stated = fields.get("schema_sha3")
        elif event == "schema":
            self._schema.stated = fields.get("new")

    def _incarnation(self, seq: int, event: str, fields: dict[str, Any]) -> None:
        self._incarnations.begin(seq, event, fields, self._epochs)
        tree, heads = self._tree, self._heads
        if event != "recover" or tree is None or heads is None:
            return
        size = fields.get("size")
        head = heads.root_at(size) if type(size) is int else None
        whole = not tree.lost and tree.size == seq
        if wrong := carried_on(seq, fields, tree.root() if whole else None, head):
            message = f"the recover entry does not fit what it goes on from: {wrong}"
            self._findings.add("altered", seq, seq, message)

    def _stored_checker(
        self, checkpoints: Iterable[Sequence[Any]], tokens: Iterable[Sequence[Any]]
    ) -> StoredChecker:
        declared = self._incarnations.is_declared
        return StoredChecker(
            checkpoints, tokens, self._epochs, self._trust, self._findings, declared
        )

    def _wake(self) -> int:
        """The next tree size at which somebody wants the root."""
        heads = self._heads
        assert heads is not None
        return min(heads.next_size, self._anchors.next_size, self._stored.next_size)

    def _arrive(self) -> int:
        tree, heads, outside = self._tree, self._heads, self._anchors
        assert tree is not None
        assert heads is not None
        if heads.next_size <= tree.size:
            heads.arrive(tree)
        while outside.next_size <= tree.size:
            stated = heads.root_at(outside.next_size)
            passed_by = outside.next_size < tree.size  # it lies among missing entries
            root = b"" if passed_by or tree.lost else tree.root()
            outside.arrive(root, self._entries.records, stated)
        if self._stored.next_size <= tree.size:
            self._arrive_stored(tree, heads.root_at(tree.size))
        return self._wake()

    def _arrive_stored(self, tree: Tree, stated: bytes | None) -> None:
        records, received = self._entries.records, self._entries.last_received
        root = None if tree.lost else tree.root()
        if (who := self._stored.arrive(tree.size, root, stated, received)) and root is not None:
            self._anchors.hold(tree.size, root, records, f"what {who} signed")

    def _finish(self) -> None:
        tree, heads = self._tree, self._heads
        assert tree is not None
        assert heads is not None
        size = tree.size
        stated = heads.finish(tree)
        self._gaps(stated)
        if stated > size or size == 0:
            self._missing(size, max(stated, 1) - 1)
        self._entries.finish(heads.good_size)
        self._keys()
        tip = heads.tip
        covered_tip = tip is not None and tip.size == size and heads.good_size == size
        self._stored.finish(size)
        self._anchors.finish(size, covered_tip, self._epochs, self._incarnations)
        tree.finish()

    def _gaps(self, stated: int) -> None:
        for first, behind in self._entries.gaps:
            if first < stated:
                self._missing(first, behind - 1)
            else:
                self._findings.add(
                    "inserted",
                    behind,
                    behind,
                    "an entry stands beyond the end, where nothing was ever written",
                )

    def _missing(self, first: int, last: int) -> None:
        self._findings.add("missing", first, last, "entries are gone", "entries", "none")

    def _keys(self) -> None:
        """The first key, on which all others rest, against those that were given."""
        first = self._epochs.first
        if first is None:
            if self._entries.begins_well or not self._epochs.all():
                self._key(0, "no genesis names the ledger's key", "a verifier key", "none")
            return
        firsts = [first.key]  # of each incarnation: nothing in the file vouches for a later one
        firsts += [one.key for one in self._epochs.all()[1:] if not one.is_successor]
        for pin in self._pins:
            if pin not in firsts and (pin.name == first.origin or len(self._pins) == 1):
                message = "the ledger names another key than the one given with --vkey"
                self._key(0, message, str(pin), str(first.key))
        if self._beside is not None and self._beside not in (*firsts, self._epochs.all()[-1].key):
            message = "the ledger names another key than the one beside the ledger"
            self._key(0, message, str(self._beside), str(first.key))

    def _key(self, seq: int, message: str, expected: str, found: str) -> None:
        self._findings.add("key", seq, seq, message, expected, found)


def _verdict(findings: bool, undecided: bool, unanchored: int, anchored: int) -> Verdict:
    if findings:
        return "tampered"
    if undecided:
        return "undecided"
    return "intact" if anchored and not unanchored else "intact_unanchored"
