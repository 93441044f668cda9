"""Every real sender in one form: send so many records to a front, and come to an end."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.kit import build
from tests.kit.senders import Sender
from tests.kit.server import environment, free_port
from tests.peers import programs

HERE = Path(__file__).parent
PER_REQUEST = 50
END_SECONDS = 90


class Job(NamedTuple):
    """What is to be sent where."""

    http: str
    grpc: str
    count: int
    run: str  # the action of all records, and the beginning of their ids
    folder: Path


Send = Callable[[Job], None]


class Peer(NamedTuple):
    """One sender, and what it is known to lose."""

    send: Send
    patience_seconds: float  # after which it gives up waiting for an answer
    loses: frozenset[str] = frozenset()  # situations in which it may lose records of its own doing


def program(*command: str | Path, folder: Path) -> None:
    """Run a sender to its end, whatever it says of its success."""
    log = folder / "sender.log"
    with log.open("ab") as output:
        subprocess.run(
            [*map(str, command)],
            stdout=output,
            stderr=output,
            env=environment(),
            timeout=END_SECONDS,
            check=False,
        )


def python(form: str) -> Send:
    """The Python SDK."""

    def send(job: Job) -> None:
        endpoint = job.grpc if form == "grpc" else job.http
        script = HERE / "python" / "send.py"
        program(sys.executable, script, form, endpoint, str(job.count), job.run, folder=job.folder)

    return send


def python_json(job: Job) -> None:
    """The Python SDK with its exporter of OTLP/JSON."""
    python_there = programs.environment_of("python_json") / "bin" / "python"
    script = HERE / "python" / "send.py"
    program(python_there, script, "json", job.http, str(job.count), job.run, folder=job.folder)


def node(form: str) -> Send:
    """The Node SDK."""

    def send(job: Job) -> None:
        script = programs.node() / "send.js"
        endpoint = job.grpc if form == "grpc" else job.http
        program("node", script, form, endpoint, str(job.count), job.run, folder=job.folder)

    return send


def go(form: str) -> Send:
    """The Go SDK, which sends spans; their ids are their identity."""

    def send(job: Job) -> None:
        endpoint = job.grpc if form == "grpc" else job.http
        program(programs.go(), form, endpoint, str(job.count), job.run, folder=job.folder)

    return send


def java(form: str) -> Send:
    """The Java SDK."""

    def send(job: Job) -> None:
        endpoint = job.grpc if form == "grpc" else job.http
        program(*programs.java(), form, endpoint, str(job.count), job.run, folder=job.folder)

    return send


@contextmanager
def relay(command: list[str], health: str, job: Job) -> Iterator[None]:
    """A program that takes OTLP and hands it on; stopped at the end."""
    with (job.folder / "relay.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        try:
            _wait_until_it_takes(health, process, job.folder / "relay.log")
            yield
        finally:
            process.terminate()
            process.wait(20)


def through(endpoint: str, job: Job) -> None:
    """Send the records to a relay, in small requests."""
    with Sender(endpoint, endpoint) as sender:
        for start in range(0, job.count, PER_REQUEST):
            logs = [
                build.log_record(
                    "audit.peer",
                    {"audit.action": job.run, "audit.record.id": f"{job.run}-{number}"},
                    body=f"record {number}",
                )
                for number in range(start, min(start + PER_REQUEST, job.count))
            ]
            reply = sender.send(build.request(*logs, signal="logs"), "protobuf")
            assert reply.acknowledged, reply


def collector(exporter: str, encoding: str = "proto", compression: str = "gzip") -> Send:
    """The real Collector with one of its exporters, a queue on disk, and retry without end."""

    def send(job: Job) -> None:
        endpoint = f"127.0.0.1:{free_port()}"
        config = collector_config(job, exporter, encoding, compression, endpoint)
        file = job.folder / "collector.yaml"
        file.write_text(json.dumps(config, indent=1))
        with relay([str(programs.collector()), "--config", str(file)], endpoint, job):
            through(endpoint, job)
            wait_until_settled(job)

    return send


def collector_config(
    job: Job, exporter: str, encoding: str, compression: str, endpoint: str
) -> dict[str, Any]:
    """A Collector between the test and the front."""
    common = {
        "compression": compression,
        "timeout": "2s",
        "retry_on_failure": {
            "initial_interval": "200ms",
            "max_interval": "1s",
            "max_elapsed_time": 0,
        },
        "sending_queue": {"storage": "file_storage/q", "num_consumers": 2},
    }
    own = (
        {"endpoint": f"http://{job.http}", "encoding": encoding}
        if exporter == "otlp_http"
        else {"endpoint": job.grpc, "tls": {"insecure": True}}
    )
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": endpoint}}}},
        "exporters": {exporter: {**own, **common}},
        "extensions": {
            "file_storage/q": {"directory": str(job.folder / "queue"), "create_directory": True}
        },
        "service": {
            "extensions": ["file_storage/q"],
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"logs": {"receivers": ["otlp"], "exporters": [exporter]}},
        },
    }


def rotel(form: str) -> Send:
    """rotel, a Collector in Rust."""

    def send(job: Job) -> None:
        folder = programs.environment_of("rotel")
        [agent] = folder.glob("lib/python*/site-packages/rotel/rotel-agent")
        taking, other = (f"127.0.0.1:{free_port()}" for _ in range(2))
        command = [
            str(agent),
            "start",
            f"--otlp-http-endpoint={taking}",
            f"--otlp-grpc-endpoint={other}",
            "--exporter=otlp",
            f"--otlp-exporter-protocol={form}",
            f"--otlp-exporter-endpoint=http://{job.http if form == 'http' else job.grpc}",
            "--otlp-exporter-retry-initial-backoff=200ms",
            "--otlp-exporter-retry-max-backoff=1s",
            "--otlp-exporter-request-timeout=2s",
        ]
        with relay(command, taking, job):
            through(taking, job)
            wait_until_settled(job)

    return send


def wait_until_settled(job: Job) -> None:
    """Until all records are in the ledger, or nothing has come for ten seconds."""
    from tests.peers.ledgers import stored

    ends, before = time.monotonic() + 12, -1
    while time.monotonic() < ends:
        now = len(stored(job.folder, job.run))
        if now >= job.count:
            return
        if now != before:
            ends, before = time.monotonic() + 12, now
        time.sleep(0.2)


def _wait_until_it_takes(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + 30
    request = urllib.request.Request(
        f"http://{endpoint}/v1/logs", b"{}", {"Content-Type": "application/json"}
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except urllib.error.HTTPError:  # an answer all the same
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None or time.monotonic() > ends:
                raise AssertionError(f"the relay does not take OTLP:\n{log.read_text()}") from None
            time.sleep(0.1)


PEERS: dict[str, Peer] = {
    "Collector, otlp_http, protobuf": Peer(collector("otlp_http"), 2),
    "Collector, otlp_http, JSON": Peer(collector("otlp_http", "json"), 2),
    "Collector, otlp_grpc": Peer(collector("otlp_grpc"), 2),
    "rotel, HTTP": Peer(rotel("http"), 2, frozenset({"killed"})),
    "rotel, gRPC": Peer(rotel("grpc"), 2, frozenset({"killed"})),
    "Python SDK, gRPC": Peer(python("grpc"), 10, frozenset({"killed"})),
    "Python SDK, HTTP protobuf": Peer(python("http"), 10, frozenset({"killed"})),
    "Python SDK, HTTP JSON": Peer(python_json, 10, frozenset({"killed"})),
    "Node SDK, gRPC": Peer(node("grpc"), 10, frozenset({"refused", "killed"})),
    "Node SDK, HTTP protobuf": Peer(node("proto"), 10, frozenset({"killed"})),
    "Node SDK, HTTP JSON": Peer(node("json"), 10, frozenset({"killed"})),
    "Go SDK, gRPC": Peer(go("grpc"), 10),
    "Go SDK, HTTP protobuf": Peer(go("http"), 10, frozenset({"killed"})),
    "Java SDK, gRPC": Peer(java("grpc"), 10, frozenset({"killed"})),
    "Java SDK, HTTP protobuf": Peer(java("http"), 10, frozenset({"killed"})),
}
COMPRESSIONS = ("none", "gzip", "deflate", "zlib", "zstd", "snappy", "x-snappy-framed", "lz4")
