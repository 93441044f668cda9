"""What machines ask: /healthz, /readyz, /checkpoint, /metrics; GET only, on own endpoints."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from audit_receiver.telemetry import REGISTRY

GRACE_SECONDS = 0.1  # for an answer under way; aiohttp takes 0 as "no limit"
Readiness = Callable[[], Awaitable[tuple[str, int]]]  # (why not, "" if ready; entries)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class OpsServer:
    """One of our own read-only endpoints."""

    def __init__(self, routes: dict[str, Handler]) -> None:
        app = web.Application()
        app.router.add_routes([web.get(path, handler) for path, handler in routes.items()])
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=GRACE_SECONDS
        )

    async def start(self, host: str, port: int) -> list[tuple[str, int]]:
        """Listen; returns the addresses. Raises OSError if the port cannot be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        return [address[:2] for address in self._runner.addresses]

    async def stop(self) -> None:
        """Close at once: nobody's data is here."""
        await self._runner.cleanup()


def health_routes(
    readiness: Readiness,
    anchors: Callable[[], list[dict[str, Any]]] = list,
    self_check: Callable[[], dict[str, Any]] = dict,
) -> dict[str, Handler]:
    """/healthz: the process lives. /readyz: records can be stored now, or the reason why not.

    How the anchors stand, and what the last self-check said, is told in either case; neither
    decides, because who is not ready gets no records, and senders lose what nobody takes.
    """

    async def healthz(_: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.StreamResponse:
        try:
            reason, entries = await readiness()
        except Exception as error:  # a probe that gets 500 would not learn why
            _log.exception("readiness could not be found out")
            reason, entries = f"readiness could not be found out: {error!r}", 0
        told = {"anchors": anchors(), "self_check": self_check()}
        more = {name: found for name, found in told.items() if found}
        if not reason:
            return web.json_response({"status": "ready", "entries": entries, **more})
        return web.json_response({"status": "not ready", "reason": reason, **more}, status=503)

    return {"/healthz": healthz, "/readyz": readyz}


def checkpoint_routes(newest: Callable[[], str]) -> dict[str, Handler]:
    """/checkpoint: the newest published checkpoint as a signed note (C2SP tlog-checkpoint)."""

    async def checkpoint(_: web.Request) -> web.StreamResponse:
        note = newest()
        if not note:
            return web.Response(text="nothing is published yet\n", status=404)
        return web.Response(text=note, headers={"Cache-Control": "no-cache"})

    return {"/checkpoint": checkpoint}


def metrics_routes(refresh: Callable[[], None]) -> dict[str, Handler]:
    """/metrics in Prometheus' text format; `refresh` brings slow gauges up to date first."""

    async def metrics(_: web.Request) -> web.StreamResponse:
        refresh()
        return web.Response(
            body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return {"/metrics": metrics}
