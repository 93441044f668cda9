"""The composition root: the only place that builds things and owns clock, threads and signals."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import uvloop

from audit_receiver import __version__, telemetry
from audit_receiver.config import keys
from audit_receiver.config.endpoint import Endpoint
from audit_receiver.config.model import Config, Grpc, Http
from audit_receiver.doors import Doors, redact_digest, rule_of
from audit_receiver.errors import ConfigError, IntegrityError, LedgerError
from audit_receiver.keeping import Keeping
from audit_receiver.ledger.appender import Appender, Clock, Commit, LedgerSettings, Observer
from audit_receiver.ledger.async_reader import AsyncReader
from audit_receiver.ledger.outside import Known
from audit_receiver.publishing import Anchors
from audit_receiver.receive.intake import deliver_to
from audit_receiver.receive.reads import ReadsDoor, socket_path
from audit_receiver.retention import orders
from audit_receiver.selfcheck.keeper import SelfCheck
from audit_receiver.web.ops import (
    OpsServer,
    checkpoint_routes,
    health_routes,
    metrics_routes,
)

STOPPED, DOES_NOT_HOLD, CANNOT_START = 0, 1, 2
# The writer takes the interpreter back after every statement of a commit; with Python's own 5 ms it
# would wait for the event loop's thread longer than for the disk.
SWITCH_SECONDS = 0.0005
Announce = Callable[[str], None]

_log = logging.getLogger(__name__)


def run(config: Config, announce: Announce, accept_clock: bool = False, new_key: str = "") -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code of DESIGN §8.

    `announce` is given the lines that tell a person what was started.
    """
    _start_logging(config.telemetry.logs.level, config.telemetry.logs.format)
    os.umask(0o027)
    _spare_the_collector()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        return uvloop.run(_Service(config, announce, accept_clock, new_key).serve())
    except (LedgerError, ConfigError) as error:
        announce(f"audit-receiver: {error}")
        return CANNOT_START
    except IntegrityError as error:
        announce(f"audit-receiver: {error}")
        return DOES_NOT_HOLD


def _spare_the_collector() -> None:
    """Keep Python's cycle collector from walking through what requests hold.

    Records make no cycles, but many containers: with the defaults the collector looks at them over
    and over, which doubles the slowest acknowledgements.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def system_clock() -> Clock:
    """The machine's clocks; the second one goes on while it sleeps, where there is such a one."""
    boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Clock(time.time_ns, lambda: time.clock_gettime_ns(boottime))


def _doors(config: Config) -> tuple[Grpc | None, Http | None]:
    protocols = config.receivers.otlp.protocols
    return protocols.grpc, protocols.http


def ledger_settings(
    config: Config, accept_clock: bool = False, new_key: str = ""
) -> LedgerSettings:
    """What the ledger is told of a configuration."""
    rule, ledger = rule_of(config), config.ledger
    return LedgerSettings(
        path=ledger.path,
        create=ledger.create,
        name=ledger.name,
        key_path=keys.file_of(ledger.key),
        key_source=keys.source_of(ledger.key),
        key_rotation_seconds=ledger.key_rotation,
        new_key=new_key,
        heartbeat_seconds=ledger.heartbeat,
        disk_reserve_bytes=ledger.disk_reserve,
        drain_seconds=ledger.drain,
        queue=config.receivers.otlp.limits.queue,
        accept_clock=accept_clock,
        exact=any(door is not None and door.audit is not None for door in _doors(config)),
        version=__version__,
        select=rule.as_dict(),
        select_digest=rule.digest(),
        retention=config.retention.policy(),
        config=config.public(),
        config_digest=config.digest(),
        redact_digest=redact_digest(config),
    )


class _Observer(Observer):
    """Metrics from the writer thread, and the end of the process if the file's state is unknown."""

    def __init__(self, end: Callable[[int], None]) -> None:
        self._end = end

    def committed(self, commit: Commit) -> None:
        telemetry.COMMIT_SECONDS.observe(commit.seconds)
        if commit.entries:  # a checkpoint alone is no group
            telemetry.GROUP_RECORDS.observe(commit.entries)
        telemetry.LEDGER_ENTRIES.set(commit.size)
        telemetry.LEDGER_BYTES.set(commit.ledger_bytes)
        telemetry.WAL_BYTES.set(commit.wal_bytes)
        telemetry.LAST_COMMIT.set(commit.wall_unix_nano / 1e9)

    def incident(self, kind: str) -> None:
        telemetry.INCIDENTS.labels(kind).inc()

    def broken_sequence(self, flag: str) -> None:
        telemetry.BROKEN_SEQUENCES.labels(flag).inc()

    def trouble(self, reason: str) -> None:
        if reason:
            _log.error("the ledger is out of service, senders are told to retry: %s", reason)
        else:
            _log.warning("the ledger is in service again")

    def fatal(self, error: Exception) -> None:
        self._end(DOES_NOT_HOLD)


class _Service:
    """One run of the receiver."""

    def __init__(
        self, config: Config, announce: Announce, accept_clock: bool, new_key: str = ""
    ) -> None:
        self._config = config
        self._new_key = new_key
        self._announce = announce
        self._accept_clock = accept_clock
        self._code = STOPPED
        self._ended = asyncio.Event()
        self._drained_by = 0.0  # by the loop's clock; 0 while nobody stops

    async def serve(self) -> int:
        """Open the ledger, open the doors, wait for the end, close in the opposite order."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._end, STOPPED)
        self._announce(f"audit-receiver {__version__}")
        end = _threadsafe(loop, self._end)
        async with contextlib.AsyncExitStack() as stack:
            anchors = Anchors(self._config)
            stack.push_async_callback(self._finish, anchors)
            settings = ledger_settings(self._config, self._accept_clock, self._new_key)
            settings = replace(settings, known=await self._known_outside(anchors))
            appender = Appender.open(settings, system_clock(), _Observer(end), deliver_to(loop))
            stack.push_async_callback(self._close, appender)
            self._tell_ledger(appender)
            anchors.start(appender, time.time_ns)
            stack.push_async_callback(anchors.stop)
            asked = self._config.self_check
            check = SelfCheck(
                self._config.ledger.path, asked.interval, asked.full, appender.record, time.time
            )
            check.start()
            stack.push_async_callback(check.stop)
            try:
                await self._open_doors(appender, anchors, check, stack)
            except OSError as error:
                self._announce(f"audit-receiver: {error}. Stop what uses it or change the endpoint")
                return CANNOT_START
            self._announce("ready")
            _tell_supervisor("READY=1")
            await self._ended.wait()
            self._drained_by = loop.time() + self._config.ledger.drain
            _tell_supervisor("STOPPING=1")
            self._announce("stopping: finishing what is in flight")
        return self._code

    async def _known_outside(self, anchors: Anchors) -> list[Known]:
        """What anchors know of the ledger; one that cannot be asked does not stop the start."""
        known, unasked = await anchors.newest()
        for warning in unasked:
            self._announce(f"warning: {warning}")
        return known

    async def _open_doors(
        self,
        appender: Appender,
        anchors: Anchors,
        check: SelfCheck,
        stack: contextlib.AsyncExitStack,
    ) -> None:
        config, listens = self._config, self._config.telemetry
        keeping = Keeping(config, appender, anchors, time.time_ns)
        if warning := keeping.warning():
            self._announce(f"warning: {warning}")
        keeping.start()
        stack.push_async_callback(keeping.stop)
        reads = ReadsDoor(appender, socket_path(config.ledger.path), keeping.order, orders.COMMANDS)
        await reads.start()
        stack.push_async_callback(reads.stop)
        if listens.health is not None:
            routes = {
                **health_routes(lambda: self._readiness(appender), anchors.states, check.state),
                **checkpoint_routes(lambda: appender.published[1] if appender.published else ""),
            }
            await self._ops("health", routes, listens.health.endpoint, stack)
        if listens.metrics is not None:
            telemetry.QUEUE_RECORDS.set_function(lambda: appender.waiting)
            routes = metrics_routes(lambda: None)
            await self._ops("metrics", routes, listens.metrics.endpoint, stack)
        doors = Doors(config, appender, self._announce)
        stack.push_async_callback(doors.stop)
        await doors.open()

    async def _readiness(self, appender: Appender) -> tuple[str, int]:
        """Why records cannot be stored or read now, "" if they can; and how many entries there are.

        The number is read from the file as any reader would, so that readiness means both.
        """
        found = appender.status()
        if self._ended.is_set() or not found.ok:
            return found.reason or "shutting down", 0
        try:
            async with AsyncReader(self._config.ledger.path) as reader:
                return "", await reader.size()
        except LedgerError as error:
            return str(error), 0

    async def _ops(
        self, name: str, routes: Any, endpoint: Endpoint, stack: contextlib.AsyncExitStack
    ) -> None:
        server = OpsServer(routes)
        addresses = await _bound_ops(server, endpoint)
        stack.push_async_callback(server.stop)
        self._announce(f"{name} on {addresses} ({', '.join(routes)})")

    def _tell_ledger(self, appender: Appender) -> None:
        path = self._config.ledger.path
        what = "created" if appender.created else f"opened, {appender.entries} entries"
        self._announce(f"ledger {path} {what}, origin {appender.tip.origin}")
        self._announce(f"verifier key {appender.vkey}")
        for warning in appender.warnings:
            self._announce(f"warning: {warning}")

    async def _close(self, appender: Appender) -> None:
        """The doors have had their part of the drain; the writer has what is left of it."""
        loop = asyncio.get_running_loop()
        left = max(self._drained_by - loop.time(), 0.0)
        remark = await loop.run_in_executor(None, appender.close, left)
        if remark:
            self._announce(f"audit-receiver: {remark}")

    async def _finish(self, anchors: Anchors) -> None:
        """Whoever keeps checkpoints gets the one over `stop`."""
        if left := await anchors.finish():
            self._announce(f"warning: {left}")
        self._announce("stopped")

    def _end(self, code: int) -> None:
        self._code = max(self._code, code)
        self._ended.set()


async def _bound_ops(server: OpsServer, endpoint: Endpoint) -> str:
    """Start one of our own endpoints; its addresses as text."""
    try:
        addresses = await server.start(endpoint.host, endpoint.port)
    except OSError as exc:
        raise OSError(f"{endpoint} cannot be bound: {exc.strerror or exc}") from exc
    ports = sorted({address[1] for address in addresses})
    return ", ".join(str(Endpoint(host=endpoint.host, port=port)) for port in ports)


def _threadsafe(
    loop: asyncio.AbstractEventLoop, call: Callable[[int], None]
) -> Callable[[int], None]:
    def from_thread(code: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the process is about to
            loop.call_soon_threadsafe(call, code)

    return from_thread


def _tell_supervisor(state: str) -> None:
    """sd_notify(3), if a supervisor asked for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address[0] == "@":
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.sendto(state.encode(), address)


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _start_logging(level: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(_JsonLines() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
