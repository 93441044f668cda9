"""A service outside, on a port of its own, that keeps what it is sent and can be made to fail.

    with Outside(keep) as outside:
        outside.fault = "lost"      # it keeps what comes, and nobody hears of it

`keep` is the service itself; the faults lie between it and whoever asks.
"""

import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.kit.authority import Pair
from tests.kit.server import free_port

HUGE_BYTES = 8 << 20
FAULTS = ("refuses", "lost", "slow", "garbage", "huge", "redirect", "gone")
ELSEWHERE = "/elsewhere"
_NOT_HANDED_ON = frozenset(
    {"connection", "content-length", "date", "expect", "server", "transfer-encoding"}
)


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Reply(NamedTuple):
    """What a service answers."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()


class Outside:
    """An HTTP service that is run by its tests; `fault` is one of FAULTS, of `more`, or "".

    Args:
        keep: the service: keeps what it is asked to keep, and answers.
        more: faults of this service only, each a `keep` of its own.
        tls: the certificate that it shows, for https.
    """

    def __init__(
        self,
        keep: Callable[[Asked], Reply],
        more: Mapping[str, Callable[[Asked], Reply]] | None = None,
        tls: Pair | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.asked: list[Asked] = []
        self.redirected: list[Asked] = []
        self._keep, self._more, self._tls = keep, dict(more or {}), tls
        self._fault = ""
        self._released = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> "Outside":
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def fault(self) -> str:
        """What is wrong with it."""
        return self._fault

    @fault.setter
    def fault(self, name: str) -> None:
        assert name in ("", *FAULTS, *self._more), name
        was, self._fault = self._fault, name
        if name == "slow":
            self._released.clear()
        else:
            self._released.set()
        if name == "gone" and was != "gone":
            self._close()
        elif was == "gone" and name != "gone":
            self._open()

    def _open(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls.cert, self._tls.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _close(self) -> None:
        self._released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outside = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # for Expect: 100-continue

            def do_POST(self) -> None:
                self.close_connection = True  # so that `gone` is gone for everybody
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.rfile.read(length))
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    outside._answer(self, asked)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        self.asked.append(asked)
        if asked.path.startswith(ELSEWHERE):
            self.redirected.append(asked)
        match self._fault:
            case "refuses":
                _send(handler, Reply(503, b"full", "text/plain"))
            case "lost":
                self._keep(asked)
            case "slow":
                self._released.wait(60)
            case "garbage":
                page = b"<html><title>Sign in</title></html>"
                _send(handler, Reply(200, page, "text/html"))
            case "huge":
                _send(handler, Reply(200, b"x" * HUGE_BYTES))
            case "redirect":
                _send(handler, Reply(307), location=f"{self.url}{ELSEWHERE}?secret=1")
            case name:
                _send(handler, self._more.get(name, self._keep)(asked))


def _send(handler: BaseHTTPRequestHandler, reply: Reply, location: str = "") -> None:
    handler.send_response(reply.status)
    handler.send_header("Connection", "close")
    handler.send_header("Content-Type", reply.content_type)
    given = {name.lower() for name, _ in reply.headers}
    if "content-length" not in given and reply.status != 204:
        handler.send_header("Content-Length", str(len(reply.body)))
    for name, value in reply.headers:
        handler.send_header(name, value)
    if location:
        handler.send_header("Location", location)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(reply.body)


def forwarding(place: str) -> Callable[[Asked], Reply]:
    """A `keep` that hands everything on to a real service at `host:port`."""

    def keep(asked: Asked) -> Reply:
        connection = http.client.HTTPConnection(place, timeout=30)
        try:
            headers = {k: v for k, v in asked.headers.items() if k not in _NOT_HANDED_ON}
            connection.request(asked.method, asked.path, asked.body, headers)
            answer = connection.getresponse()
            body = answer.read()
            left_out = {*_NOT_HANDED_ON, "content-type"}
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in left_out]
            if asked.method == "HEAD":
                kept.append(("Content-Length", answer.headers.get("Content-Length", "0")))
            kind = answer.headers.get("Content-Type", "application/octet-stream")
            return Reply(answer.status, body, kind, tuple(kept))
        finally:
            connection.close()

    return keep
