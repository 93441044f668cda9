"""The whole verification as one object: feed it what a ledger holds, ask it for the report.

    examination = Examination(pinned=vkey, checkpoints=[("note.txt", text)])
    examination.schema(rows, application_id, user_version)
    examination.log(entries, heads, nodes, size)
    examination.structure(integrity_messages)
    report = examination.report()

It knows no file and no database, so the same code judges a live ledger, a copy and a test's list.
Nothing that a ledger holds makes it raise: whatever is wrong is a finding.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import VerifierKey
from audit_receiver.verify import anchors, assurance, schema
from audit_receiver.verify.entries import EntryChecker
from audit_receiver.verify.epochs import BEGINNING, Epochs
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.heads import HeadChecker
from audit_receiver.verify.incarnations import Incarnations, carried_on
from audit_receiver.verify.memory import Memory, Resumption
from audit_receiver.verify.report import Verdict, VerifyReport
from audit_receiver.verify.stored import StoredChecker
from audit_receiver.verify.tree import Tree
from audit_receiver.verify.trust import NOTHING, Trust
from audit_receiver.verify.walk import Again, Progress, Walk

TEACHING = (*BEGINNING, "schema")


class Examination:
    """One verification of one ledger.

    Args:
        pinned: the verifier key from outside, if the caller has one; or one for each incarnation.
        beside: the key that lies beside the ledger; it must be the same, and proves less.
        checkpoints: (name, text) of notes from outside, or (name, text, anchor) of those that an
            anchor keeps, among which may be those of other ledgers.
        every_head: check every signature and not a spread of them.
        trust: how tokens that the ledger keeps are judged.
        remembered: what this verifier saw earlier, and under which name that is kept.
    """

    def __init__(
        self,
        pinned: VerifierKey | Sequence[VerifierKey] | None = None,
        beside: VerifierKey | None = None,
        checkpoints: Sequence[Sequence[str]] = (),
        every_head: bool = False,
        trust: Trust = NOTHING,
        remembered: tuple[str, Memory] | None = None,
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
        if remembered is not None:
            given.append(anchors.Given(remembered[0], None, remembered[1].checkpoint))
            given.sort(key=lambda one: one.checkpoint.size)
        self._anchors = anchors.AnchorChecker(given, self._pins, self._findings)
        self._entries = EntryChecker(self._findings, self._own_record)
        self._stored = self._stored_checker((), ())
        self._walk: Walk | None = None
        self._base = 0  # entries before it were checked by an earlier run
        self._learnt: list[tuple[int, str, dict[str, Any]]] = []

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
        again: Again | None = None,
        resumption: Resumption | None = None,
    ) -> bool:
        """Check entries, heads and nodes in one pass.

        Args:
            entries: (seq, header, hash, body) in order of seq, or runs of them (`runs`).
            heads: (size, root, signature, epoch) in order of size.
            nodes: (level, idx, hash) in order.
            size: the end, fixed when the reading began: the larger of the last seq + 1 and of the
                newest head's size.
            progress: told the number of entries checked, now and then.
            again: the rows of a run, if there are runs.
            resumption: begin behind what an earlier run has checked; then `entries` and `heads`
                begin at its size.

        Returns:
            False if the ledger is not the one that was checked earlier: nothing was judged, and
            only an examination from the beginning can say what happened to it.
        """
        base = resumption.memory.size if resumption is not None else 0
        tree = Tree(iter(nodes), self._findings)
        checker = HeadChecker(
            iter(heads), size, self._epochs, self._every_head, self._findings, base
        )
        self._walk = walk = Walk(
            self._entries, checker, tree, self._anchors, self._stored, self._findings
        )
        if resumption is not None:
            if not walk.resume(resumption):
                return False
            self._base = base
            for seq, event, fields in resumption.memory.learnt:
                self._own_record(seq, event, fields)
        walk.go(entries, again, progress)
        self._finish(walk)
        return True

    def structure(self, messages: Iterable[str]) -> None:
        """What SQLite's integrity check said; each message is a finding."""
        for message in messages:
            self._findings.add("index", None, None, f"integrity_check: {message}", "ok", message)

    def unreadable(self, message: str) -> None:
        """The file could not be read to its end."""
        self._findings.add("unreadable", self._entries.next_seq, None, message)

    def report(self) -> VerifyReport:
        """The result; call it last."""
        checker, walk = self._entries, self._walk
        tree = walk.tree if walk is not None else None
        heads = walk.heads if walk is not None else None
        undecided = self._not_judged()
        findings = self._findings.sorted()
        covered, size = self._anchors.covered, tree.size if tree is not None else 0
        unanchored = checker.records - covered.records
        incarnations = self._incarnations.report(size, self._pins)
        stored, brackets = self._stored.report()
        previous = self._learnt[0][2].get("previous") if self._learnt else None
        return VerifyReport(
            verdict=_verdict(
                bool(findings), bool(undecided), unanchored, self._anchors.anchored_size
            ),
            size=size,
            root="" if tree is None or tree.lost else tree.root().hex(),
            origin=self._epochs.origin,
            key_pinned=bool(self._key_pins()),
            anchored_size=self._anchors.anchored_size,
            unanchored=unanchored,
            unanchored_since=covered.since if unanchored else None,
            last_received=checker.last_received or None,
            entries_checked=size - self._base,
            heads_checked=heads.checked if heads is not None else 0,
            signatures_checked=heads.signatures if heads is not None else 0,
            undecided=tuple(undecided),
            findings=tuple(findings),
            assurance=assurance.level(
                bool(findings), bool(self._key_pins()), incarnations, self._anchors, self._stored
            ),
            pruned=tuple(checker.erasures.pruned),
            erased=tuple(checker.erasures.erased),
            incarnations=incarnations,
            brackets=brackets,
            stored=stored,
            remarks=tuple(self._anchors.remarks),
            checked_from=self._base,
            last_hash=checker.last_hash,
            last_action=checker.last_action,
            previous=previous if type(previous) is dict else None,
        )

    def sizes_before(self, base: int) -> list[int]:
        """Sizes up to `base` at which a resumption wants the root that the ledger has now."""
        return self._anchors.sizes(base)

    def memory(self) -> Memory | None:
        """What to remember for the next run; None if nothing whole was seen."""
        walk, checker = self._walk, self._entries
        if walk is None or walk.tree.lost or not self._learnt or walk.tree.size == 0:
            return None
        tallied_from, complete = checker.tallies.state
        counts = sorted(checker.tallies.counts.items())
        frontier = walk.tree.frontier()
        return Memory(
            Checkpoint(self._epochs.origin, frontier.size, frontier.root()),
            frontier,
            checker.last_hash,
            checker.last_received,
            checker.records,
            tuple(self._learnt),
            tallied_from,
            tuple((action, outcome, count) for (action, outcome), count in counts),
            complete,
        )

    def _not_judged(self) -> list[str]:
        """What could not be judged, in words; takes the schema's findings to where they belong."""
        newer = self._entries.newer_version
        heads = self._walk.heads if self._walk is not None else None
        undecided = [*self._undecided, *self._anchors.undecided]
        if self._key_pins():
            undecided += [
                f"from entry {one.first} on: nothing that was given from outside vouches for the"
                " key that this entry names. Give it as well, with another --vkey"
                for one in assurance.unjudged(self._incarnations.report(0, self._pins))
            ]
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
        if event in TEACHING:
            self._learnt.append((seq, event, fields))
        if event == "hold":
            self._entries.erasures.hold(seq, fields)
        if event == "genesis" and seq == 0:
            self._schema.stated = fields.get("schema_sha3")
        elif event == "schema":
            self._schema.stated = fields.get("new")

    def _incarnation(self, seq: int, event: str, fields: dict[str, Any]) -> None:
        self._incarnations.begin(seq, event, fields, self._epochs)
        walk = self._walk
        if event != "recover" or walk is None:
            return
        tree, heads = walk.tree, walk.heads
        head = (heads.tip.size, heads.tip.root) if heads.tip is not None else None
        whole = not tree.lost and tree.size == seq
        if wrong := carried_on(seq, fields, tree.root() if whole else None, head):
            message = f"the recover entry does not fit what it goes on from: {wrong}"
            self._findings.add("altered", seq, seq, message)
        if fields.get("signature") and not self._incarnations.newest_vouched:
            message = "the recover entry holds a signature that the key before did not make"
            self._key(seq, message, "a signature, or none", str(fields["signature"]))

    def _stored_checker(
        self, checkpoints: Iterable[Sequence[Any]], tokens: Iterable[Sequence[Any]]
    ) -> StoredChecker:
        declared = self._incarnations.is_declared
        return StoredChecker(
            checkpoints, tokens, self._epochs, self._trust, self._findings, declared
        )

    def _finish(self, walk: Walk) -> None:
        size = walk.finish()
        self._keys()
        tip = walk.heads.tip
        covered_tip = tip is not None and tip.size == size and walk.heads.good_size == size
        self._stored.finish(size)
        self._anchors.finish(size, covered_tip, self._epochs, self._incarnations)
        for one in self._anchors.cosigned:
            self._stored.outside(one.name, one.checkpoint.size, str(one.note))
        walk.tree.finish()

    def _keys(self) -> None:
        """The first key, on which all others rest, against those that were given."""
        first = self._epochs.first
        if first is None:
            if self._entries.begins_well or not self._epochs.all():
                self._key(0, "no genesis names the ledger's key", "a verifier key", "none")
            return
        firsts = [first.key]  # of each incarnation: nothing in the file vouches for a later one
        firsts += [one.key for one in self._epochs.all()[1:] if not one.is_successor]
        for pin in self._key_pins():
            if pin not in firsts and (pin.name == first.origin or len(self._pins) == 1):
                message = "the ledger names another key than the one given with --vkey"
                self._key(0, message, str(pin), str(first.key))
        if self._beside is not None and self._beside not in (*firsts, self._epochs.all()[-1].key):
            message = "the ledger names another key than the one beside the ledger"
            self._key(0, message, str(self._beside), str(first.key))

    def _key_pins(self) -> list[VerifierKey]:
        """The pins but for the log key, which vouches for published checkpoints, not for heads."""
        return [pin for pin in self._pins if pin != self._epochs.log_key(pin.name)]

    def _key(self, seq: int, message: str, expected: str, found: str) -> None:
        self._findings.add("key", seq, seq, message, expected, found)


def _verdict(findings: bool, undecided: bool, unanchored: int, anchored: int) -> Verdict:
    if findings:
        return "tampered"
    if undecided:
        return "undecided"
    return "intact" if anchored and not unanchored else "intact_unanchored"
