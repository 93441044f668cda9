"""The service runs on the loop it has in production."""

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as service.run takes it."""
    return {"uvloop": uvloop.new_event_loop}
