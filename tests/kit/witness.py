"""A real `audit-receiver witness` process in a folder: start, kill, stop, start again."""

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.kit.server import COMMAND, environment, free_port

READY_SECONDS = 30.0


class WitnessProcess:
    """One witness; `logs` are keys or files. `crash_at` names a step at which it kills itself."""

    def __init__(
        self, folder: Path, *logs: str, name: str = "", options: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.logs = list(logs)
        self.address = f"127.0.0.1:{free_port()}"
        self._name = name
        self._options = list(options)
        self._lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "WitnessProcess":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def vkey(self) -> str:
        return (self.folder / "witness.vkey").read_text().strip()

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def start(self, crash_at: str = "") -> "WitnessProcess":
        """Start and wait for `ready`."""
        self.launch(crash_at)
        deadline = time.monotonic() + READY_SECONDS
        while "ready\n" not in self._lines:
            assert self.process is not None
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.01)
        return self

    def launch(self, crash_at: str = "") -> None:
        """Start without waiting."""
        arguments = ["witness", "--data", str(self.folder), "--listen", self.address]
        for log in self.logs:
            arguments += ["--log", log]
        if self._name:
            arguments += ["--name", self._name]
        command = [*COMMAND, *arguments, *self._options]
        if crash_at:
            command = [sys.executable, "-P", "-c", _CRASHING, crash_at, *arguments]
        self._lines = []
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=environment(), cwd=self.folder.parent
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        with process.stderr:
            self._lines.extend(iter(process.stderr.readline, ""))

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        assert self.process is not None
        return self.process.wait(30)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.ended()

    def add(self, body: bytes) -> tuple[int, str, str]:
        """POST /add-checkpoint: status, content type, text."""
        return self._answer(urllib.request.Request(f"{self.url}/add-checkpoint", body))

    def get(self, path: str) -> tuple[int, str, str]:
        return self._answer(urllib.request.Request(f"{self.url}{path}"))

    def who(self) -> Any:
        return json.loads(self.get("/")[2])

    @staticmethod
    def _answer(request: urllib.request.Request) -> tuple[int, str, str]:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()


# Kills itself before (`write`), between (`rename`) or after (`answer`) what makes a note durable.
_CRASHING = """
import os, signal, sys
from audit_receiver.witness import core, files
step = sys.argv.pop(1)
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
def after(*given):
    real(*given); die()
real = core.Memory.put
if step == "answer": core.Memory.put = after
armed = core.Witness.add_checkpoint
def add(self, body):
    if step == "write": files.os.fsync = die
    if step == "rename": files.os.replace = die
    return armed(self, body)
core.Witness.add_checkpoint = add
from audit_receiver.cli.main import main
main()
"""
