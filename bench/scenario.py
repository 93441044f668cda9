"""One measurement: a fresh receiver on a fresh ledger, a load, and what is left on disk."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import limit
from bench.load import Orders
from tests.kit.server import ROOT, Server, free_port, run_cli

QUIET_CONFIG = {"telemetry": {"logs": {"level": "warning"}}}
SETTLE_SECONDS = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")


def clients_for(records: int) -> int:
    """64 clients for small requests; fewer for large ones, or all that is measured is the queue."""
    return {1: 64, 10: 64, 100: 32}.get(records, 8)


def run_load(orders: Orders) -> dict[str, Any]:
    """The load in its own process; its figures."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(orders._asdict()),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the load failed:\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@contextmanager
def receiver(folder: Path, config: dict[str, Any] | None = None) -> Iterator[Server]:
    """A running receiver on a new ledger in `folder`, which is removed afterwards."""
    folder.mkdir(parents=True)
    server = Server(folder, QUIET_CONFIG | (config or {}))
    try:
        with server:
            yield server
    finally:
        shutil.rmtree(folder)


def durable(folder: Path, transport: str, records: int, seconds: float) -> dict[str, Any]:
    """Acknowledged audit spans per second, beside the limit for the very same entries."""
    with receiver(folder) as server:
        endpoint = server.http if transport == "http" else server.grpc
        cpu_before, began = _cpu_seconds(server.pid), time.perf_counter()
        figures = run_load(
            Orders(transport, endpoint, records, clients_for(records), seconds=seconds)
        )
        figures["server_cpu"] = (_cpu_seconds(server.pid) - cpu_before) / (
            time.perf_counter() - began
        )
        figures["peak_bytes"] = server.memory_bytes("VmHWM")
        if server.stop() != 0:
            raise RuntimeError(f"the receiver did not stop cleanly:\n{server.stderr}")
        stored = _count(server.ledger, "kind <> 'ledger'")
        if stored != figures["acknowledged"] * records:
            raise RuntimeError(f"{figures['acknowledged']} x {records} acknowledged, {stored} kept")
        figures["bytes_per_record"] = server.ledger.stat().st_size / max(1, stored)
        bound = limit.measure(server.ledger, folder)
        figures["limit"] = bound._asdict()
        figures["ratio"] = figures["records_per_second"] / bound.schema_per_second
        figures["verify"] = verify(server.ledger)
    return figures


def skipped(folder: Path, seconds: float) -> dict[str, Any]:
    """Spans per second that are not audit, 512 a request: read, counted, not kept."""
    with receiver(folder) as server:
        orders = Orders("http", server.http, 512, 8, seconds=seconds, audit=False)
        return run_load(orders)


def verify(ledger: Path) -> dict[str, Any]:
    """Entries per second of `audit-receiver verify`, its start-up included."""
    began = time.perf_counter()
    done = run_cli("verify", ledger, "--format", "json", cwd=ledger.parent, timeout_seconds=3600)
    seconds = time.perf_counter() - began
    report = json.loads(done.stdout)
    if done.returncode != 3 or report["findings"]:
        raise RuntimeError(f"verify: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return {"entries": report["size"], "entries_per_second": report["size"] / seconds}


def memory(folder: Path, sizes: tuple[int, ...] = (100_000, 1_000_000)) -> dict[str, Any]:
    """Resident memory of the receiver once its ledger has each of these sizes."""
    resident: dict[str, int] = {}
    with receiver(folder) as server:
        sent = 0
        for size in sizes:
            orders = Orders("http", server.http, 100, 16, 0, seconds=0, total_records=size - sent)
            run_load(orders)
            sent = size
            time.sleep(SETTLE_SECONDS)
            resident[str(size)] = server.memory_bytes()
        peak = server.memory_bytes("VmHWM")
        server.stop()
        rate = verify(server.ledger)
    growth = resident[str(sizes[-1])] - resident[str(sizes[0])]
    return {"resident": resident, "growth_bytes": growth, "peak_bytes": peak, "verify": rate}


def null(transport: str, records: int, seconds: float) -> dict[str, Any]:
    """The same load on a receiver that does nothing: what the load and the libraries allow."""
    endpoints = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.null", *endpoints],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        endpoint = endpoints[0] if transport == "http" else endpoints[1]
        try:
            return run_load(
                Orders(transport, endpoint, records, clients_for(records), seconds=seconds)
            )
        finally:
            process.terminate()


def _count(ledger: Path, where: str) -> int:
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        return int(connection.execute(f"SELECT count(*) FROM entry WHERE {where}").fetchone()[0])
    finally:
        connection.close()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
