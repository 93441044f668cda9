"""The witness's door: POST /add-checkpoint, GET /, GET /<SHA-256 of the origin>/checkpoint."""

import asyncio
import logging
import ssl
from hashlib import sha256

from aiohttp import web

from audit_receiver import __version__
from audit_receiver.witness.core import Answer, Witness

MOST_BODY_BYTES = 256 * 1024  # 63 hashes and a note with dozens of post-quantum signatures
BODY_SECONDS = 10.0  # for a submission to arrive; it has a few kilobytes
GRACE_SECONDS = 5.0  # for submissions under way at the end
_KEEP_ALIVE_SECONDS = 120.0  # a log comes every ten seconds to a minute

_log = logging.getLogger(__name__)


class WitnessServer:
    """Serves one witness over HTTP."""

    def __init__(self, witness: Witness, tls: ssl.SSLContext | None = None) -> None:
        self._witness = witness
        self._tls = tls
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_post("/add-checkpoint", self._add_checkpoint)
        app.router.add_get("/", self._who)
        app.router.add_get("/{hash:[0-9a-f]{64}}/checkpoint", self._checkpoint)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=GRACE_SECONDS,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
        )

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError if it cannot be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._tls).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop accepting; let submissions under way end."""
        await self._runner.cleanup()

    async def _add_checkpoint(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return _response(Answer(408, "the submission did not arrive in time\n"))
        try:
            answer = await asyncio.to_thread(self._witness.add_checkpoint, body)
        except OSError as exc:
            _log.error("nothing is cosigned: the memory cannot be written: %s", exc)
            answer = Answer(503, "the witness cannot write its memory now; try again later\n")
        return _response(answer)

    async def _checkpoint(self, request: web.Request) -> web.Response:
        wanted = request.match_info["hash"]
        for origin in self._witness.origins():
            if sha256(origin.encode()).hexdigest() == wanted:
                note = self._witness.newest(origin)
                if note is not None:
                    return _response(Answer(200, note))
        return _response(Answer(404, "nothing was cosigned here of a log with this hash\n"))

    async def _who(self, _: web.Request) -> web.Response:
        logs = [
            {
                "origin": log.origin,
                "size": log.head.size if log.head else None,
                "root": log.head.root.hex() if log.head else None,
                "checkpoint": f"/{sha256(log.origin.encode()).hexdigest()}/checkpoint",
            }
            for log in self._witness.logs()
        ]
        return web.json_response(
            {
                "witness": self._witness.verifier.name,
                "vkey": str(self._witness.verifier),
                "version": __version__,
                "logs": logs,
            }
        )


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type}
    if answer.content_type == "text/plain":
        headers["Content-Type"] = "text/plain; charset=utf-8"
    return web.Response(status=answer.status, body=answer.text.encode(), headers=headers)
