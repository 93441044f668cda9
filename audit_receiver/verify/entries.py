"""One pass over the entries: the quick way for what holds, words for what does not."""

from collections.abc import Callable
from hashlib import sha3_256
from typing import Any

from audit_receiver.tlog.merkle import leaf_hash
from audit_receiver.verify import quick
from audit_receiver.verify.content import Header, Judge
from audit_receiver.verify.erased import ERASING, Erasures
from audit_receiver.verify.findings import Findings
from audit_receiver.verify.memory import Memory
from audit_receiver.verify.order import Order
from audit_receiver.verify.runs import Run
from audit_receiver.verify.tallies import Tallies

HASH = 32  # bytes
MOST_GAPS = 10_000  # told apart; what comes behind widens the last one
OwnRecord = Callable[[int, str, dict[str, Any]], None]


class EntryChecker:
    """Feed it every entry in order of seq; it reports what does not hold.

    `own` is called for each of the receiver's own records whose hashes hold: (seq, event name,
    fields).
    """

    def __init__(self, findings: Findings, own: OwnRecord) -> None:
        self._findings = findings
        self._own = own
        self._order = Order(findings)
        self._judge = Judge(findings)
        self.tallies = Tallies(findings)
        self.erasures = Erasures(findings)
        self.next_seq = 0
        self.records = 0  # of kind span, log or audit so far
        self.last_received = ""
        self._last_own = (-1, "")  # seq and action of the last of the receiver's own records
        self.begins_well = False  # entry 0 is there, and is what its hash says
        self.newer_version: int | None = None  # first seq whose format we do not know
        self.missing_before = 0  # how many entries are missing in front of this one; taken by `log`
        self.gaps: list[tuple[int, int]] = []  # first missing seq, and the entry behind the gap

    def feed(self, seq: Any, text: Any, digest: Any, body: Any) -> bytes | None:
        """Check one entry; returns its header's bytes (the leaf), None if it has no place."""
        order = self._order
        if seq == self.next_seq and order.calm and type(text) is str and type(body) is str:
            raw = text.encode("utf-8", "surrogatepass")
            if sha3_256(raw).digest() == digest:
                told = quick.told(seq, text, body, order.recent[-1])
                if told is not None and told[0] > self.last_received:
                    self.next_seq = seq + 1
                    self.records += 1
                    self.last_received = told[0]
                    self.tallies.counts[told[1:]] += 1
                    order.recent.append(digest.hex())
                    return raw
        return self._slowly(seq, text, digest, body)

    def resume(self, memory: Memory) -> None:
        """Go on behind what an earlier run has checked."""
        self.next_seq, self.records = memory.size, memory.records
        self.last_received = memory.last_received
        self.begins_well = True
        self._order.recent.append(memory.last_hash)
        self.tallies.resume(memory)

    def continues(self, run: Run) -> bool:
        """Whether a run can be taken as it is: then `feed` would say nothing of its entries."""
        return (
            run.first == self.next_seq
            and self._order.calm
            and run.prev == self._order.recent[-1]
            and run.time(0) > self.last_received
        )

    def took(self, run: Run) -> None:
        """A run was taken, and its records and last time are counted."""
        self.next_seq = run.first + run.length
        for key, count in run.counts.items():
            self.tallies.counts[key] += count
        hashes = run.hashes
        self._order.recent.extend(
            hashes[at : at + HASH].hex() for at in range(0, len(hashes), HASH)
        )

    @property
    def last_action(self) -> str:
        """Of the last entry, "" unless it is one of the receiver's own."""
        return self._last_own[1] if self._last_own[0] == self.next_seq - 1 else ""

    @property
    def last_hash(self) -> str:
        """The hash stored for the last entry, in hex."""
        return self._order.recent[-1]

    def finish(self, proven: int) -> None:
        """The end; `proven` is the size of the largest head that holds."""
        self._order.finish()
        self.erasures.finish(proven)

    def _slowly(self, seq: Any, text: Any, digest: Any, body: Any) -> bytes | None:
        if type(seq) is not int:
            self._findings.add(
                "altered", None, None, "an entry has no number", "an integer", repr(seq)
            )
            return None
        if seq < self.next_seq:
            self._findings.add(
                "inserted", seq, seq, "an entry stands where none can be", found=repr(seq)
            )
            return None
        if seq > self.next_seq:
            self._gap(self.next_seq, seq)
            self._order.interrupted()
            self.tallies.incomplete()
        self.next_seq = seq + 1
        judge = self._judge
        judge.begin(seq)
        head = judge.header(text, digest)
        if head is None:
            self._order.interrupted()
        else:
            stated, prev = head.fields["seq"], head.fields["prev"]
            stands = self._order.place(seq, stated, prev, fits=not judge.is_faulty)
            if head.known:
                if stands:
                    self._received(seq, head)
                if not stands or self._order.is_shifted:
                    self.tallies.incomplete()
                self._known(seq, head, body)
            else:
                self._newer(seq, head, body)
        if judge.is_faulty:
            self.tallies.incomplete()
        elif seq == 0:
            self.begins_well = True
        if head is not None and type(digest) is bytes:
            self._order.passed(digest.hex())
        return _leaf(text)

    def _gap(self, first: int, behind: int) -> None:
        self.missing_before = behind - first
        if len(self.gaps) < MOST_GAPS:
            self.gaps.append((first, behind))
        else:
            self.gaps[-1] = (self.gaps[-1][0], behind)

    def _known(self, seq: int, head: Header, body: Any) -> None:
        fields = head.fields
        kind, action = fields["kind"], fields.get("action", "")
        self.records += kind != "ledger"
        if body is None:
            self.erasures.gone(seq, kind, action)
        else:
            value = self._judge.body(fields, body, known=True)
            if kind == "ledger":
                self._own_record(seq, action, value)
        self.tallies.counts[action, fields.get("outcome", "")] += 1

    def _newer(self, seq: int, head: Header, body: Any) -> None:
        """Of a later format: hashes, links and the tree are judged, and nothing else."""
        if self.newer_version is None:
            self.begins_well = False  # entry 0 is there, and is what its hash says
        self.newer_version = seq
        self.records += head.fields.get("kind") != "ledger"
        self.tallies.incomplete()
        if body is not None:
            self._judge.body(head.fields, body, known=False)

    def _own_record(self, seq: int, action: str, value: dict[str, Any] | None) -> None:
        event = value.get("event") if value is not None else None
        if type(event) is not dict or self._judge.is_faulty:
            self.tallies.incomplete()
            return
        self._last_own = (seq, action)
        if action == "ledger.heartbeat":
            self.tallies.heartbeat(seq, event)
        elif action in ERASING:
            self.erasures.allow(seq, action, event)
        elif action == "ledger.recover":
            self.erasures.forget(event.get("size"))
        self._own(seq, action.removeprefix("ledger."), event)

    def _received(self, seq: int, head: Header) -> None:
        received = head.fields["received"]
        restarts = head.fields.get("action") == "ledger.recover"  # a new incarnation, a new clock
        if received > self.last_received or restarts:
            self.last_received = received
            return
        self._findings.add(
            "time",
            seq,
            seq,
            "`received` does not come after that of the entry before",
            f"after {self.last_received}",
            received,
        )


def _leaf(text: Any) -> bytes:
    """The bytes that stand in the tree for a header, whatever it is."""
    if type(text) is str:
        return text.encode("utf-8", "surrogatepass")
    return text if type(text) is bytes else repr(text).encode()


def leaf_of(header: Any) -> bytes:
    """The leaf hash of an entry, whatever stands in the place of its header."""
    return leaf_hash(_leaf(header))
