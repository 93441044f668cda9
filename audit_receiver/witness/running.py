"""One run of a witness: says who it is, serves until SIGTERM or SIGINT, finishes what it began."""

import asyncio
import logging
import signal
import ssl
import sys
from collections.abc import Callable

from audit_receiver import __version__
from audit_receiver.witness.core import Witness
from audit_receiver.witness.files import WitnessError
from audit_receiver.witness.identity import Opened
from audit_receiver.witness.logs import Logs
from audit_receiver.witness.server import WitnessServer

STOPPED = 0


class Run:
    """A witness from its start to its end."""

    def __init__(
        self,
        opened: Opened,
        logs: Logs,
        announce: Callable[[str], None],
        unix_seconds: Callable[[], int],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._opened = opened
        self._witness = Witness(logs, opened.cosigner, opened.memory, unix_seconds)
        self._announce = announce
        self._server = WitnessServer(self._witness, tls)

    async def serve(self, host: str, port: int, address: str) -> int:
        """Listen, wait for the end; returns the exit code. Raises WitnessError for the port."""
        ended = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, ended.set)
        self._introduce()
        try:
            bound = await self._server.start(host, port)
        except OSError as exc:
            raise WitnessError(
                f"{address} cannot be bound: {exc.strerror or exc}. Stop what uses it or take"
                " another --listen"
            ) from exc
        self._announce(f"listening on {address.removesuffix(f':{port}')}:{bound}")
        self._announce("ready")
        await ended.wait()
        self._announce("stopping: finishing what is in flight")
        await self._server.stop()
        self._announce("stopped")
        return STOPPED

    def _introduce(self) -> None:
        made = " (made now, with an empty memory)" if self._opened.made else ""
        self._announce(f"audit-receiver {__version__} witness {self._witness.verifier.name}{made}")
        self._announce(f"verifier key {self._witness.verifier}")
        for log in self._witness.logs():
            known = "nothing cosigned yet" if log.head is None else f"size {log.head.size}"
            self._announce(f"watching {log.origin}: {known}")


def start_logging() -> None:
    """Warnings and errors, on stderr."""
    logging.basicConfig(
        level="INFO",
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
