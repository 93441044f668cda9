"""Changes of a configuration that loses nothing: each with what lint has to say of it."""

from typing import Any

from audit_receiver.lint.findings import LOSES, MAY_LOSE, NOTE
from tests.kit.server import merged
from tests.lint.collectors import CLEAN, EXPORTER, exporter, processor

OUT = f"exporters.{EXPORTER}"
QUEUE = f"{OUT}.sending_queue"
PIPELINES = "service.pipelines"
IN_TRACES = f"{PIPELINES}.traces/audit.processors"
IN_LOGS = f"{PIPELINES}.logs/audit.processors"
GRPC = {"exporters": {"otlp_grpc/audit": {**CLEAN["exporters"][EXPORTER], "endpoint": "a:4317"}}}
TO_GRPC = {f"{signal}/audit": {"exporters": ["otlp_grpc/audit"]} for signal in ("traces", "logs")}
DELETE = {"actions": [{"key": "audit.actor.id", "action": "delete"}]}
ONLY_SOME = {**DELETE, "include": {"match_type": "strict", "services": ["a"]}}


def grpc(**keys: Any) -> dict[str, Any]:
    """The audit exporter speaks gRPC, with these keys."""
    return merged(
        merged(GRPC, {"service": {"pipelines": TO_GRPC}}), {"exporters": {"otlp_grpc/audit": keys}}
    )


def queue(**keys: Any) -> dict[str, Any]:
    return exporter(sending_queue=keys)


def transform(statement: str) -> dict[str, Any]:
    return processor("transform", {"trace_statements": [statement]}, "traces")


# A change, and the rule, level and key that it has to give, and nothing else.
ONE = {
    "retry off": (exporter(retry_on_failure={"enabled": False}), "retry-off", LOSES, "enabled"),
    "retry ends": (
        exporter(retry_on_failure={"max_elapsed_time": "10m"}),
        "retry-gives-up",
        LOSES,
        f"{OUT}.retry_on_failure.max_elapsed_time",
    ),
    "retry by default": (
        exporter(retry_on_failure=None),
        "retry-gives-up",
        LOSES,
        f"{OUT}.retry_on_failure.max_elapsed_time",
    ),
    "no queue": (queue(enabled=False), "no-queue", MAY_LOSE, f"{QUEUE}.enabled"),
    "queue in memory": (queue(storage=None), "memory-queue", LOSES, QUEUE),
    "full queue": (
        queue(block_on_overflow=False),
        "drops-when-full",
        LOSES,
        f"{QUEUE}.block_on_overflow",
    ),
    "storage not started": (
        {"service": {"extensions": []}},
        "storage-missing",
        LOSES,
        f"{QUEUE}.storage",
    ),
    "storage not defined": (queue(storage="file_storage/x"), "storage-missing", LOSES, "storage"),
    "no fsync": (
        {"extensions": {"file_storage/audit": {"fsync": False}}},
        "no-fsync",
        MAY_LOSE,
        "extensions.file_storage/audit.fsync",
    ),
    "batch too many bytes": (
        queue(batch={"sizer": "bytes", "max_size": 64 * 1024 * 1024 + 1}),
        "batch-too-large",
        LOSES,
        f"{QUEUE}.batch.max_size",
    ),
    "batch too many records": (
        queue(batch={"max_size": 200_001}),
        "batch-too-large",
        LOSES,
        f"{QUEUE}.batch.max_size",
    ),
    "batch without bound": (queue(batch={}), "batch-too-large", MAY_LOSE, "batch.max_size"),
    "short timeout": (exporter(timeout="2500ms"), "timeout-too-short", MAY_LOSE, f"{OUT}.timeout"),
    "traces path": (
        exporter(endpoint="http://a:4318/v1/traces"),
        "path-doubled",
        LOSES,
        f"{OUT}.endpoint",
    ),
    "logs path": (exporter(endpoint="http://a:4318/v1/logs/"), "path-doubled", LOSES, "endpoint"),
    "HTTP to 4317": (exporter(endpoint="http://a:4317"), "wrong-port", MAY_LOSE, "endpoint"),
    "gRPC to 4318": (grpc(endpoint="a:4318"), "wrong-port", MAY_LOSE, "endpoint"),
    "gRPC with zstd": (grpc(compression="zstd"), "compression-refused", LOSES, "compression"),
    "gRPC under a second": (grpc(timeout="1s"), "timeout-too-short", MAY_LOSE, "timeout"),
    "tail sampling": (
        processor("tail_sampling", {"policies": []}, "traces"),
        "sampler",
        LOSES,
        f"{IN_TRACES}.0",
    ),
    "a tenth": (
        processor("probabilistic_sampler", {"sampling_percentage": 10}, "logs"),
        "sampler",
        LOSES,
        f"{IN_LOGS}.0",
    ),
    "no percentage is none": (
        processor("probabilistic_sampler", None, "logs"),
        "sampler",
        LOSES,
        "0",
    ),
    "a share unknown": (
        processor("probabilistic_sampler", {"sampling_percentage": "${env:SHARE}"}, "logs"),
        "sampler",
        MAY_LOSE,
        f"{IN_LOGS}.0",
    ),
    "logs merged": (processor("log_dedup", {}, "logs"), "merges-logs", LOSES, f"{IN_LOGS}.0"),
    "batch processor": (
        processor("batch", {"send_batch_max_size": 1000}, "logs"),
        "held-in-memory",
        LOSES,
        f"{IN_LOGS}.0",
    ),
    "grouped by trace": (processor("groupbytrace", {}, "traces"), "held-in-memory", LOSES, "0"),
    "limiter second": (
        {
            "processors": {"memory_limiter": {}},
            "service": {
                "pipelines": {"logs/audit": {"processors": ["filter/audit", "memory_limiter"]}}
            },
        },
        "memory-limiter-late",
        MAY_LOSE,
        f"{IN_LOGS}.1",
    ),
    "errors drop": (
        {"processors": {"filter/audit": {"error_mode": "propagate"}}},
        "error-drops",
        MAY_LOSE,
        "processors.filter/audit.error_mode",
    ),
    "attribute deleted": (processor("attributes", DELETE), "removes-audit", LOSES, "actions.0"),
    "attribute deleted from some": (
        processor("attributes", ONLY_SOME),
        "removes-audit",
        MAY_LOSE,
        "processors.attributes.actions.0",
    ),
    "attributes deleted by pattern": (
        processor("attributes", {"actions": [{"pattern": "^audit\\.actor", "action": "delete"}]}),
        "removes-audit",
        LOSES,
        "actions.0",
    ),
    "attribute overwritten": (
        processor("attributes", {"actions": [{"key": "audit.x", "action": "upsert", "value": 1}]}),
        "removes-audit",
        MAY_LOSE,
        "actions.0",
    ),
    "attribute empty": (
        processor("attributes", {"actions": [{"key": "audit.x", "action": "insert", "value": ""}]}),
        "empty-attribute",
        NOTE,
        "actions.0",
    ),
    "delete_key": (
        transform('delete_key(span.attributes, "audit.actor.id")'),
        "removes-audit",
        LOSES,
        "processors.transform.trace_statements.0",
    ),
    "delete_key of some": (
        transform('delete_key(span.attributes, "audit.x") where span.name == "a"'),
        "removes-audit",
        MAY_LOSE,
        "trace_statements.0",
    ),
    "keep_keys of others": (
        transform('keep_keys(attributes, ["http.route"])'),
        "removes-audit",
        LOSES,
        "trace_statements.0",
    ),
    "keep_keys of one": (
        transform('keep_keys(attributes, ["http.route", "audit.action"])'),
        "removes-audit",
        MAY_LOSE,
        "trace_statements.0",
    ),
    "keep_matching_keys": (
        transform('keep_matching_keys(span.attributes, "^http")'),
        "removes-audit",
        LOSES,
        "trace_statements.0",
    ),
    "truncate_all": (
        transform("truncate_all(span.attributes, 100)"),
        "removes-audit",
        MAY_LOSE,
        "trace_statements.0",
    ),
    "set": (
        transform('set(span.attributes["audit.actor.id"], "x")'),
        "removes-audit",
        MAY_LOSE,
        "trace_statements.0",
    ),
    "redaction": (
        processor("redaction", {"allowed_keys": ["http.route"]}),
        "removes-audit",
        LOSES,
        "processors.redaction",
    ),
    "redaction of some": (
        processor("redaction", {"allow_all_keys": False, "allowed_keys": ["audit.action"]}),
        "removes-audit",
        MAY_LOSE,
        "processors.redaction.allow_all_keys",
    ),
    "redaction by key": (
        processor("redaction", {"allow_all_keys": True, "blocked_key_patterns": [".*actor.*"]}),
        "removes-audit",
        LOSES,
        "blocked_key_patterns.0",
    ),
    "undefined": (
        {"service": {"pipelines": {"logs/audit": {"processors": ["filter/audit", "resource"]}}}},
        "undefined",
        LOSES,
        f"{IN_LOGS}.1",
    ),
    "no logs": (
        {"service": {"pipelines": {"logs/audit": {"exporters": []}}}},
        "no-logs-pipeline",
        LOSES,
        PIPELINES,
    ),
    "no traces": (
        {"service": {"pipelines": {"traces/audit": {"exporters": ["debug"]}}}},
        "no-traces-pipeline",
        LOSES,
        PIPELINES,
    ),
}
# Changes that lose nothing, each near to one that does.
NOTHING = {
    "as it is": {},
    "no timeout": exporter(timeout="0s"),
    "a long timeout": exporter(timeout="1m30s"),
    "zero without unit": exporter(retry_on_failure={"max_elapsed_time": 0}),
    "zstd over HTTP": exporter(compression="zstd"),
    "a path of its own": exporter(traces_endpoint="http://a:4318/v1/traces"),
    "gRPC with gzip": grpc(compression="gzip"),
    "a bounded batch": queue(batch={"sizer": "bytes", "max_size": 64 * 1024 * 1024}),
    "all are kept": processor("probabilistic_sampler", {"sampling_percentage": 100}),
    "limiter first": processor("memory_limiter", {"check_interval": "1s"}),
    "another key": processor("attributes", {"actions": [{"key": "http.url", "action": "delete"}]}),
    "an attribute added": processor(
        "attributes", {"actions": [{"key": "audit.pipeline", "action": "insert", "value": "a"}]}
    ),
    "delete_key of another": transform('delete_key(span.attributes, "http.url")'),
    "keep_keys of the resource": transform('keep_keys(resource.attributes, ["host.name"])'),
    "keep_keys where the context is the resource": processor(
        "transform",
        {"log_statements": [{"context": "resource", "statements": ["keep_keys(attributes, [])"]}]},
    ),
    "keep_matching_keys of all": transform('keep_matching_keys(attributes, "^(audit|http)\\\\.")'),
    "redaction of values": processor(
        "redaction", {"allow_all_keys": True, "blocked_values": ["4[0-9]{12}"]}
    ),
    "redaction unknown": processor("redaction", {"allow_all_keys": "${env:A}"}),
    "no processors": {"service": {"pipelines": {"logs/audit": {"processors": None}}}},
    "a sampler elsewhere": {
        "processors": {"tail_sampling": {}},
        "exporters": {"otlp_grpc/other": {"endpoint": "b:4317"}},
        "service": {
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["tail_sampling"],
                    "exporters": ["otlp_grpc/other"],
                }
            }
        },
    },
    "from the environment": exporter(
        timeout="${env:T}", sending_queue="${env:Q}", retry_on_failure={"enabled": "${env:R}"}
    ),
}
# Whose mend, laid over the configuration, takes the finding away.
MENDED = (
    "retry off",
    "retry ends",
    "no queue",
    "queue in memory",
    "full queue",
    "storage not started",
    "storage not defined",
    "no fsync",
    "batch too many bytes",
    "batch too many records",
    "batch without bound",
    "short timeout",
    "traces path",
    "logs path",
    "HTTP to 4317",
    "gRPC to 4318",
    "gRPC with zstd",
    "tail sampling",
    "a tenth",
    "logs merged",
    "batch processor",
    "limiter second",
    "errors drop",
    "redaction",
    "no logs",
    "no traces",
)
