"""What the audit exporter does with records that are not taken at once."""

from collections.abc import Iterator
from typing import NamedTuple

from audit_receiver.lint.findings import LOSES, MAY_LOSE, NOTE, Finding, finding, snippet
from audit_receiver.lint.parts import Part, kind, seconds
from audit_receiver.lint.route import OTLP, Route

NEW_NAMES = {"otlphttp": "otlp_http", "otlp": "otlp_grpc"}
RETRY_SECONDS = 300.0  # the Collector's own default
TIMEOUT_SECONDS = {"http": 30.0, "grpc": 5.0}
GRPC_CODINGS = ("", "none", "gzip")


class Limits(NamedTuple):
    """What the receiver takes: request sizes, and how long it may take to answer."""

    body_bytes: int = 64 * 1024 * 1024
    items: int = 200_000
    deadline_seconds: float = 4.0


def judge(route: Route, limits: Limits) -> Iterator[Finding]:
    """Findings about every audit exporter."""
    for part, name in zip(route.exporters, route.names, strict=True):
        yield from _name(part, name)
        yield from _endpoint(part, name)
        yield from _timeout(part, name, limits)
        yield from _retry(part, name)
        yield from _queue(part, name, route.root)
        yield from _batch(part, name, limits)


def _name(part: Part, name: str) -> Iterator[Finding]:
    new = NEW_NAMES.get(kind(name))
    if new is not None:
        renamed = new + name.removeprefix(kind(name))
        yield finding(
            "deprecated-name",
            NOTE,
            part.at,
            f"nothing yet: {kind(name)} is an alias of {new} since 0.144.0 and will go away",
            snippet("exporters", f"{renamed}:  # and so in service.pipelines"),
        )


def _endpoint(part: Part, name: str) -> Iterator[Finding]:
    transport = OTLP.get(kind(name))
    endpoint = part.get("endpoint")
    bare = endpoint.text.rstrip("/")
    for path in ("/v1/traces", "/v1/logs"):
        if transport == "http" and bare.endswith(path):
            yield finding(
                "path-doubled",
                LOSES,
                endpoint.at,
                f"everything: the exporter adds its path itself, {bare}{path} is answered 404 and"
                " the Collector drops the batch",
                snippet("exporters", name, f"endpoint: {bare.removesuffix(path)}"),
            )
    wrong, right = ("4317", "4318") if transport == "http" else ("4318", "4317")
    if transport and bare.endswith(f":{wrong}"):
        yield finding(
            "wrong-port",
            MAY_LOSE,
            endpoint.at,
            f"everything, if the ports are the usual ones: {wrong} speaks"
            f" {'gRPC' if transport == 'http' else 'HTTP'}, this exporter does not",
            snippet("exporters", name, f"endpoint: {bare.removesuffix(wrong)}{right}"),
        )
    coding = part.get("compression")
    if transport == "grpc" and not coding.unknown and coding.text not in GRPC_CODINGS:
        yield finding(
            "compression-refused",
            LOSES,
            coding.at,
            f"everything: the receiver's gRPC does not know {coding.text}, answers UNIMPLEMENTED,"
            " and the Collector drops the batch",
            snippet("exporters", name, "compression: gzip"),
        )


def _timeout(part: Part, name: str, limits: Limits) -> Iterator[Finding]:
    default = TIMEOUT_SECONDS.get(OTLP.get(kind(name), ""), 5.0)
    timeout = part.get("timeout")
    waits = seconds(timeout, default)
    if waits is not None and 0 < waits < limits.deadline_seconds:
        yield finding(
            "timeout-too-short",
            MAY_LOSE,
            timeout.at,
            f"under load: the exporter gives up after {waits:g} s, the receiver may take"
            f" {limits.deadline_seconds:g} s to answer; whatever was in work is sent again",
            snippet("exporters", name, "timeout: 30s"),
        )


def _retry(part: Part, name: str) -> Iterator[Finding]:
    retry = part.get("retry_on_failure")
    if retry.unknown:
        return
    mend = snippet("exporters", name, "retry_on_failure", "enabled: true\nmax_elapsed_time: 0s")
    enabled, most = retry.get("enabled"), retry.get("max_elapsed_time")
    if enabled.value is False:
        yield finding(
            "retry-off",
            LOSES,
            enabled.at,
            "each batch that the receiver cannot take at that moment (503, restart, full disk)",
            mend,
        )
        return
    gives_up = seconds(most, RETRY_SECONDS)
    if gives_up is not None and gives_up > 0:
        yield finding(
            "retry-gives-up",
            LOSES,
            most.at,
            f"each batch that the receiver could not take for {gives_up:g} s"
            f"{'' if most.there else ', which is the default'}",
            mend,
        )


def _queue(part: Part, name: str, root: Part) -> Iterator[Finding]:
    queue = part.get("sending_queue")
    if queue.unknown:
        return
    enabled, storage, blocks = (queue.get(k) for k in ("enabled", "storage", "block_on_overflow"))
    if enabled.value is False:
        yield finding(
            "no-queue",
            MAY_LOSE,
            enabled.at,
            "what the application gives up on: while the receiver is away every answer waits",
            _whole_queue(name),
        )
        return
    if not storage.unknown and not storage.text:
        yield finding(
            "memory-queue",
            LOSES,
            queue.at,
            "everything in the queue when the Collector stops, crashes or is updated: the queue is"
            " in memory",
            _whole_queue(name),
        )
    elif not storage.unknown:
        yield from _storage(storage, name, root)
    if not blocks.unknown and blocks.value is not True:
        yield finding(
            "drops-when-full",
            LOSES,
            blocks.at,
            "each request that comes while the queue is full, so in a long outage: without"
            " block_on_overflow it is dropped, not pushed back",
            snippet("exporters", name, "sending_queue", "block_on_overflow: true"),
        )


def _storage(storage: Part, name: str, root: Part) -> Iterator[Finding]:
    extension = root.get("extensions", storage.text)
    started = root.get("service", "extensions")
    if not extension.there or not any(it.text == storage.text for it in started.entries()):
        if started.unknown or root.get("extensions").unknown:
            return
        where = "service.extensions" if extension.there else "extensions"
        yield finding(
            "storage-missing",
            LOSES,
            storage.at,
            f"everything: {storage.text} is not in {where}, so the Collector does not start",
            f"{_extension(storage.text)}\n{snippet('service', f'extensions: [{storage.text}]')}",
        )
    elif kind(storage.text) == "file_storage":
        fsync = extension.get("fsync")
        if not fsync.unknown and fsync.value is not True:
            yield finding(
                "no-fsync",
                MAY_LOSE,
                fsync.at,
                "what entered the queue just before a power cut or a crash of the machine",
                snippet("extensions", storage.text, "fsync: true"),
            )


def _batch(part: Part, name: str, limits: Limits) -> Iterator[Finding]:
    queue = part.get("sending_queue")
    batch = queue.get("batch")
    if not batch.there or batch.unknown or queue.get("enabled").value is False:
        return
    most, sizer = batch.get("max_size"), batch.get("sizer")
    if most.unknown or sizer.unknown:
        return
    by_bytes = (sizer.text or queue.get("sizer").text) == "bytes"
    limit, unit = (limits.body_bytes, "bytes") if by_bytes else (limits.items, "records")
    size = most.value if isinstance(most.value, int) else 0
    mend = snippet(
        "exporters", name, "sending_queue", "batch", "sizer: bytes\nmax_size: 20971520  # 20 MiB"
    )
    if size > limit:
        said = f"each batch above {limit} {unit}, which is the receiver's limit: 413 is final"
        yield finding("batch-too-large", LOSES, most.at, said, mend)
    elif size <= 0:
        said = f"a batch that grows above the receiver's {limits.body_bytes} bytes: no max_size"
        yield finding("batch-too-large", MAY_LOSE, most.at, said, mend)


def _extension(storage: str) -> str:
    keys = "directory: /var/lib/otelcol/audit\ncreate_directory: true\nfsync: true"
    return snippet("extensions", storage, keys)


def _whole_queue(name: str) -> str:
    storage = "file_storage/audit"
    keys = f"enabled: true\nstorage: {storage}\nblock_on_overflow: true"
    return "\n".join(
        (
            snippet("exporters", name, "sending_queue", keys),
            _extension(storage),
            snippet("service", f"extensions: [{storage}]"),
        )
    )
