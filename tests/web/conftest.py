"""The endpoints run on the loop they have in production."""

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as service.run takes it."""
    return {"uvloop": uvloop.new_event_loop}
