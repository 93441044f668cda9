"""Is any of it left? The bytes of the ledger's files, searched for what was in deleted bodies.

Call it from a process that does not write the ledger: closing another descriptor of the file would
drop the writer's locks.
"""

import mmap
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

_HEX32 = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class Residue(NamedTuple):
    """What was searched and what was found."""

    bytes: int
    salts: int  # of deleted bodies that still stand somewhere
    texts: tuple[str, ...]  # of the given ones that still stand somewhere


def search(ledger: Path, salts: Collection[str], texts: Iterable[str] = ()) -> Residue:
    """Search the file, its -wal and its rollback journal; free pages are part of the file."""
    wanted = {salt.encode() for salt in salts}
    needles = {text: text.encode() for text in texts}
    found: set[bytes] = set()
    left: set[str] = set()
    size = 0
    for path in (ledger, Path(f"{ledger}-wal"), Path(f"{ledger}-journal")):
        if not path.exists() or not path.stat().st_size:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            size += len(data)
            found.update(m[0] for m in _HEX32.finditer(data) if m[0] in wanted)
            left.update(text for text, raw in needles.items() if data.find(raw) >= 0)
    return Residue(size, len(found), tuple(sorted(left)))
