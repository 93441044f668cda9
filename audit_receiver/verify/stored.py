"""Published checkpoints and tokens that the ledger itself keeps (tables `checkpoint`, `anchored`).

Checkpoints are compared and their signatures checked without any trust. What a token proves depends
on whom one trusts: without a word from outside about that, tokens are counted and not judged.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from audit_receiver.record import timestamp
from audit_receiver.tlog.checkpoint import Checkpoint, CheckpointError
from audit_receiver.tlog.note import Note, NoteError
from audit_receiver.verify.epochs import Epochs
from audit_receiver.verify.findings import Findings, Kind
from audit_receiver.verify.heads import NEVER
from audit_receiver.verify.report import Bracket, Stored
from audit_receiver.verify.trust import NotTrusted, Seen, Trust

MOST_BRACKETS = 2000  # more are thinned out evenly; the newest always stays
AHEAD = 300 * timestamp.SECOND  # entries received later than that after a token over them
COSIGNATURE, TIMESTAMP = "cosignature", "timestamp"
_NO_POLICY = "nothing from outside says whom to trust (--policy)"
_Vouched = tuple[str, bool]  # by whom, and whether these are enough witnesses


class StoredChecker:
    """Walks along checkpoints and tokens while the tree grows.

    Args:
        checkpoints: rows (size, note) in order of size.
        tokens: rows (size, anchor, kind, content) in order of size.
        declared: whether a recover entry says that what a checkpoint covers is lost.
    """

    def __init__(
        self,
        checkpoints: Iterable[Sequence[Any]],
        tokens: Iterable[Sequence[Any]],
        epochs: Epochs,
        trust: Trust,
        findings: Findings,
        declared: Callable[[str, Checkpoint], bool],
    ) -> None:
        self._checkpoints, self._tokens = iter(checkpoints), iter(tokens)
        self._epochs, self._trust, self._findings = epochs, trust, findings
        self._declared = declared
        self._coming = next(self._checkpoints, None)
        self._token = next(self._tokens, None)
        self._counts = {"checkpoints": 0, "signatures": 0, "tokens": 0, "judged": 0}
        self._not_judged: dict[tuple[str, str], int] = {}  # anchor, why -> how many
        self._brackets: list[Bracket] = []
        self._step = self._skipped = 0
        self.witnessed_size = 0
        self.witnesses = ""

    @property
    def next_size(self) -> int:
        """The size of the next checkpoint or token; larger than any tree after the last."""
        return min(_size(self._coming), _size(self._token))

    def arrive(self, size: int, root: bytes | None, stated: bytes | None, received: str) -> str:
        """The tree has this size; returns who is trusted and vouches for it, "" if nobody.

        Args:
            root: of the tree, None if entries are missing.
            stated: root that a stored head of this size states.
            received: of the last entry.
        """
        note = ""
        while _size(self._coming) <= size:
            row, self._coming = self._coming, next(self._checkpoints, None)
            assert row is not None
            note = self._checkpoint(row, size, root, stated)
        names: list[str] = []
        while _size(self._token) <= size:
            token, self._token = self._token, next(self._tokens, None)
            assert token is not None
            self._counts["tokens"] += 1
            if not note or token[0] != size:
                self._say(size, "a token is kept for a checkpoint that is not there or is not good")
            else:
                names += self._judge(token, note, received)
        return ", ".join(names)

    def finish(self, size: int) -> None:
        """The end of the entries: what is kept beyond it was cut off, if the key signed it."""
        while (row := self._coming) is not None:
            self._coming = next(self._checkpoints, None)
            self._counts["checkpoints"] += 1
            checkpoint = self._opened(row, row[0] if type(row[0]) is int else None)
            if checkpoint is not None and checkpoint.size > size:
                self._findings.add(
                    "truncated",
                    size,
                    checkpoint.size - 1,
                    "the ledger keeps a signed checkpoint over more entries than there are",
                    f"{checkpoint.size} entries",
                    f"{size} entries",
                )
        self._counts["tokens"] += (self._token is not None) + sum(1 for _ in self._tokens)
        self._token = None

    def report(self) -> tuple[Stored, tuple[Bracket, ...]]:
        """What was there, and the brackets, oldest first."""
        lines = [f"{count} of {anchor}: {why}" for (anchor, why), count in self._not_judged.items()]
        brackets = sorted(self._brackets, key=lambda one: (one.size, one.before))
        return Stored(**self._counts, not_judged=tuple(lines)), tuple(brackets)

    def outside(self, name: str, size: int, note: str) -> None:
        """A note from outside that holds: what witnesses wrote on it counts as well."""
        if self._trust.cosigned is None:
            return
        try:
            seen = self._trust.cosigned(note)
        except ValueError:
            return  # the note holds all the same; it is the ledger's own line that anchors
        for one in seen:
            self._bracket(size, one, COSIGNATURE, name, "")
        self._witnessed(size, [one.by for one in seen])

    def _witnessed(self, size: int, names: list[str]) -> bool:
        if self._trust.quorum is None or not self._trust.quorum(names):
            return False
        if size > self.witnessed_size:
            self.witnessed_size, self.witnesses = size, ", ".join(names)
        return True

    def _checkpoint(
        self, row: Sequence[Any], size: int, root: bytes | None, stated: bytes | None
    ) -> str:
        """Check one; its note if it is what the tree says, else ""."""
        self._counts["checkpoints"] += 1
        checkpoint = self._opened(row, size)
        if checkpoint is None or checkpoint.size != size or root is None:
            return ""
        if checkpoint.root == root:
            return str(row[1])
        if checkpoint.root != stated:  # else the head says so too, and what was changed is located
            message = (
                "a checkpoint that was published is signed, and is not the root of the entries"
            )
            self._say(size, message, checkpoint.root.hex(), root.hex(), "forked")
        return ""

    def _opened(self, row: Sequence[Any], size: int | None) -> Checkpoint | None:
        """A stored note whose size, origin and signatures are right."""
        try:
            note = Note.parse(row[1] if type(row[1]) is str else "")
            checkpoint = Checkpoint.parse(note.text)
        except (NoteError, CheckpointError) as exc:
            self._say(size, f"a stored checkpoint is malformed: {exc}")
            return None
        if self._declared("the ledger's own", checkpoint):
            return None
        reign = self._epochs.at(checkpoint.size)
        if checkpoint.size != row[0] or reign is None or checkpoint.origin != reign.origin:
            self._say(
                size,
                "a stored checkpoint is not of its size and this ledger's origin",
                f"{reign.origin if reign else 'none'}, size {row[0]}",
                f"{checkpoint.origin}, size {checkpoint.size}",
            )
            return None
        log_key = self._epochs.log_key(checkpoint.origin)
        keys = [reign.key] if log_key is None else [reign.key, log_key]
        self._counts["signatures"] += min(len(note.signatures), len(keys))
        ids = {(line.name, line.key_id) for line in note.signatures}
        try:
            note.signed_by(keys)
            if (reign.key.name, reign.key.key_id) in ids:
                return checkpoint
            wrong = "it has no line by the key of its time"
        except NoteError as exc:
            wrong = str(exc)
        self._say(size, f"a stored checkpoint is not signed by the ledger's keys: {wrong}")
        return None

    def _judge(self, row: Sequence[Any], note: str, received: str) -> list[str]:
        """One token over a checkpoint that holds; the names of those who are trusted."""
        size, anchor, kind, content = row
        seen: Sequence[Seen] = ()
        why = _NO_POLICY
        try:
            if kind == COSIGNATURE and self._trust.cosigned is not None:
                seen = self._cosigned(note, content)
                why = "no cosignature by a witness that the policy names"
            elif kind == TIMESTAMP and self._trust.stamped is not None:
                seen = [self._trust.stamped(content, note)]
            elif kind not in (COSIGNATURE, TIMESTAMP):
                why = f"a receipt ({str(kind)[:40]}), which proves nothing by itself"
        except NotTrusted as exc:
            why = str(exc)
        except (ValueError, TypeError) as exc:
            self._say(size, f"a token of {str(anchor)[:100]} does not hold: {exc}")
            return []
        if not seen:
            key = (str(anchor)[:100], why)
            if key in self._not_judged or len(self._not_judged) < 100:
                self._not_judged[key] = self._not_judged.get(key, 0) + 1
            return []
        self._counts["judged"] += 1
        for one in seen:
            self._bracket(size, one, str(kind), str(anchor), received)
        names = [one.by for one in seen]
        if kind == COSIGNATURE and not self._witnessed(size, names):
            return []
        return names

    def _cosigned(self, note: str, content: Any) -> Sequence[Seen]:
        assert self._trust.cosigned is not None
        if type(content) is not bytes:
            raise ValueError("it is no text")
        text = content.decode()
        if Note.parse(text).text != Note.parse(note).text:
            raise ValueError("it is a cosignature of another checkpoint")
        return self._trust.cosigned(text)

    def _bracket(self, size: int, seen: Seen, kind: str, anchor: str, received: str) -> None:
        try:
            before = timestamp.render(seen.unix_nano)
        except (ValueError, OverflowError):
            before = str(seen.unix_nano)
        last = timestamp.parse(received) if _is_time(received) else 0
        if last > seen.unix_nano + AHEAD:
            self._findings.add(
                "time",
                size - 1,
                size - 1,
                f"{seen.by} had seen this entry before the time at which it says it was received:"
                " the ledger's clock ran ahead",
                f"up to {before}",
                received,
            )
        made = Bracket(size, before, seen.by[:200], kind, anchor[:100])
        if self._skipped < self._step and len(self._brackets) > 1:
            self._skipped += 1
            self._brackets[-1] = made
            return
        self._skipped = 0
        self._brackets.append(made)
        if len(self._brackets) > MOST_BRACKETS:
            self._brackets = [*self._brackets[:-1:2], made]
            self._step = self._step * 2 + 1

    def _say(
        self,
        size: int | None,
        message: str,
        expected: str = "",
        found: str = "",
        kind: Kind = "head",
    ) -> None:
        place = None if size is None or size < 1 else size - 1
        self._findings.add(kind, place, place, message, expected, found)


def _is_time(text: str) -> bool:
    try:
        timestamp.parse(text)
    except ValueError:
        return False
    return True


def _size(row: Sequence[Any] | None) -> int:
    """The size of a row; one that is none comes at once, to be reported."""
    if row is None:
        return NEVER
    return row[0] if type(row[0]) is int else 0
