"""What travels through the write path: Observation (came), AuditRecord (kept), Draft (finished).

These are named tuples and not dataclasses: one of each is made per record, at a third of the cost.
"Canonical value" below means a JSON-ready Python value in the form of DESIGN 3.3: str, bool,
None, int within 2**53 - 1, a finite float with a fraction, list, dict with escaped keys, or one
of the wrapper dicts {"$int"}, {"$double"}, {"$bytes"}, {"$utf8"}, {"$otlp"}.
"""

from typing import Any, NamedTuple

CanonicalValue = Any
Attributes = dict[str, CanonicalValue]


class Shared(NamedTuple):
    """A resource or a scope, converted once for all the records that share it."""

    object: dict[
        str, CanonicalValue
    ]  # {"attributes": {...}, "schema_url": ..., ...} as in the body
    text: str  # canonical text of `object`
    attributes: Attributes  # object["attributes"], {} for a scope without any
    flags: frozenset[str]  # flags that the conversion raised


class Observation(NamedTuple):
    """One span or log record as it came, with its resource and scope, in canonical values."""

    kind: str  # "span" or "log"
    resource: Shared
    scope: Shared
    attributes: Attributes
    attributes_raw: str | None  # canonical base64 of the whole list, when a key repeats
    otlp: dict[str, CanonicalValue]  # the body's `otlp` object
    name: str  # span name, or event name (field, else `event.name` attribute); "" if none
    event_attributes: tuple[Attributes, ...]  # of a span's events, in order; () for a log
    status_code: int  # span status: 0 unset, 1 ok, 2 error; 0 for a log
    time_unix_nano: int  # span start, else end; log time, else observed time; 0 if none
    trace_id: str  # lower-case hex if valid (16 bytes, not all zero), else ""
    span_id: str  # lower-case hex if valid (8 bytes, not all zero), else ""
    flags: frozenset[str]  # raised while reading, observed_time among them
    redacted: tuple[str, ...] = ()  # places of what is gone, sorted (`redaction`)
    sequence: "Sequenced | None" = None  # of a redacted record: as it came
    integrity_hash: str = ""  # of a redacted record: as it came


class AuditRecord(NamedTuple):
    """An observation with what the alias table found in it."""

    observation: Observation
    audit: dict[str, Any]  # the body's `audit` object, strings only but for roles
    subject: dict[str, str]  # {"actor", "actor_type", "target"} as present; the salt is added later
    service: str  # resource service.name as text, "" if none
    tenant: str
    flags: frozenset[str]  # the observation's and the normaliser's


class Sequenced(NamedTuple):
    """Where a producer says that a record stands in a stream of its own (OTEP 0267)."""

    stream: str  # "" if it names none
    number: int  # from 1
    previous: str  # integrity hash of the one before, lower-case hex; "" if it names none
    end: bool  # nothing follows
    digest: str  # integrity hash of the record itself


class Draft(NamedTuple):
    """A finished entry but for what its place decides: seq, prev, received, id, duplicate_of."""

    body: str  # canonical text; nobody changes it but `header.repeat`
    kind: str
    service: str  # full text, for tallies; "" if none
    time: str | None  # RFC 3339, nine digits, Z
    time_unix_nano: int  # 0 if none
    identity: bytes  # canonical text of the identity; b"" for kind ledger
    own_identity: bool  # True for record and span identity, False for content
    action: str  # header token or "", for tallies
    outcome: str  # success, failure, unknown; "" for kind ledger
    flags: frozenset[str]
    fixed: tuple[str, ...]  # pieces of the header text, private to record.header
    sequence: Sequenced | None = None
    integrity_hash: str = ""  # of a redacted record: as it came, for its receipt
