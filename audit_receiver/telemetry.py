"""Our own metrics, named in one table. Logs go through the standard library's logging."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # or every counter has a second series that nobody asked for

REGISTRY = CollectorRegistry()

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECORDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

RECORDS = Counter(
    "audit_receiver_records",
    "Spans and log records by what became of them: stored, duplicate, conflict, skipped.",
    ["signal", "transport", "result"],
    registry=REGISTRY,
)
REQUESTS = Counter(
    "audit_receiver_requests",
    "Export requests by transport and answer (HTTP status or gRPC code).",
    ["transport", "code"],
    registry=REGISTRY,
)
IGNORED_MEMBERS = Counter(
    "audit_receiver_json_members_ignored",
    "Members of OTLP/JSON that the protocol does not know; they are not kept.",
    registry=REGISTRY,
)
SIGNATURES = Counter(
    "audit_receiver_signatures",
    "Producers' signatures by what verifying them gave: passed, failed, deferred (no key known).",
    ["result"],
    registry=REGISTRY,
)
BROKEN_SEQUENCES = Counter(
    "audit_receiver_broken_sequences",
    "Records that do not continue their producer's stream, by the flag that says how.",
    ["flag"],
    registry=REGISTRY,
)
REDACTED = Counter(
    "audit_receiver_redacted",
    "Values taken out of records before recording, by action: drop, hash, mask.",
    ["action"],
    registry=REGISTRY,
)
UNFINISHED = Gauge(
    "audit_receiver_retention_unfinished",
    "1 while a deletion that is authorised is not complete, else 0.",
    registry=REGISTRY,
)
COMMIT_SECONDS = Histogram(
    "audit_receiver_commit_seconds",
    "Time of one ledger transaction, BEGIN to the return of COMMIT.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
GROUP_RECORDS = Histogram(
    "audit_receiver_group_records",
    "Entries written by one ledger transaction.",
    buckets=_RECORDS,
    registry=REGISTRY,
)
QUEUE_RECORDS = Gauge(
    "audit_receiver_queue_records", "Records waiting for the writer.", registry=REGISTRY
)
IN_FLIGHT_BYTES = Gauge(
    "audit_receiver_in_flight_bytes", "Request bytes held in memory.", registry=REGISTRY
)
LEDGER_ENTRIES = Gauge(
    "audit_receiver_ledger_entries", "Entries in the ledger (its tree size).", registry=REGISTRY
)
LEDGER_BYTES = Gauge("audit_receiver_ledger_bytes", "Size of the ledger file.", registry=REGISTRY)
WAL_BYTES = Gauge(
    "audit_receiver_wal_bytes", "Size of the ledger's write-ahead log.", registry=REGISTRY
)
LAST_COMMIT = Gauge(
    "audit_receiver_last_commit_timestamp_seconds",
    "Wall clock of the last commit.",
    registry=REGISTRY,
)
INCIDENTS = Counter(
    "audit_receiver_incidents",
    "Incidents by kind, recorded in the ledger or not.",
    ["incident"],
    registry=REGISTRY,
)
SELF_CHECKS = Counter(
    "audit_receiver_self_checks",
    "Verifications of the own ledger by result: holds, does not hold, could not judge, failed.",
    ["result"],
    registry=REGISTRY,
)
SELF_CHECK_HOLDS = Gauge(
    "audit_receiver_self_check_holds",
    "Whether the ledger held at the last self-check.",
    registry=REGISTRY,
)
SELF_CHECK_TIME = Gauge(
    "audit_receiver_self_check_timestamp_seconds",
    "Wall clock of the last self-check that held.",
    registry=REGISTRY,
)
CHECKPOINTS = Counter(
    "audit_receiver_checkpoints", "Tree heads published as checkpoints.", registry=REGISTRY
)
CHECKPOINT_SIZE = Gauge(
    "audit_receiver_checkpoint_size", "Size of the newest published checkpoint.", registry=REGISTRY
)
ANCHOR_ATTEMPTS = Counter(
    "audit_receiver_anchor_attempts",
    "Attempts to have a checkpoint kept outside, by result: kept, failed, conflict.",
    ["anchor", "result"],
    registry=REGISTRY,
)
ANCHOR_UP = Gauge(
    "audit_receiver_anchor_up",
    "Whether the anchor kept the last checkpoint that it was given.",
    ["anchor"],
    registry=REGISTRY,
)
ANCHOR_SIZE = Gauge(
    "audit_receiver_anchor_size",
    "Size of the newest checkpoint that the anchor keeps.",
    ["anchor"],
    registry=REGISTRY,
)
ANCHOR_LAG = Gauge(
    "audit_receiver_anchor_lag_seconds",
    "How long records have been waiting to be covered by the anchor.",
    ["anchor"],
    registry=REGISTRY,
)
