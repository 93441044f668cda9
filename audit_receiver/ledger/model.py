"""What goes in and out of the writer: settings, clock, results. Values only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from audit_receiver.ledger.exact import Kept
from audit_receiver.ledger.keysource.model import KeySource
from audit_receiver.record.model import Draft


class Clock(NamedTuple):
    """The two clocks that the service lends the ledger, in nanoseconds.

    `monotonic` should go on while the machine sleeps (CLOCK_BOOTTIME where there is one), or a
    laptop that wakes up looks like a wall clock that ran ahead.
    """

    wall: Callable[[], int]
    monotonic: Callable[[], int]


class Tip(NamedTuple):
    """The newest signed tree head; a new one replaces it after each commit."""

    size: int
    root: bytes
    signature: bytes  # 64 bytes, Ed25519 over origin, size, root as a C2SP checkpoint
    key_id: int
    origin: str
    last_seq: int


class Appended(NamedTuple):
    """What became of one request, told after COMMIT.

    first_seq and last_seq bound the entries that this request stored, None if it stored none.
    stored counts them, the flagged ones too; duplicates counts records that were there already
    and are acknowledged without a second entry; conflicts counts the stored that are flagged so.
    """

    first_seq: int | None
    last_seq: int | None
    stored: int
    duplicates: int
    conflicts: int
    tip: Tip
    kept: tuple[Kept, ...] = ()  # of a request of `/v1/audit`: where each of its records stands
    note: str = ""  # of a publication: the checkpoint as a signed note


Done = Callable[[Appended | Exception], None]
Delivery = list[tuple[Done, Appended | Exception]]


class Status(NamedTuple):
    """Whether records can be stored now, and if not, why (for /readyz)."""

    ok: bool
    reason: str


class Commit(NamedTuple):
    """One committed transaction, for the metrics."""

    seconds: float  # BEGIN to the return of COMMIT
    entries: int
    size: int
    wall_unix_nano: int
    ledger_bytes: int
    wal_bytes: int


class Observer:
    """What the service may want to hear from the writer thread; every method may be left alone.

    Each is called in the writer thread and must return at once.
    """

    def committed(self, commit: Commit) -> None:
        """A transaction is durable."""

    def incident(self, kind: str) -> None:
        """An incident has been noticed; it stands in the ledger unless that cannot be written."""

    def broken_sequence(self, flag: str) -> None:
        """A record was stored that does not continue its producer's stream."""

    def trouble(self, reason: str) -> None:
        """The ledger went out of service (once a kind of reason) or came back (empty string)."""

    def fatal(self, error: Exception) -> None:
        """The state of the file is unknown: the process has to end with exit code 1."""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Everything the ledger is told at its start."""

    path: Path
    create: Literal["if_missing", "never"] = "if_missing"
    name: str = ""  # origin is <name>/<incarnation>; empty: the host's name
    key_path: Path | None = None  # the private key, where it is not beside the ledger
    key_source: KeySource | None = None  # where it lives, if in no file
    key_rotation_seconds: float = 0.0  # how long a key signs; 0: for ever
    new_key: str = ""  # why the key is to be replaced at this start, by an operator
    heartbeat_seconds: float = 60.0
    disk_reserve_bytes: int = 256 * 1024 * 1024
    drain_seconds: float = 10.0
    queue: int = 4096  # requests that may wait for the writer
    accept_clock: bool = False
    exact: bool = False  # `/v1/audit` is served: its filter of tags is made before anybody sends
    version: str = ""
    select: Mapping[str, Any] = field(default_factory=dict)  # the rule, for the genesis
    select_digest: str = ""
    retention: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)  # public form, secrets as digests
    config_digest: str = ""
    known: Sequence[Any] = ()  # `outside.Known`: what anchors know of this ledger
    redact_digest: str = ""  # of the rules of redaction, the program's own ones included


class Work(NamedTuple):
    """Something besides records that the writer does with its connection, in a short step."""

    run: Callable[[Any], None]  # given the sqlite3.Connection
    transaction: bool  # it is to be committed as one


class Job(NamedTuple):
    """One request on its way to the writer: all of it is committed, or nothing."""

    drafts: Sequence[Draft]
    events: Sequence[tuple[str, Mapping[str, Any]]]  # own records, made in the writer thread
    done: Done | None
    exact: bool = False  # of `/v1/audit`: each record id once, or nothing of the request
    publish: bool = False  # the head of this group is kept as a checkpoint
    work: Work | None = None  # nothing is to be written but this
    anchored: Sequence[Any] = ()  # `notary.Anchored`: what anchors gave back
