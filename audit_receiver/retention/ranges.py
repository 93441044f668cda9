"""Ranges of seqs, first and last included: sorted, apart, as own records state them."""

from collections.abc import Iterable, Iterator, Sequence

Range = tuple[int, int]


def of_seqs(seqs: Iterable[int]) -> list[Range]:
    """The ranges of these seqs, which come in order."""
    found: list[Range] = []
    for seq in seqs:
        if found and found[-1][1] == seq - 1:
            found[-1] = found[-1][0], seq
        else:
            found.append((seq, seq))
    return found


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same seqs in as few ranges as there can be."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def overlap(ranges: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """What both have; each is sorted and apart."""
    found: list[Range] = []
    place = 0
    for first, last in ranges:
        while place < len(others) and others[place][1] < first:
            place += 1
        at = place
        while at < len(others) and others[at][0] <= last:
            found.append((max(first, others[at][0]), min(last, others[at][1])))
            at += 1
    return found


def without(ranges: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """What is in the first and not in the second; each is sorted and apart."""
    found: list[Range] = []
    for first, last in ranges:
        at = first
        for low, high in overlap([(first, last)], others):
            if at < low:
                found.append((at, low - 1))
            at = high + 1
        if at <= last:
            found.append((at, last))
    return found


def count(ranges: Iterable[Range]) -> int:
    """How many seqs."""
    return sum(last - first + 1 for first, last in ranges)


def pieces(ranges: Iterable[Range], most: int) -> Iterator[list[Range]]:
    """The ranges in groups of at most so many seqs, long ones cut."""
    group: list[Range] = []
    room = most
    for first, last in ranges:
        while first <= last:
            end = min(last, first + room - 1)
            group.append((first, end))
            room -= end - first + 1
            first = end + 1
            if not room:
                yield group
                group, room = [], most
    if group:
        yield group


def parse(text: str) -> list[Range]:
    """Ranges as a person writes them: `17`, `20-29`, joined by commas. Raises ValueError."""
    found: list[Range] = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isascii() or not low.isdigit() or (high and not high.isdigit()):
            raise ValueError(f"{part.strip()!r} is no seq and no range; write 17 or 20-29")
        first, last = int(low), int(high or low)
        if last < first:
            raise ValueError(f"{part.strip()}: ends before it begins")
        found.append((first, last))
    return merged(found)


def text(ranges: Sequence[Range], most: int = 8) -> str:
    """Ranges for a person, the first few of many."""
    shown = [f"{a}" if a == b else f"{a}-{b}" for a, b in ranges[:most]]
    more = f" and {len(ranges) - most} more ranges" if len(ranges) > most else ""
    return ", ".join(shown) + more if shown else "none"
