"""One pass over the entries: hashes, links, order, canonical form, header against body.

After a mismatch the pass goes on from what is stored, so that one altered entry is one finding and
not a finding for every entry behind it; the tree then says what no longer matches as a whole.
"""

from collections import Counter
from collections.abc import Callable
from hashlib import sha3_256
from typing import Any

from audit_receiver.record import canonical, header, heading
from audit_receiver.tlog.chain import GENESIS_PREV
from audit_receiver.verify.findings import Finding, Kind

RECORD_KINDS = ("span", "log", "audit")
_RECORD_KEYS = 8  # v, seq, prev, received, flags, body, subject, id: beside those of the body
_LEDGER_KEYS = 6  # the same without subject and id
_ERASABLE = tuple(f"ledger.{name}" for name in ("start", "stop", "heartbeat", "read", "incident"))
_SHAPE = (canonical.NotCanonical, KeyError, TypeError, AttributeError, ValueError)
MOST_RANGES = 100_000

Report = Callable[[Finding], None]
OwnRecord = Callable[[int, str, dict[str, Any]], None]


class EntryChecker:
    """Feed it every entry in order of seq; it reports what does not hold.

    `own` is called for each of the receiver's own records whose body is there: (seq, event name,
    fields).
    """

    def __init__(self, report: Report, own: OwnRecord) -> None:
        self._report = report
        self._own = own
        self.next_seq = 0
        self.records = 0  # of kind span, log or audit so far
        self.last_received: str | None = None
        self.newer_version: int | None = None  # first seq whose `v` we do not know
        self.record_kind = False  # of the entry just fed
        self._prev: str | None = GENESIS_PREV  # None after a gap: the link cannot be judged
        self._before = GENESIS_PREV  # the hash before the previous entry's, to name an insertion
        self._offset = 0  # how many entries were inserted so far
        self._tallies: Counter[tuple[str, str]] = Counter()
        self._tallied_from = 0
        self._tallies_hold = True  # False once an entry of the span could not be read
        self._nulls: list[list[int]] = []  # runs of entries without body: [first, last]
        self._erasable: list[tuple[int, int, int]] = []  # (first, last, seq of the authority)

    def feed(self, seq: Any, text: Any, digest: Any, body: Any) -> bytes | None:
        """Check one entry; returns its header bytes (the leaf), None where there is none."""
        self.record_kind = False
        if type(seq) is not int:
            self._say("unreadable", None, None, "an integer", repr(seq), "a seq is not an integer")
            return None
        if seq != self.next_seq:
            self._gap(seq)
        self.next_seq = seq + 1
        if type(text) is not str or type(digest) is not bytes:
            self._odd(
                seq, "header is not text or hash is no blob", "text, blob", _types(text, digest)
            )
            return text.encode("utf-8", "surrogatepass") if type(text) is str else None
        raw = text.encode("utf-8", "surrogatepass")
        computed = sha3_256(raw).digest()
        if computed != digest:
            self._say(
                "altered",
                seq,
                seq,
                digest.hex(),
                computed.hex(),
                "the header does not have the hash that is stored for it",
            )
        fields = self._header(seq, text)
        prev = digest.hex()
        if fields is not None:
            self._place(seq, fields)
            self._body(seq, fields, body)
        else:
            self._tallies_hold = False
        self._before = self._prev if self._prev is not None else ""
        self._prev = prev
        return raw

    def finish(self, size: int) -> None:
        """The end: entries that heads speak of and are not there, bodies nobody may have erased."""
        if self.next_seq < size:
            self._missing(self.next_seq, size - 1)
        for first, last in self._nulls:
            for lo, hi in self._unauthorised(first, last):
                self._say(
                    "body_missing",
                    lo,
                    hi,
                    "a body, or a signed erase or prune entry",
                    "none",
                    "the body is gone, and no later erase or prune entry names it",
                )

    def _header(self, seq: int, text: str) -> dict[str, Any] | None:
        try:
            return heading.parse(text)
        except heading.NewerVersion:
            if self.newer_version is None:
                self.newer_version = seq
        except canonical.NotCanonical as exc:
            self._say(
                "canonical",
                seq,
                seq,
                "a header of format 1",
                str(exc),
                "the header is not in its one form",
            )
        return None

    def _place(self, seq: int, fields: dict[str, Any]) -> None:
        """Position, link and time."""
        stated, prev = fields["seq"], fields["prev"]
        if stated != seq - self._offset:
            shifted = stated == seq - self._offset - 1 and prev == self._before
            if shifted:
                self._offset += 1
                self._say(
                    "inserted",
                    seq - 1,
                    seq - 1,
                    "no entry here",
                    "an entry",
                    "the entries around it continue each other without it",
                )
            else:
                self._say(
                    "reordered",
                    seq,
                    seq,
                    str(seq - self._offset),
                    repr(stated),
                    "the header says that it stands at another place",
                )
        elif self._prev is not None and prev != self._prev:
            self._say(
                "altered",
                max(seq - 1, 0),
                seq,
                self._prev,
                repr(prev),
                "the later entry does not continue the one before it: one of the two was changed",
            )
        received = fields["received"]
        if self.last_received is not None and received <= self.last_received:
            self._say(
                "time",
                seq,
                seq,
                f"after {self.last_received}",
                repr(received),
                "`received` does not increase",
            )
        else:
            self.last_received = received

    def _body(self, seq: int, fields: dict[str, Any], body: Any) -> None:
        kind = fields["kind"]
        ledger = kind == "ledger"
        self.record_kind = kind in RECORD_KINDS
        self.records += self.record_kind
        if ledger and fields["action"] == "ledger.recover":
            self.last_received = None  # a new incarnation has a clock of its own
        if type(body) is str:
            self._present_body(seq, fields, body, ledger)
        elif body is None:
            self._absent_body(seq, fields)
        else:
            self._odd(seq, "the body is not text", "text", type(body).__name__)
        self._tallies[fields.get("action", ""), fields.get("outcome", "")] += 1

    def _present_body(self, seq: int, fields: dict[str, Any], body: str, ledger: bool) -> None:
        raw = body.encode("utf-8", "surrogatepass")
        digest = sha3_256(raw).hexdigest()
        if digest != fields["body"]:
            self._say(
                "altered",
                seq,
                seq,
                str(fields.get("body")),
                digest,
                "the body does not have the hash that the header states",
            )
        try:
            value = canonical.decode(raw)
        except canonical.NotCanonical as exc:
            self._say(
                "canonical", seq, seq, "canonical text", str(exc), "the body is not canonical"
            )
            return
        try:
            expected = header.expected(value)
            if ledger:
                self._own_body(seq, fields, value, expected)
                return
            subject = sha3_256(canonical.encode(value["subject"])).hexdigest()
        except _SHAPE as exc:
            self._odd(seq, "the body has not the shape of its kind", "DESIGN 3.4", repr(exc)[:200])
            return
        if subject != fields.get("subject"):
            self._say(
                "altered",
                seq,
                seq,
                str(fields.get("subject")),
                subject,
                "the body's subject does not have the hash that the header states",
            )
        self._compare(seq, fields, expected, _RECORD_KEYS)

    def _own_body(
        self, seq: int, fields: dict[str, Any], value: Any, expected: dict[str, Any]
    ) -> None:
        self._compare(seq, fields, expected, _LEDGER_KEYS)
        action = fields["action"]
        event, name = value["event"], action.removeprefix(header.LEDGER_PREFIX)
        if name == "heartbeat":
            self._heartbeat(seq, event)
        elif name in ("erase", "prune"):
            self._authority(seq, event)
        self._own(seq, name, event)

    def _compare(
        self, seq: int, fields: dict[str, Any], expected: dict[str, Any], others: int
    ) -> None:
        """The header fields that the body decides, and that there are no further ones."""
        for name, value in expected.items():
            if fields.get(name) != value:
                self._say(
                    "altered",
                    seq,
                    seq,
                    repr(value),
                    repr(fields.get(name)),
                    f"the header's `{name}` is not what the body says",
                )
        if len(fields) != len(expected) + others:
            for name in sorted(set(fields) - set(expected) - _OURS):
                self._say(
                    "altered",
                    seq,
                    seq,
                    "no such key",
                    repr(fields[name]),
                    f"the header's `{name}` is not what the body says",
                )

    def _absent_body(self, seq: int, fields: dict[str, Any]) -> None:
        kind = fields["kind"]
        if self._nulls and self._nulls[-1][1] == seq - 1:
            self._nulls[-1][1] = seq
        else:
            self._nulls.append([seq, seq])
        if kind == "ledger" and fields["action"] not in _ERASABLE:
            self._say(
                "body_missing",
                seq,
                seq,
                "a body",
                "none",
                "the body of an own record that nobody may erase is gone",
            )

    def _heartbeat(self, seq: int, event: dict[str, Any]) -> None:
        """Tallies equal the entries since the heartbeat before."""
        counted = [
            [a, o, n] for (a, o), n in sorted(self._tallies.items(), key=lambda i: str(i[0]))
        ]
        stated = event.get("tallies")
        if self._tallies_hold and (
            sorted(map(str, stated if isinstance(stated, list) else []))
            != sorted(map(str, counted))
            or event.get("from") != self._tallied_from
            or event.get("to") != seq - 1
        ):
            self._say(
                "altered",
                self._tallied_from,
                seq,
                _short(counted),
                _short(stated),
                "the heartbeat counts other entries than those before it",
            )
        self._tallies = Counter()
        self._tallied_from = seq
        self._tallies_hold = True

    def _authority(self, seq: int, event: dict[str, Any]) -> None:
        ranges = event.get("ranges")
        for item in ranges if isinstance(ranges, list) else []:
            if (
                isinstance(item, list)
                and len(item) == 2
                and all(type(n) is int for n in item)
                and len(self._erasable) < MOST_RANGES
            ):
                self._erasable.append((item[0], min(item[1], seq - 1), seq))

    def _unauthorised(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of [first, last] that no erase or prune entry names."""
        left = [(first, last)]
        for lo, hi, _ in self._erasable:
            parts = []
            for a, b in left:
                if hi < a or lo > b:
                    parts.append((a, b))
                    continue
                if a < lo:
                    parts.append((a, lo - 1))
                if b > hi:
                    parts.append((hi + 1, b))
            left = parts
        return left

    def _gap(self, seq: int) -> None:
        if seq > self.next_seq:
            self._missing(self.next_seq, seq - 1)
        else:
            self._say(
                "inserted",
                seq,
                seq,
                f"{self.next_seq}",
                f"{seq}",
                "an entry stands before the first",
            )
        self._prev = None
        self._tallies_hold = False

    def _missing(self, first: int, last: int) -> None:
        self._say("missing", first, last, "entries", "none", "entries are gone")

    def _odd(self, seq: int, message: str, expected: str, found: str) -> None:
        self._tallies_hold = False
        self._say("canonical", seq, seq, expected, found, message)

    def _say(
        self,
        kind: Kind,
        first: int | None,
        last: int | None,
        expected: str,
        found: str,
        message: str,
    ) -> None:
        self._report(Finding(kind, first, last, expected, found, message))


_OURS = frozenset(("body", "flags", "id", "prev", "received", "seq", "subject", "v"))


def _types(*values: object) -> str:
    return ", ".join(type(value).__name__ for value in values)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else text[:397] + "..."
