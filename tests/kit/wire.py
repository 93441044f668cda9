"""One TCP connection to the HTTP door, written to and read from by hand."""

import json
import socket
from typing import NamedTuple

from google.rpc.status_pb2 import Status

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Answer(NamedTuple):
    """One HTTP response as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One TCP connection, written to and read from by hand."""

    def __init__(self, endpoint: str) -> None:
        host, port = endpoint.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self._file = self.socket.makefile("rb")

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self.socket.close()

    def write(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(b"".join(parts))

    def rest(self) -> bytes:
        """What comes until the other side closes."""
        return self._file.read()

    def ask(
        self,
        body: bytes = b"",
        path: str = "/v1/traces",
        method: str = "POST",
        content_type: str | None = PROTOBUF,
        **headers: str,
    ) -> Answer:
        """One request with a Content-Length; the response."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}"]
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.write("\r\n".join([*lines, "", ""]).encode(), body)
        return self.read()

    def read(self, head: bool = False) -> Answer:
        """The next response."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        headers = {}
        while (field := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        status = int(line.split()[1])
        length = 0 if head or status == 100 else int(headers["content-length"])
        return Answer(status, headers, self._file.read(length))


def status_of(answer: Answer) -> tuple[int, str]:
    """Code and message of the google.rpc.Status in the body, whichever its encoding."""
    assert len(answer.body) < 65_536
    if answer.headers["content-type"] == JSON:
        found = json.loads(answer.body)
        return found["code"], found["message"]
    assert answer.headers["content-type"] == PROTOBUF
    status = Status.FromString(answer.body)
    return status.code, status.message
