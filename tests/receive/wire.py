"""One TCP connection to a door, written to and read from by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from google.rpc import status_pb2

from tests.kit import build

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
PATIENCE_SECONDS = 10.0


class Answer(NamedTuple):
    """An HTTP response as it stood on the wire; header names in lower case."""

    version: str
    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """Bytes out, responses in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def read(self, *, body: bool = True) -> Answer:
        """The next response."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            block = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = block.decode("latin-1").split("\r\n")[:-2]
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                assert name.lower() not in headers, f"{name} is there twice"
                headers[name.lower()] = value.strip()
            version, status, _ = first.split(" ", 2)
            length = int(headers.get("content-length", 0)) if body and status != "100" else 0
            return Answer(version, int(status), headers, await self.reader.readexactly(length))

    async def ask(
        self,
        body: bytes | None = b"",
        path: str = "/v1/traces",
        method: str = "POST",
        content_type: str | None = PROTOBUF,
        **headers: str,
    ) -> Answer:
        """One request with Content-Length (none if the body is None); the response."""
        await self.write(head(body, path, method, content_type, **headers), body or b"")
        return await self.read(body=method != "HEAD")

    async def rest(self) -> bytes:
        """What comes until the other side closes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.read()


def head(
    body: bytes | int | None,
    path: str = "/v1/traces",
    method: str = "POST",
    content_type: str | None = PROTOBUF,
    version: str = "1.1",
    **headers: str,
) -> bytes:
    """A request's header block; an integer is a declared length."""
    lines = [f"{method} {path} HTTP/{version}", "Host: test"]
    if body is not None:
        lines.append(f"Content-Length: {body if isinstance(body, int) else len(body)}")
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@asynccontextmanager
async def wire(port: int, host: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """A connection that is closed in the end."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def span() -> bytes:
    """One request with one audit span, another one each time."""
    data: bytes = build.request(build.span()).SerializeToString()
    return data


def assert_status(answer: Answer, status: int, code: int, media: str, *words: str) -> None:
    """A google.rpc.Status in the request's encoding, of bounded length."""
    assert answer.status == status
    assert answer.headers["content-type"] == media
    assert int(answer.headers["content-length"]) == len(answer.body) < 65_536
    if media == JSON:
        found = json.loads(answer.body)
        assert (found["code"], found["message"] != "") == (code, True)
        message = found["message"]
    else:
        told = status_pb2.Status.FromString(answer.body)
        assert told.code == code
        message = told.message
    for word in words:
        assert word in message
