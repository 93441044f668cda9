"""Waiting on an event loop for what the writer thread answers."""

import asyncio
from collections.abc import Callable

from audit_receiver.ledger.model import Appended, Done


async def answer_to(submit: Callable[[Done], None]) -> Appended:
    """Submit, and return once it is durable. Raises what `submit` or the writer raises.

    The appender has to deliver to this loop (`intake.deliver_to`).
    """
    future: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()

    def done(result: Appended | Exception) -> None:
        if future.done():  # whoever waited was cancelled
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    submit(done)
    return await future
