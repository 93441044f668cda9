"""GET /v1/audit/keys: how the first key leads to today's, for who checks receipts.

The text is that of `prove --keys`; each part of it is signed, so it needs no trust. `?since=SEQ`
leaves out what the client knows: `key` entries before that one.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from audit_receiver.errors import MalformedRequest
from audit_receiver.otlp.status import Answer

PATH = "/v1/audit/keys"
Keys = Callable[[int], Awaitable[str]]
NOT_GET = Answer(405, "UNIMPLEMENTED", "the keys are read with GET", allow="GET")


async def answer(request: web.BaseRequest, keys: Keys) -> web.Response:
    """The chain from `since` on. Raises MalformedRequest."""
    since = request.query.get("since", "0")
    if not (since.isascii() and since.isdigit() and len(since) <= 18):
        raise MalformedRequest(f"since={since[:40]}: is no entry's number", "since")
    return web.Response(text=await keys(int(since)), headers={"Server": "audit-receiver"})
