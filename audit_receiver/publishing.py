"""Checkpoints going out: the publisher, the keeper and the anchors of one service."""

import asyncio
from collections.abc import Callable
from typing import Any

from audit_receiver.anchor.keeper import Keeper, Terms
from audit_receiver.anchor.model import AnchorError, Published
from audit_receiver.anchor.publisher import Pace, Publisher
from audit_receiver.anchors import build_all
from audit_receiver.config.model import Config
from audit_receiver.ledger.appender import Appender
from audit_receiver.ledger.outside import Known
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import Note


class Anchors:
    """Every anchor of one service, from the start checks to the checkpoint over `stop`."""

    def __init__(self, config: Config) -> None:
        """Build them. Raises ConfigError."""
        self.terms = [
            Terms(anchor, one.timeout, one.max_lag)
            for anchor, one in zip(build_all(config), config.anchors.values(), strict=True)
        ]
        checkpoints = config.checkpoints
        self._pace = Pace(checkpoints.interval, checkpoints.records, config.ledger.heartbeat)
        self._keeper: Keeper | None = None
        self._publisher: Publisher | None = None

    async def newest(self) -> tuple[list[Known], list[str]]:
        """What the outside knows of the ledger, and why some of it could not be asked."""
        answers = await asyncio.gather(*map(_ask, self.terms))
        known = [one for answer in answers if isinstance(answer, list) for one in answer]
        return known, [answer for answer in answers if isinstance(answer, str)]

    def start(self, appender: Appender, wall: Callable[[], int]) -> None:
        """Publish from now on."""
        self._keeper = Keeper(self.terms, appender)
        self._publisher = Publisher(appender, self._keeper, self._pace, wall)
        self._publisher.start()

    async def stop(self) -> None:
        """Publish nothing more; the appender may be closed now."""
        if self._publisher is not None:
            await self._publisher.stop()

    async def finish(self) -> str:
        """Hand over the last checkpoint and let go; who does not keep it, in words."""
        if self._publisher is None:
            await asyncio.gather(*(one.anchor.close() for one in self.terms))
            return ""
        left = await self._publisher.finish()
        return f"the last checkpoint is not kept by: {', '.join(left)}" if left else ""

    def keeps(self, size: int) -> bool:
        """Whether some anchor keeps a checkpoint of at least this size; asked from any thread."""
        return self._keeper is not None and self._keeper.keeps(size)

    def hurry(self) -> None:
        """Publish soon, whatever the pace; asked from any thread."""
        if self._publisher is not None:
            self._publisher.hurry()

    def states(self) -> list[dict[str, Any]]:
        """How each anchor stands, for readiness."""
        return self._keeper.states() if self._keeper is not None else []


async def _ask(terms: Terms) -> list[Known] | str:
    name = terms.anchor.name
    try:
        async with asyncio.timeout(terms.timeout_seconds):
            return [Known(name, note) for note in await terms.anchor.newest()]
    except AnchorError as error:
        return f"anchor {name} could not be asked what it knows: {error}"
    except TimeoutError:
        return f"anchor {name} did not say within {terms.timeout_seconds:g} s what it knows"


async def ask(config: Config) -> tuple[list[Known], list[str]]:
    """What the anchors of a configuration know, outside of a service."""
    anchors = Anchors(config)
    try:
        return await anchors.newest()
    finally:
        await anchors.finish()


async def hand_out(config: Config, note: str, unix_nano: int) -> dict[str, str]:
    """Give one checkpoint to every anchor once, outside of a service; why some do not keep it."""
    head = Checkpoint.parse(Note.parse(note).text)
    published = Published(head.origin, head.size, head.root, note, unix_nano)
    failed = {}
    for anchor, timeout_seconds, _ in Anchors(config).terms:
        try:
            async with asyncio.timeout(timeout_seconds):
                await anchor.publish(published)
        except AnchorError as error:
            failed[anchor.name] = str(error)
        except TimeoutError:
            failed[anchor.name] = f"no answer within {timeout_seconds:g} s"
        finally:
            await anchor.close()
    return failed
