"""The load, in a process of its own: `python -m bench.load` with its orders as JSON on stdin.

Sixty-four clients by default, each sends its next request as soon as the last is answered.
Answers within the measured span are counted; those of the warm-up are not.
"""

import asyncio
import json
import resource
import sys
import time
from array import array
from collections import Counter
from typing import Any, NamedTuple

import uvloop

from bench.clients import GrpcClient, HttpClient
from bench.payload import templates

OK = {"http": "200", "grpc": "0"}
RETRY_SECONDS = 0.02


class Orders(NamedTuple):
    """What to send, where, how long; or, with `seconds` 0, how many records."""

    transport: str
    endpoint: str
    records: int
    clients: int = 64
    warmup_seconds: float = 1.0
    seconds: float = 5.0
    total_records: int = 0
    audit: bool = True


class Load:
    """The clients at work, and what they saw."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.latencies = array("d")
        self.codes: Counter[str] = Counter()
        self.acknowledged = 0  # requests, warm-up included
        self.measured = 0
        self._templates = templates(orders.records, orders.audit)
        self._next = 0
        self._sent = 0
        self._ok = OK[orders.transport]
        self._idle: set[object] = set()
        self._done = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Connect, warm up, measure, wait for the last answers; the figures."""
        orders = self.orders
        loop = asyncio.get_running_loop()
        kind = HttpClient if orders.transport == "http" else GrpcClient
        host, port = orders.endpoint.rsplit(":", 1)
        clients = []
        for _ in range(orders.clients):
            _, client = await loop.create_connection(
                lambda: kind(orders.endpoint, self._answered), host, int(port)
            )
            clients.append(client)
        self._begin = time.perf_counter() + orders.warmup_seconds
        self._end = self._begin + orders.seconds if orders.seconds else float("inf")
        cpu_before = _cpu_seconds()
        started = time.perf_counter()
        for client in clients:
            self._send(client)
        await self._done.wait()
        elapsed_all = time.perf_counter() - started
        for client in clients:
            client.close()
        until = min(time.perf_counter(), self._end)
        return self._figures(until - self._begin, elapsed_all, _cpu_seconds() - cpu_before)

    def _send(self, client: Any) -> None:
        orders = self.orders
        enough = orders.total_records and self._sent >= orders.total_records
        if enough or time.perf_counter() >= self._end:
            self._idle.add(client)
            if len(self._idle) == orders.clients:
                self._done.set()
            return
        template = self._templates[self._next % len(self._templates)]
        self._next += 1
        self._sent += orders.records
        body = template.fresh(time.time_ns())
        client.sent_at = time.perf_counter()
        client.send(body)

    def _answered(self, client: Any, code: str) -> None:
        now = time.perf_counter()
        self.codes[code] += 1
        if code == self._ok:
            self.acknowledged += 1
            if self._begin <= now < self._end:
                self.measured += 1
                self.latencies.append(now - client.sent_at)
            self._send(client)
        elif code == "closed":
            self._idle.add(client)
            if len(self._idle) == self.orders.clients:
                self._done.set()
        else:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._send, client)

    def _figures(self, seconds: float, seconds_all: float, cpu_seconds: float) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        return {
            "requests_per_second": self.measured / seconds,
            "records_per_second": self.measured * self.orders.records / seconds,
            "p50_ms": _quantile(ordered, 0.50) * 1e3,
            "p99_ms": _quantile(ordered, 0.99) * 1e3,
            "max_ms": _quantile(ordered, 1.0) * 1e3,
            "acknowledged": self.acknowledged,
            "codes": dict(self.codes),
            "generator_cpu": cpu_seconds / seconds_all,
            "generator_us_per_request": cpu_seconds / max(1, self.acknowledged) * 1e6,
        }


def _quantile(ordered: list[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Orders from stdin, figures to stdout."""
    orders = Orders(**json.load(sys.stdin))

    async def work() -> dict[str, Any]:
        return await Load(orders).run()

    json.dump(uvloop.run(work()), sys.stdout)


if __name__ == "__main__":
    main()
