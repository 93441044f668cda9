"""What a finding is, and the table of rules that give findings."""

from typing import NamedTuple

LOSES, MAY_LOSE, NOTE = "loses", "may lose", "note"


class Finding(NamedTuple):
    """One way to lose audit data: where it stands, what is lost and when, and the mend as YAML."""

    line: int
    key: str
    rule: str
    level: str
    lost: str
    mend: str


class Rule(NamedTuple):
    """A rule's name, the levels its findings may have, and what it finds."""

    name: str
    levels: tuple[str, ...]
    finds: str


RULES = (
    Rule("no-logs-pipeline", (LOSES,), "no logs pipeline leads to the audit exporter"),
    Rule("no-traces-pipeline", (LOSES,), "no traces pipeline leads to the audit exporter"),
    Rule("undefined", (LOSES,), "a pipeline names a component that is not configured"),
    Rule("routed", (MAY_LOSE,), "a connector hands on only a part, or `routing` has no default"),
    Rule("sampler", (LOSES, MAY_LOSE), "`tail_sampling`, `probabilistic_sampler` on the way"),
    Rule("merges-logs", (LOSES,), "`log_dedup` makes one log of several alike"),
    Rule("held-in-memory", (LOSES,), "`batch` or `groupbytrace`: a crash loses what they hold"),
    Rule("memory-limiter-late", (MAY_LOSE,), "`memory_limiter` is not the first processor"),
    Rule("filter-drops", (LOSES, MAY_LOSE), "a `filter` condition that audit records can meet"),
    Rule("old-filter-syntax", (NOTE,), "`spans`, `traces`, `logs` instead of `*_conditions`"),
    Rule("error-drops", (MAY_LOSE,), "`error_mode: propagate`: an error drops the whole request"),
    Rule(
        "removes-audit",
        (LOSES, MAY_LOSE),
        "`attributes`, `transform` or `redaction` delete, cut or overwrite `audit.*`",
    ),
    Rule("empty-attribute", (NOTE,), "an `audit.*` attribute is inserted with no value"),
    Rule("deprecated-name", (NOTE,), "`otlphttp` or `otlp`, renamed in 0.144.0"),
    Rule("path-doubled", (LOSES,), "an endpoint with `/v1/traces` or `/v1/logs` of its own"),
    Rule("wrong-port", (MAY_LOSE,), "HTTP to port 4317, gRPC to port 4318"),
    Rule("compression-refused", (LOSES,), "gRPC with a compression other than gzip"),
    Rule("timeout-too-short", (MAY_LOSE,), "a timeout below the receiver's `deadline`"),
    Rule("retry-off", (LOSES,), "`retry_on_failure.enabled: false`"),
    Rule("retry-gives-up", (LOSES,), "`max_elapsed_time` is not 0 (its default is 5 minutes)"),
    Rule("no-queue", (MAY_LOSE,), "`sending_queue.enabled: false`"),
    Rule("memory-queue", (LOSES,), "`sending_queue` without `storage`"),
    Rule("storage-missing", (LOSES,), "the queue's storage is not in `service.extensions`"),
    Rule("no-fsync", (MAY_LOSE,), "`file_storage` without `fsync: true`"),
    Rule("drops-when-full", (LOSES,), "`sending_queue` without `block_on_overflow: true`"),
    Rule("batch-too-large", (LOSES, MAY_LOSE), "batches without a bound, or above our limits"),
)
LEVELS = {rule.name: rule.levels for rule in RULES}


def finding(rule: str, level: str, at: "tuple[int, str]", lost: str, mend: str) -> Finding:
    """A Finding of a rule that RULES has, at a level that the rule may have."""
    assert level in LEVELS[rule], (rule, level)
    line, key = at
    return Finding(line, key, rule, level, lost, mend)


def snippet(*steps: str) -> str:
    """Keys, each in the one before, as YAML; the last step may have several lines."""
    lines = []
    for depth, step in enumerate(steps):
        end = "" if depth == len(steps) - 1 else ":"
        lines += ["  " * depth + line + end for line in step.splitlines()]
    return "\n".join(lines)
