"""Retention in a running service: orders that come by the socket, and what is due by itself."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit_receiver import telemetry
from audit_receiver.config.model import Config
from audit_receiver.errors import AuditReceiverError, LedgerError
from audit_receiver.ledger.appender import Appender
from audit_receiver.ledger.reader import Reader
from audit_receiver.publishing import Anchors
from audit_receiver.retention import state
from audit_receiver.retention.engine import Engine, Unfinished, Who
from audit_receiver.retention.orders import perform
from audit_receiver.retention.policy import Policy

LOOK_SECONDS = 60.0
DAY_SECONDS = 86_400.0
_ITSELF = Who("configuration", "retention.apply: daily")

_log = logging.getLogger(__name__)


class Keeping:
    """Owns the engine of a service's ledger; deleting happens in threads beside the loop."""

    def __init__(
        self, config: Config, appender: Appender, anchors: Anchors, wall: Callable[[], int]
    ) -> None:
        self._wall = wall
        self._path: Path = config.ledger.path
        self._daily = config.retention.apply == "daily"
        self._policy = Policy.parse(config.retention.policy())
        self._applied_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        outside = bool(config.anchors)
        self._engine = Engine(
            appender,
            self._path,
            anchors.keeps if outside else None,
            anchors.hurry if outside else None,
        )

    def warning(self) -> str:
        """What an operator should know about the policy, "" if nothing."""
        try:
            with Reader(self._path) as reader:
                now = state.read(reader)
        except LedgerError as error:
            return f"retention: {error}"
        if self._policy.stated() in ({}, now.policy.stated()):
            return ""
        return (
            f"the configuration's retention is not the ledger's, which was fixed by entry"
            f" {now.policy_seq} and stays in force (keep {now.policy.keep}); change it by"
            " `audit-receiver retention set`, which records why"
        )

    async def order(self, told: dict[str, Any], uid: int, user: str) -> dict[str, Any]:
        """Do what somebody asks through the socket."""
        return await asyncio.to_thread(perform, self._engine, told, uid, user, self._wall())

    def start(self) -> None:
        """Finish what an earlier run left, and look after it from then on."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Begin nothing more; the writer refuses what is still on its way."""
        self._engine.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except Unfinished as error:
                _log.warning("retention: %s", error)
            except AuditReceiverError as error:  # the ledger tells of its trouble itself
                _log.debug("retention: %s", error)
            except Exception:  # ours; the service goes on
                _log.exception("retention could not be looked after")
            telemetry.UNFINISHED.set(bool(self._engine.trouble))
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        finished = await asyncio.to_thread(self._engine.resume)
        if finished:
            _log.warning("retention: %d deletions that were left unfinished are complete", finished)
        now = asyncio.get_running_loop().time()
        if self._daily and now - self._applied_at >= DAY_SECONDS:
            done = await asyncio.to_thread(self._engine.prune, _ITSELF, self._wall())
            self._applied_at = now
            if done["bodies"]:
                _log.warning("retention: %d bodies pruned by policy", done["bodies"])
