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

from audit_receiver.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash
from audit_receiver.tlog.note import VerifierKey
from audit_receiver.verify import anchors, schema
from audit_receiver.verify.entries import EntryChecker
from audit_receiver.verify.epochs import Epochs
from audit_receiver.verify.findings import Finding, Verdict, VerifyReport, merge
from audit_receiver.verify.heads import HeadChecker

MOST_FINDINGS = 10_000  # kept one by one; the rest is counted
Progress = Callable[[int], None]


class Examination:
    """One verification of one ledger.

    Args:
        pinned: the verifier key from outside, if the caller has one.
        beside: the key that lies beside the ledger; it must be the same, and proves less.
        checkpoints: (name, text) of notes from outside.
        every_head: check every signature and not a spread of them.
    """

    def __init__(
        self,
        pinned: VerifierKey | None = None,
        beside: VerifierKey | None = None,
        checkpoints: Sequence[tuple[str, str]] = (),
        every_head: bool = False,
    ) -> None:
        self._pinned = pinned
        self._beside = beside
        self._every_head = every_head
        self._findings: list[Finding] = []
        self._more = 0
        self._epochs = Epochs()
        given, unread = anchors.read(checkpoints)
        self._undecided: list[str] = unread
        self._anchors = anchors.AnchorChecker(given, pinned, self._report)
        self._entries = EntryChecker(self._report, self._own_record)
        self._heads: HeadChecker | None = None
        self._frontier: Frontier | None = Frontier()
        self._size = 0
        self._unanchored_since: str | None = None
        self._schema_digest = ""
        self._stated_digest: str | None = None

    def schema(
        self, rows: Iterable[tuple[Any, Any, Any, Any]], application_id: Any, user_version: Any
    ) -> None:
        """Check the schema first: what is read through it means what it should."""
        self._schema_digest = schema.check(rows, application_id, user_version, self._report)

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
            nodes: (level, idx, hash).
            size: the end, fixed when the reading began: the larger of the last seq + 1 and of the
                newest head's size.
            progress: told the number of entries checked, now and then.
        """
        checker = self._entries
        self._heads = tree = HeadChecker(heads, size, self._epochs, self._every_head, self._report)
        computed: dict[tuple[int, int], bytes] = {}
        wake = self._next_wake()
        for row in entries:
            leaf = checker.feed(row[0], row[1], row[2], row[3])
            frontier = self._frontier
            if frontier is not None:
                if leaf is None or checker.next_seq != frontier.size + 1:
                    self._frontier = None
                else:
                    for node in frontier.push(leaf_hash(leaf)):
                        computed[node.level, node.idx] = node.hash
            if checker.record_kind:
                self._note_unanchored(checker)
            if checker.next_seq >= wake:
                self._arrive(checker.next_seq)
                wake = self._next_wake()
            if progress is not None and not checker.next_seq & 0xFFF:
                progress(checker.next_seq)
        self._size = checker.next_seq
        checker.finish(size)
        tree.finish(self._size)
        self._finish(nodes, computed)

    def structure(self, messages: Iterable[str]) -> None:
        """What SQLite's integrity check said; each message is a finding."""
        for message in messages:
            self._report(
                Finding("index", None, None, "ok", message, f"integrity_check: {message}"[:300])
            )

    def unreadable(self, message: str) -> None:
        """The file could not be read to its end."""
        self._report(Finding("unreadable", self._entries.next_seq, None, "", "", message))

    def report(self) -> VerifyReport:
        """The result; call it last."""
        anchored = self._anchors.anchored_size
        total = self._entries.records
        unanchored = total - self._anchors.records_covered
        self._undecided += self._anchors.undecided
        self._anchors.undecided = []
        if self._entries.newer_version is not None:
            self._undecided.append(
                f"entries from {self._entries.newer_version} on are of a later format: hashes, tree"
                " and signatures were checked, the rest needs a later version of this program"
            )
        findings = merge(self._findings)
        if self._more:
            findings.append(
                Finding("unreadable", None, None, "", "", f"{self._more} more findings left out")
            )
        frontier = self._frontier
        root = frontier.root() if frontier is not None and frontier.size else EMPTY_ROOT
        heads = self._heads
        return VerifyReport(
            verdict=_verdict(bool(findings), bool(self._undecided), anchored, unanchored),
            size=self._size,
            root=root.hex() if frontier is not None else "",
            origin=self._epochs.origin,
            key_pinned=self._pinned is not None,
            anchored_size=anchored,
            unanchored=unanchored,
            unanchored_since=self._unanchored_since if unanchored else None,
            last_received=self._entries.last_received,
            entries_checked=self._size,
            heads_checked=heads.checked if heads else 0,
            signatures_checked=heads.signatures if heads else 0,
            undecided=tuple(dict.fromkeys(self._undecided)),
            findings=tuple(findings),
        )

    def _report(self, finding: Finding) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(finding)
        else:
            self._more += 1

    def _own_record(self, seq: int, event: str, fields: dict[str, Any]) -> None:
        """What the receiver's own records teach: keys, origins, the schema's digest."""
        if event == "genesis" and seq != 0:
            self._key(seq, "no second genesis", "a genesis", "a genesis stands inside the ledger")
            return
        if event in ("genesis", "key", "recover"):
            wrong = self._epochs.begin(seq, event, fields)
            if wrong:
                self._key(seq, "a verifier key", str(fields.get("vkey"))[:200], wrong)
        if event == "genesis":
            stated = fields.get("schema_sha3")
            self._stated_digest = stated if isinstance(stated, str) else ""
        elif event == "schema" and isinstance(fields.get("new"), str):
            self._stated_digest = fields["new"]

    def _note_unanchored(self, checker: EntryChecker) -> None:
        """Remember when the first record after the largest checkpoint so far was received."""
        if self._unanchored_since is None:
            self._unanchored_since = checker.last_received

    def _next_wake(self) -> int:
        """The next tree size at which somebody wants the root."""
        sizes = (self._heads.next_size if self._heads else None, self._anchors.next_size)
        return min((size for size in sizes if size is not None), default=1 << 63)

    def _arrive(self, size: int) -> None:
        frontier = self._frontier
        root = None if frontier is None or frontier.size != size else frontier.root
        if self._heads is not None:
            self._heads.arrive(size, root)
        if self._anchors.next_size is not None and self._anchors.next_size <= size:
            self._anchors.arrive(size, root, self._entries.records)
            self._unanchored_since = None

    def _finish(
        self, nodes: Iterable[Sequence[Any]], computed: dict[tuple[int, int], bytes]
    ) -> None:
        self._check_origin_and_keys()
        if self._stated_digest is not None and self._schema_digest != self._stated_digest:
            self._report(
                Finding(
                    "schema",
                    None,
                    None,
                    self._stated_digest,
                    self._schema_digest,
                    "the schema is not the one that the ledger's own records state",
                )
            )
        heads = self._heads
        covered = heads is not None and heads.tip_size == self._size and not heads.first_bad
        self._anchors.finish(self._size, covered, self._epochs)
        if self._frontier is not None:
            self._check_nodes(nodes, computed)

    def _check_origin_and_keys(self) -> None:
        first = self._epochs.first
        if first is None:
            self._key(
                0, "a genesis that names the key", "none", "no genesis names the ledger's key"
            )
            return
        for key, whose in (
            (self._pinned, "given with --vkey"),
            (self._beside, "beside the ledger"),
        ):
            if key is not None and key != first.key:
                self._key(
                    0,
                    str(key),
                    str(first.key),
                    f"the ledger names another key than the one {whose}",
                )

    def _check_nodes(
        self, nodes: Iterable[Sequence[Any]], computed: dict[tuple[int, int], bytes]
    ) -> None:
        for level, idx, digest in nodes:
            whole = isinstance(level, int) and isinstance(idx, int) and level < 8
            expected = computed.pop((level, idx), None) if whole else None
            if expected is None and whole and (idx + 1) << (8 * level) > self._size:
                continue  # of entries that came while we read
            if expected != digest:
                self._node(level, idx, expected, digest)
        for (level, idx), expected in computed.items():
            self._node(level, idx, expected, None)

    def _node(self, level: Any, idx: Any, expected: bytes | None, found: Any) -> None:
        first = idx << (8 * level) if isinstance(idx, int) and isinstance(level, int) else None
        last = None if first is None else first + (1 << (8 * level)) - 1
        self._report(
            Finding(
                "index",
                first,
                last,
                expected.hex() if expected else "none",
                found.hex() if isinstance(found, bytes) else repr(found),
                "a stored tree node is not what the entries give",
            )
        )

    def _key(self, seq: int, expected: str, found: str, message: str) -> None:
        self._report(Finding("key", seq, seq, expected, found, message))


def _verdict(findings: bool, undecided: bool, anchored: int, unanchored: int) -> Verdict:
    if findings:
        return "tampered"
    if undecided:
        return "undecided"
    return "intact" if anchored and not unanchored else "intact_unanchored"
