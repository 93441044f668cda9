"""A `serve` process of the demo's own: started, waited for, stopped."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from audit_receiver.cli.demo.outcome import DemoFailed

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
PROGRAM = (sys.executable, "-m", "audit_receiver")


class Receiver:
    """One receiver in a folder, on free ports of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Path("audit-data", "ledger.db")  # as the commands of the story name it
        self.grpc, self.http, health, metrics = (f"127.0.0.1:{port}" for port in _free_ports(4))
        protocols = {"grpc": {"endpoint": self.grpc}, "http": {"endpoint": self.http}}
        self.config = Path("receiver.yaml")
        tree = {
            "receivers": {"otlp": {"protocols": protocols}},
            "ledger": {"path": str(self.ledger), "disk_reserve": 0},
            "telemetry": {"health": {"endpoint": health}, "metrics": {"endpoint": metrics}},
        }
        (folder / self.config).write_text(json.dumps(tree, indent=1), "utf-8")  # JSON is YAML
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [*PROGRAM, "serve", "--config", str(self.config)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._pump = threading.Thread(target=self._read, daemon=True)
        self._pump.start()

    def wait_ready(self) -> None:
        """Return once it says `ready`. Raises DemoFailed if it does not."""
        deadline = time.monotonic() + READY_SECONDS
        while "ready" not in self.lines:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise DemoFailed("serve did not become ready:\n" + "\n".join(self.lines))
            time.sleep(0.02)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as exc:
            raise DemoFailed("serve did not stop on SIGTERM") from exc
        self._pump.join(STOP_SECONDS)
        return code

    def end(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr:
            self.lines.extend(line.rstrip("\n") for line in self._process.stderr)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; all are held until all are found, so that they differ."""
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
    return ports
