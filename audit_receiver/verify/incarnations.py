"""New incarnations: `ledger.recover` begins one in the same file, under a new origin and key.

Nothing in the file can show that a recovery was right to happen, so each is told, with what its
entry says is lost. What was known outside and is neither here nor declared is a finding. A genesis
that was begun in the place of a lost ledger declares losses in the same way.
"""

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

from audit_receiver.tlog.checkpoint import Checkpoint, head_text
from audit_receiver.tlog.note import NoteError, VerifierKey, decode_base64
from audit_receiver.verify.epochs import Epochs
from audit_receiver.verify.report import Incarnation

MOST_LOST = 1000  # declared by one entry; the rest is passed over, and so becomes a finding


class _Begun(NamedTuple):
    first: int
    origin: str
    key: VerifierKey | None
    vouched: bool  # the key before signed for it
    unsigned: int  # entries in front of it that were under no signed head
    reason: str
    lost: dict[tuple[str, int, bytes], str]  # origin, size, root -> in words
    declared: list[str]


class Incarnations:
    """Follows them, oldest first."""

    def __init__(self) -> None:
        self._all: list[_Begun] = []

    @property
    def newest_vouched(self) -> bool:
        """Whether the key before signed for the newest one."""
        return bool(self._all) and self._all[-1].vouched

    def begin(self, seq: int, event: str, fields: dict[str, Any], epochs: Epochs) -> None:
        """A genesis or recover entry, once `epochs` has learnt from it."""
        known = epochs.all()
        begun = known[-1] if known and known[-1].seq == seq else None
        before = known[-2] if begun is not None and len(known) > 1 else None
        size = fields.get("size")
        if event == "recover" and type(size) is int:  # what was under no signed head began nothing
            self._all = [one for one in self._all if one.first < max(size, 1)]
        self._all.append(
            _Begun(
                first=seq,
                origin=begun.origin if begun is not None else str(fields.get("origin"))[:200],
                key=begun.key if begun is not None else None,
                vouched=before is not None and is_vouched(fields, before.key),
                unsigned=max(seq - size, 0) if event == "recover" and type(size) is int else 0,
                reason=str(fields.get("reason", ""))[:500],
                lost=_lost(fields.get("lost")),
                declared=[],
            )
        )

    def last_size(self, origin: str) -> int | None:
        """The largest size that a head of this origin can have, None while it is the newest."""
        for one, successor in zip(self._all, self._all[1:], strict=False):
            if one.origin == origin:
                return successor.first
        return None

    def is_declared(self, name: str, checkpoint: Checkpoint) -> bool:
        """Whether a recover entry says that what this checkpoint covers is lost; noted if so.

        Anchors tell the newest part of what they hold, so an entry names the sizes between which
        all is lost: of a ledger that was rolled back from its end on, of a fork from the smallest
        one that differs, of another ledger from its beginning. At a size that is named itself the
        root has to be the named one: another is a third history. What was lost came before: no
        entry speaks for its own incarnation, or for one that begins behind it.
        """
        begun = {one.origin: one.first for one in reversed(self._all)}
        for one in self._all:
            if begun.get(checkpoint.origin, -1) >= one.first:
                continue
            named = [(size, root) for origin, size, root in one.lost if origin == checkpoint.origin]
            sizes = [size for size, _ in named]
            if not sizes or checkpoint.size > max(sizes):
                continue
            if checkpoint.size in sizes and (checkpoint.size, checkpoint.root) not in named:
                continue
            if (
                checkpoint.origin not in begun
                or checkpoint.size > one.first
                or checkpoint.size >= min(sizes)
            ):
                text = f"{name}: the checkpoint of size {checkpoint.size} is declared lost"
                if text not in one.declared and len(one.declared) < MOST_LOST:
                    one.declared.append(text)
                return True
        return False

    def report(self, size: int, pins: Sequence[VerifierKey]) -> tuple[Incarnation, ...]:
        """Each with its range in a ledger of `size` entries."""
        ends = [one.first - 1 for one in self._all[1:]] + [max(size, 1) - 1]
        ends = ends[: len(self._all)]
        return tuple(
            Incarnation(
                first=one.first,
                last=end,
                origin=one.origin,
                key_pinned=one.key is not None and one.key in pins,
                key_vouched=one.vouched,
                unsigned=one.unsigned,
                reason=one.reason,
                lost=tuple(one.lost.values()),
                declared=tuple(one.declared),
            )
            for one, end in zip(self._all, ends, strict=True)
        )


def is_vouched(fields: dict[str, Any], old: VerifierKey) -> bool:
    """Whether the key before signed for the one of a recover entry."""
    size, root = fields.get("size"), root_of(fields.get("root"))
    try:
        signature = base64.b64decode(str(fields.get("signature", "")), validate=True)
    except ValueError:
        return False
    if type(size) is not int or root is None or len(signature) != 64:
        return False
    text = f"recover/v1\n{head_text(old.name, size, root)}{fields['origin']}\n{fields['vkey']}\n"
    return old.verify(text.encode(), signature)


def carried_on(
    seq: int, fields: dict[str, Any], root: bytes | None, head: tuple[int, bytes] | None
) -> str:
    """What is wrong with the size and root that a recover entry takes over, "" if nothing.

    Args:
        root: of the tree in front of the entry, None if entries are missing.
        head: size and root of the newest head, None if it was checked by an earlier run.
    """
    size, stated = fields.get("size"), root_of(fields.get("root"))
    if type(size) is not int or not 0 <= size <= seq or stated is None:
        return "it does not say which size and root it goes on from"
    if head is not None and head[0] != size:
        return f"it goes on from size {size}, and the newest head before it has size {head[0]}"
    known = root if size == seq else head and head[1]
    if known is not None and known != stated:
        return f"the root that it goes on from is not that of the entries before {size}"
    return ""


def root_of(value: Any) -> bytes | None:
    """A root as own records write it, in hex (or base64, as notes do)."""
    if type(value) is not str:
        return None
    try:
        raw = bytes.fromhex(value) if len(value) == 64 else decode_base64(value)
    except (ValueError, NoteError):
        return None
    return raw if len(raw) == 32 else None


def _lost(value: Any) -> dict[tuple[str, int, bytes], str]:
    result: dict[tuple[str, int, bytes], str] = {}
    for one in value[:MOST_LOST] if type(value) is list else ():
        if type(one) is not dict:
            continue
        origin, size, root = one.get("origin"), one.get("size"), root_of(one.get("root"))
        if type(origin) is str and type(size) is int and root is not None:
            anchor = str(one.get("anchor", ""))[:100]
            result[origin, size, root] = (
                f"a checkpoint of size {size} that {anchor or 'an anchor'} has"
            )
    return result
