"""A real `audit-receiver serve` process in a folder: start, wait for `ready`, kill, stop, restart.

The ports are chosen below the kernel's range for outgoing connections and stay the same over
restarts, so that a sender finds the restarted server and nobody else takes the port meanwhile.
"""

import copy
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kit.senders import Sender

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-P", "-m", "audit_receiver")
READY_SECONDS = 30.0

_claims: list[socket.socket] = []
_ports = itertools.cycle(random.Random(os.getpid()).sample(range(10_000, 32_000), 20_000))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, outside the ephemeral range.

    It stays ours until this process ends: other test runs see the claim, a socket without a file.
    """
    for port in _ports:
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                claim.bind(f"\0audit-receiver-test-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim)
        return port
    raise AssertionError("no free port")


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` laid over it, at every level."""
    result = dict(copy.deepcopy(dict(base)))
    for key, value in over.items():
        deeper = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if deeper else copy.deepcopy(value)
    return result


def run_cli(
    *arguments: str | Path, cwd: Path, timeout_seconds: float = 60, **options: Any
) -> subprocess.CompletedProcess[str]:
    """One `audit-receiver` command to its end, with what it printed."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
        env=environment(),
        **options,
    )


def environment() -> dict[str, str]:
    """The environment for a child: ours, without what would change the receiver."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AUDIT_", "OTEL_"))}
    return {**kept, "PYTHONUNBUFFERED": "1"}


class Server:
    """One receiver on one ledger; may be started, killed, stopped and started again."""

    def __init__(self, folder: Path, config: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.ledger = folder / "data" / "ledger.db"
        self.grpc, self.http, self.health, self.metrics = (
            f"127.0.0.1:{free_port()}" for _ in range(4)
        )
        protocols = {"grpc": {"endpoint": self.grpc}, "http": {"endpoint": self.http}}
        base = {
            "receivers": {"otlp": {"protocols": protocols}},
            # The default reserve is made for a server's disk, not for a test's folder.
            "ledger": {"path": str(self.ledger), "disk_reserve": "1MiB"},
            "telemetry": {
                "health": {"endpoint": self.health},
                "metrics": {"endpoint": self.metrics},
            },
        }
        self.config = merged(base, config or {})
        self.config_file = folder / "receiver.yaml"
        self.process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._pump: threading.Thread | None = None

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.kill()

    # ---- the process ------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What the process has said since its start."""
        return "".join(self._lines)

    def launch(self, *arguments: str, **options: Any) -> "Server":
        """Start the process without waiting for `ready`."""
        assert not self.running, "already running"
        self.config_file.write_text(json.dumps(self.config, indent=2))  # JSON is YAML
        self._lines = []
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--config", str(self.config_file), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment(),
            **options,
        )
        self._pump = threading.Thread(target=self._read, args=(self.process, self._lines))
        self._pump.daemon = True
        self._pump.start()
        return self

    @staticmethod
    def _read(process: "subprocess.Popen[str]", lines: list[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            lines.extend(iter(process.stderr.readline, ""))

    def start(self, *arguments: str, **options: Any) -> "Server":
        """Start and wait for the line `ready`; fails with what was said if it does not come."""
        return self.launch(*arguments, **options).wait_ready()

    def wait_ready(self) -> "Server":
        """Wait for the line `ready`, and that all endpoints were named before it."""
        deadline = time.monotonic() + READY_SECONDS
        while not re.search(r"^.*\bready\b", self.stderr, re.MULTILINE):
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"serve did not become ready:\n{self.stderr}")
            time.sleep(0.01)
        for endpoint in (self.grpc, self.http, self.health, self.metrics):
            assert endpoint in self.stderr, f"{endpoint} is not named in:\n{self.stderr}"
        return self

    def kill(self) -> None:
        """SIGKILL, as a power cut would for a process."""
        assert self.process is not None
        self.process.kill()
        self._reap()

    def stop(self, timeout_seconds: float = 30) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = 30) -> int:
        """Wait for the end of the process; returns the exit code."""
        assert self.process is not None
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"serve did not end:\n{self.stderr}") from None
        return self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        assert self._pump is not None
        code = self.process.wait()
        self._pump.join(10)
        return code

    # ---- what can be asked of it ------------------------------------------------------------

    def sender(self, timeout_seconds: float = 30) -> Sender:
        """A new sender to both doors."""
        return Sender(self.http, self.grpc, timeout_seconds)

    def get(self, path: str) -> tuple[int, str]:
        """GET of `/healthz`, `/readyz` or `/metrics` at its own address: status and text."""
        endpoint = self.metrics if path == "/metrics" else self.health
        request = urllib.request.Request(f"http://{endpoint}{path}")
        opener = urllib.request.build_opener(_AnyStatus)
        with opener.open(request, timeout=10) as response:
            return response.status, response.read().decode()

    def memory_bytes(self, field: str = "VmRSS") -> int:
        """Resident memory now (`VmRSS`) or at its highest (`VmHWM`)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found.group(1)) * 1024


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Hands back a response of any status instead of raising."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response
