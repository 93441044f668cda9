"""Whether entries stand where they belong: numbers, links, and what was moved, put in, taken out.

After a mismatch the judgement goes on from what is stored, so that one changed entry is one
finding. Of two entries that do not continue each other, the one is named that does not go together
with its other neighbour either.
"""

from collections import deque
from typing import NamedTuple

from audit_receiver.tlog.chain import GENESIS_PREV
from audit_receiver.verify.findings import Findings

REMEMBERED = 256  # hashes of the entries before: so many inserted ones in a row can be named
MOST_MOVED = 10_000

_NOTHING = (0, None, None)  # shift, doubt, tentative
_MOVED = "the header says that the entry stands at another place"
_BROKEN = "what follows does not continue this entry: it was changed, and its hash recomputed"


class _Moved(NamedTuple):
    """An entry whose header states another place than its row; what follows decides what it is."""

    seq: int
    stated: int
    shift: int
    continues_before: int  # as many entries in front of it were put in, if it is an insertion


class Order:
    """Follows the entries by number and by link."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.recent: deque[str] = deque([GENESIS_PREV], maxlen=REMEMBERED)  # hashes, newest last
        self.calm = True  # nothing is open: an entry that fits needs no judgement
        self._linked = True  # False where the entry before cannot be judged
        self._reported = False  # the entry before was found altered already
        self._shift = 0  # by how much rows run ahead of the numbers in their headers
        self._tentative: _Moved | None = None
        self._moved: dict[int, int] = {}  # row -> stated
        self._doubt: int | None = None  # this entry and the one before do not go together

    @property
    def is_shifted(self) -> bool:
        """Whether rows and the numbers in their headers have drifted apart."""
        return self._shift != 0

    def place(self, seq: int, stated: int, prev: str, fits: bool) -> bool:
        """Judge the place of an entry; `fits` says whether its header has the hash stored for it.

        Returns whether it stands where it says, so that its time can be judged as well.
        """
        shift = seq - stated
        if self._tentative is not None and not self._settle(self._tentative, shift, prev):
            self._linked = False  # what was moved here is not what stood before this one
        if shift == self._shift:
            self._link(seq, prev)
        else:
            self._clear_doubt()
            self._move(seq, stated, shift, prev)
        self._reported = not fits
        return fits and shift == self._shift

    def passed(self, stored: str) -> None:
        """The entry is dealt with: its stored hash is what the next one has to continue."""
        self.recent.append(stored)
        self._linked = True
        self.calm = not self._reported and (self._shift, self._doubt, self._tentative) == _NOTHING

    def interrupted(self) -> None:
        """Entries are missing here, or one that cannot be judged: no link leads across."""
        self._clear_doubt()
        if self._tentative is not None:
            self._settle(self._tentative, None, "")
        self._linked = False
        self.calm = False

    def finish(self) -> None:
        """The last entry is dealt with."""
        self._clear_doubt()
        moved = self._tentative
        if moved is not None:
            self._tentative = None
            if moved.continues_before == 1:
                self._inserted(moved)
            else:
                self._findings.add("reordered", moved.seq, moved.seq, _MOVED)

    def _link(self, seq: int, prev: str) -> None:
        if not self._linked or self._reported:  # the entry before is gone, or reported already
            self._doubt = None
            return
        if prev == self.recent[-1]:
            if self._doubt is not None:  # the one before goes together with this one
                self._blame(self._doubt - 1, prev)
            self._doubt = None
        elif self._doubt is not None:  # the one before goes together with neither neighbour
            self._blame(self._doubt, prev)
            self._doubt = None
        else:
            self._doubt = seq

    def _blame(self, seq: int, prev: str) -> None:
        self._findings.add("altered", max(seq, 0), max(seq, 0), _BROKEN, found=prev)

    def _clear_doubt(self) -> None:
        """Nothing more tells which of two entries was changed."""
        if self._doubt is not None:
            self._findings.add(
                "altered",
                max(self._doubt - 1, 0),
                self._doubt,
                "the later entry does not continue the earlier one: one of the two was changed",
            )
            self._doubt = None

    def _move(self, seq: int, stated: int, shift: int, prev: str) -> None:
        put_in = shift - self._shift
        continues = 0
        if self._moved.get(stated) != seq and 0 < put_in < len(self.recent):
            continues = put_in if self.recent[-1 - put_in] == prev else 0
        self._tentative = _Moved(seq, stated, shift, continues)
        if len(self._moved) < MOST_MOVED:
            self._moved[seq] = stated

    def _settle(self, moved: _Moved, shift: int | None, prev: str) -> bool:
        """What comes behind a moved entry shows whether it alone stands wrong: then False."""
        self._tentative = None
        together = shift == moved.shift and prev == self.recent[-1]
        if together and moved.continues_before:
            self._inserted(moved)
            self._shift = moved.shift
        elif together and moved.shift < self._shift:
            first = moved.seq - self._shift
            self._findings.add(
                "missing",
                first,
                moved.stated - 1,
                "entries are gone, and those behind them were moved up",
            )
            self._shift = moved.shift
        else:
            self._findings.add("reordered", moved.seq, moved.seq, _MOVED)
            return False
        return True

    def _inserted(self, moved: _Moved) -> None:
        self._findings.add(
            "inserted",
            moved.seq - moved.continues_before,
            moved.seq - 1,
            "the entries around continue each other without this one: it was put in",
        )
