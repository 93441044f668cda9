"""`python -m tests.fuzz.seeds`: the first inputs of the corpus, one of each kind."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import snappy
from backports import zstd
from google.protobuf.message import Message

from tests.fuzz.target import first_byte
from tests.kit import build

CORPUS = Path(__file__).parent / "corpus"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": zstd.compress,
    "snappy": snappy.compress,
    "x-snappy-framed": lambda data: snappy.StreamCompressor().compress(data),
    "lz4": lz4.frame.compress,
}
VALUES = {
    "audit.action": "x",
    "int": 2**60,
    "double": 0.1,
    "tiny": 4e-6,
    "bytes": b"\0\xff",
    "list": [1, None, [True, {"k": "v"}]],
    "map": {"a": {"b": []}, "$c": "d"},
    "": "",
}


def messages() -> dict[str, Message]:
    """One message of each kind, with every field set."""
    link = build.Span.Link(
        trace_id=b"t" * 16, span_id=b"s" * 8, attributes=build.attributes(VALUES)
    )
    fixed = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "start_time_unix_nano": build.START}
    span = build.span(
        "audit.name",
        VALUES,
        events=[("e", VALUES)],
        links=[link],
        status=(2, "no"),
        trace_state="ot=th:8",
        parent_span_id=b"p" * 8,
        end_time_unix_nano=build.START + 1,
        flags=1,
        **fixed,
    )
    log = build.log_record(
        "audit.name",
        VALUES,
        body=VALUES,
        time_unix_nano=build.START,
        observed_time_unix_nano=build.START,
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
    )
    twice = build.log_record("", [("k", 1), ("k", 2)], time_unix_nano=build.START)
    return {
        "span": build.request(span, schema_url="https://example.org/1"),
        "log": build.request(log, signal="logs"),
        "twice": build.request(twice, signal="logs"),
        "empty": build.request(signal="logs"),
    }


def main() -> None:
    """Write the seeds; those that are there already are written again as they were."""
    CORPUS.mkdir(exist_ok=True)
    for name, message in messages().items():
        signal = build.signal_of(message)
        data, text = message.SerializeToString(), build.json_bytes(message)
        (CORPUS / f"{name}-protobuf").write_bytes(first_byte(signal, "protobuf") + data)  # type: ignore[arg-type]
        (CORPUS / f"{name}-json").write_bytes(first_byte(signal, "json") + text)  # type: ignore[arg-type]
        if name == "log":
            for coding, pack in PACK.items():
                head = first_byte("logs", "protobuf", coding)
                (CORPUS / f"{name}-{coding}").write_bytes(head + pack(data))
    deep = b'{"arrayValue":{"values":[' * 60 + b"{}" + b"]}}" * 60
    record = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + deep + b"}]}]}]}"
    (CORPUS / "deep-json").write_bytes(first_byte("logs", "json") + record)


if __name__ == "__main__":
    main()
