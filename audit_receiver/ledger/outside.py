"""What anchors outside know, against the ledger at its start: is it all that it once was?

A ledger that was cut off, rolled back, replaced or lost looks whole by itself; only who kept a
checkpoint of it can tell. Nothing is healed here: the start ends, and a person decides.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from audit_receiver.errors import IntegrityError, LedgerError
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import Note


class Known(NamedTuple):
    """A note that an anchor knows."""

    anchor: str
    note: str


class Stated(NamedTuple):
    """A checkpoint that an anchor knows, as read from its note."""

    anchor: str
    checkpoint: Checkpoint


class Incarnation(NamedTuple):
    """One origin of a ledger, and how many entries it had when it ended (None: it goes on)."""

    origin: str
    end_size: int | None


_NOTHING = (0, -1)  # from, to
RootAt = Callable[[int], bytes]


def read(known: Sequence[Known]) -> list[Stated]:
    """Parse what anchors know; what is no checkpoint says nothing about the ledger."""
    stated = []
    for anchor, text in known:
        try:
            stated.append(Stated(anchor, Checkpoint.parse(Note.parse(text).text)))
        except ValueError:
            continue
    return stated


def refuse_if_known(path: Path, known: Sequence[Known]) -> None:
    """There is no ledger at `path`: raise LedgerError if the outside knows of one."""
    stated = read(known)
    if not stated:
        return
    most = max(stated, key=lambda one: one.checkpoint.size)
    raise LedgerError(
        f"{path}: there is no ledger here, but anchor {most.anchor} knows {_called(most)}. Restore"
        f" the ledger, or look whether its volume is mounted. If it is lost:"
        f" {_command(path)} begins a new one that says so. If this anchor belongs to another"
        " ledger, give this one its own"
    )


def compare(
    path: Path,
    size: int,
    known: Sequence[Known],
    incarnations: Sequence[Incarnation],
    lost: Sequence[Any],
    root_at: RootAt,
    before: str = "",
    own: Sequence[Known] = (),
) -> None:
    """Raise IntegrityError unless a ledger of `size` entries is what every anchor knows, or more.

    `lost` are the checkpoints that genesis and recover entries declare lost; `before` is the origin
    of the ledger that this one continues, whose anchors it may share; `own` are checkpoints that
    the ledger keeps itself, which prove nothing about where it comes from.
    """
    stated = [one for one in read(known) if one.checkpoint.origin != before]
    ends = {one.origin: one.end_size for one in incarnations}
    ours = [one for one in stated if one.checkpoint.origin in ends]
    declared = _declared(lost)
    for one in sorted([*ours, *read(own)], key=lambda one: one.checkpoint.size):
        origin, there, root = one.checkpoint.origin, one.checkpoint.size, one.checkpoint.root
        ended = ends.get(origin)
        end = size if ended is None else ended
        least, most = declared.get(origin, _NOTHING)
        if there <= most and (there > end or there >= least):
            continue
        if there > end:
            raise IntegrityError(
                f"{path}: has {end} entries of {origin}, but anchor {one.anchor} knows"
                f" {_called(one)}: the ledger was cut off or rolled back. Restore its newest state."
                f" {_mend(path)}"
            )
        if root_at(there) != root:
            raise IntegrityError(
                f"{path}: anchor {one.anchor} knows {_called(one)} with the root {root.hex()}, the"
                f" ledger's root at that size is {root_at(there).hex()}: it was rewritten, or"
                f" forked from what was published. {_mend(path)}"
            )
    foreign = [one for one in stated if one.checkpoint.origin not in {*ends, *declared}]
    if foreign and not ours:
        raise IntegrityError(
            f"{path}: is the ledger {incarnations[-1].origin}, but anchor {foreign[-1].anchor}"
            f" knows {_called(foreign[-1])} and nothing of this one: the ledger was replaced, or"
            f" the anchor belongs to another one. Restore the right ledger, or give this one an"
            f" anchor of its own. {_mend(path)}"
        )


def lost(begun: Sequence[dict[str, Any]]) -> list[Any]:
    """What genesis and recover entries, oldest first, declare lost: only what came before them.

    None speaks for its own incarnation or a later one: else a cut could be declared in advance.
    """
    found = []
    for place, event in enumerate(begun):
        behind = {one.get("origin") for one in begun[place:]}
        stated = event.get("lost")
        found += [
            one
            for one in (stated if isinstance(stated, list) else ())
            if isinstance(one, dict) and one.get("origin") not in behind
        ]
    return found


def _declared(lost: Sequence[Any]) -> dict[str, tuple[int, int]]:
    """From and up to which size each origin is declared lost; what cannot be read declares nothing.

    A fork is lost from its first checkpoint on: every later one belongs to it as well.
    """
    found: dict[str, tuple[int, int]] = {}
    for item in lost:
        if isinstance(item, dict):
            origin, size = item.get("origin"), item.get("size")
            if isinstance(origin, str) and isinstance(size, int):
                least, most = found.get(origin, (size, size))
                found[origin] = min(least, size), max(most, size)
    return found


def _called(one: Stated) -> str:
    return f"the checkpoint of size {one.checkpoint.size} of {one.checkpoint.origin}"


def _mend(path: Path) -> str:
    return (
        f"If that state is lost: {_command(path)} goes on from here as a new incarnation, and"
        " records what is missing"
    )


def does_not_hold(path: Path, what: str) -> IntegrityError:
    """What is wrong with a ledger at its start, and what to do."""
    return IntegrityError(f"{path}: {what}. {way_on(path)}")


def way_on(path: Path) -> str:
    """What to do about a ledger that does not hold, for the end of such a message."""
    return (
        "Run `audit-receiver verify` on it, keep a copy as it is, restore what can be restored. To"
        f" go on from here all the same: {_command(path)}"
    )


def _command(path: Path) -> str:
    return f"audit-receiver recover {path} --reason '...' (with the --config that `serve` has)"
