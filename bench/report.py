"""The figures as a table for people and a JSON file for comparison."""

import json
import os
import platform
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import audit_receiver
from bench import anchors

TARGETS = {
    "ratio at 512 records a request": 0.60,
    "http one-record requests/s": 5000,
    "grpc one-record requests/s": 3500,
    "p99 ms of one-record requests": 50,
    "memory growth MB, 100k to 1M entries": 20,
    "verify entries/s": 50_000,
    "with two anchors, of without": anchors.ALLOWED,
}


def machine(folder: Path) -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "file_system": _file_system(folder),
        "fsync_ms": _fsync_ms(folder),
        "version": audit_receiver.__version__,
    }


def _file_system(folder: Path) -> str:
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, name, *_ = line.split()
        if str(folder.resolve()).startswith(mount) and len(mount) >= len(best):
            best, kind = mount, name
    return kind


def _fsync_ms(folder: Path) -> float:
    """Median time to make 8 KiB durable at the end of a file."""
    path = folder / "fsync.probe"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(51):
            file.write(b"\0" * 8192)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return sorted(times)[25] * 1e3


def show(result: dict[str, Any]) -> None:
    """Print everything in `result`, with its ratios and targets."""
    console = Console(width=None if sys.stdout.isatty() else 170)
    m = result["machine"]
    console.print(
        f"audit-receiver {m['version']} on {m['cpu']}, {m['cores']} cores shared with the load,"
        f" {m['system']}, {m['file_system']} (fdatasync {m['fsync_ms']:.2f} ms),"
        f" Python {m['python']}, SQLite {m['sqlite']}, load before {m['load_before']:.1f}"
    )
    if result.get("durable"):
        console.print(_durable_table(result["durable"]))
    if result.get("null"):
        console.print(_null_table(result["null"]))
    if skip := result.get("skipped"):
        console.print(f"spans that are not audit: {skip['records_per_second']:,.0f} a second")
    if memory := result.get("memory"):
        console.print(
            "resident memory: "
            + ", ".join(f"{v / 1e6:.1f} MB at {int(k):,}" for k, v in memory["resident"].items())
            + f" entries (growth {memory['growth_bytes'] / 1e6:+.1f} MB,"
            f" peak {memory['peak_bytes'] / 1e6:.1f} MB);"
            f" verify {memory['verify']['entries_per_second']:,.0f} entries/s"
        )
    if cost := result.get("anchors"):
        told = "; ".join(
            f"{which} two anchors {cost['medians'][which]:,.0f} records/s ("
            + ", ".join(f"{rate:,.0f}" for rate in rates)
            + ")"
            for which, rates in cost["rates"].items()
        )
        console.print(told)
    for name, reached, target, met in verdicts(result):
        console.print(
            f"  {'met    ' if met else 'MISSED '} {name}: {reached:,.2f} (target {target:,})"
        )


def _durable_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="durable records, acknowledged after COMMIT at synchronous=FULL")
    for heading in (
        "door",
        "records/\nrequest",
        "clients",
        "requests/s",
        "records/s",
        "p50\nms",
        "p99\nms",
        "not\nOK",
        "server\nCPU",
        "load\nCPU",
        "peak\nMB",
        "bytes/\nrecord",
        "group",
        "limit\nrecords/s",
        "bare\ntable",
        "ratio",
        "verify\nentries/s",
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        bad = sum(row["codes"].values()) - row["acknowledged"]
        table.add_row(
            row["transport"],
            str(row["records"]),
            str(row["clients"]),
            f"{row['requests_per_second']:,.0f}",
            f"{row['records_per_second']:,.0f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            str(bad),
            f"{row['server_cpu']:.2f}",
            f"{row['generator_cpu']:.2f}",
            f"{row['peak_bytes'] / 1e6:.0f}",
            f"{row['bytes_per_record']:,.0f}",
            str(row["limit"]["group"]),
            f"{row['limit']['schema_per_second']:,.0f}",
            f"{row['limit']['bare_per_second']:,.0f}",
            f"{row['ratio']:.0%}",
            f"{row['verify']['entries_per_second']:,.0f}",
        )
    return table


def _null_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="the same load on the bare server libraries, which do nothing with it")
    for heading in (
        "door",
        "records/request",
        "requests/s",
        "p99 ms",
        "load CPU",
        "load us/request",
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row["transport"],
            str(row["records"]),
            f"{row['requests_per_second']:,.0f}",
            f"{row['p99_ms']:.1f}",
            f"{row['generator_cpu']:.2f}",
            f"{row['generator_us_per_request']:.1f}",
        )
    return table


def verdicts(result: dict[str, Any]) -> list[tuple[str, float, float, bool]]:
    """(name, reached, target, met) for every target that this run measured."""
    reached: dict[str, float] = {}
    rows = result.get("durable", [])
    for row in rows:
        if row["records"] == 1:
            reached[f"{row['transport']} one-record requests/s"] = row["requests_per_second"]
    if any(row["records"] == 1 for row in rows):
        slowest = max(row["p99_ms"] for row in rows if row["records"] == 1)
        reached["p99 ms of one-record requests"] = slowest
    if large := [row["ratio"] for row in rows if row["records"] == 512]:
        reached["ratio at 512 records a request"] = min(large)
    if rows:
        longest = max(rows, key=lambda row: row["verify"]["entries"])
        reached["verify entries/s"] = longest["verify"]["entries_per_second"]
    if memory := result.get("memory"):
        reached["memory growth MB, 100k to 1M entries"] = memory["growth_bytes"] / 1e6
    if cost := result.get("anchors"):
        reached["with two anchors, of without"] = cost["ratio"]
    at_most = ("p99", "memory")
    return [
        (
            name,
            reached[name],
            target,
            reached[name] <= target if name.startswith(at_most) else reached[name] >= target,
        )
        for name, target in TARGETS.items()
        if name in reached
    ]


def keep(result: dict[str, Any], folder: Path) -> Path:
    """Write the figures to `folder`/<time>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path
