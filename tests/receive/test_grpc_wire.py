"""The gRPC door, as far as grpcio's options decide (docs/otlp.md 8, G): sizes, pings, the port."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.kit import build
from tests.receive.rig import Rig, rig

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
MEBIBYTE = 1 << 20
UNLIMITED = [("grpc.max_send_message_length", -1)]
# RFC 9113: 3.4 the preface, 4.1 the frame header, 6.5 SETTINGS, 6.7 PING, 6.8 GOAWAY.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, ACK = 4, 6, 7, 1


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame of the connection, stream 0, without flags."""
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + payload


def large(size: int) -> bytes:
    """An export of exactly `size` bytes with one audit record."""
    room = size - len(build.request(build.log_record(body="")).SerializeToString())
    for length in range(room - 64, room + 1):
        body = build.request(build.log_record(body="x" * length)).SerializeToString()
        if len(body) == size:
            return bytes(body)
    raise AssertionError("lengths of lengths jump over this size; choose another one")


async def send(doors: Rig, body: bytes, **options: Any) -> grpc.StatusCode:
    """What a client of its own, compressing if asked, is told about this export."""
    target = f"127.0.0.1:{doors.rpc_port}"
    async with grpc.aio.insecure_channel(target, options=UNLIMITED) as channel:
        call = channel.unary_unary(LOGS)(body, timeout=20, **options)
        code: grpc.StatusCode = await call.code()
        return code


async def test_more_than_grpc_takes_by_default_is_taken_up_to_our_limit(tmp_path: Path) -> None:
    limit = 5 * MEBIBYTE  # grpc takes 4 MiB
    async with rig(tmp_path, max_bytes=limit) as doors:
        assert await send(doors, large(limit)) is grpc.StatusCode.OK
        assert await send(doors, large(limit + 1)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert doors.stored() == 1


@pytest.mark.parametrize(
    "compression",
    [grpc.Compression.NoCompression, grpc.Compression.Gzip],
    ids=["plain", "gzip"],
)
async def test_a_message_over_the_limit_is_refused_before_it_is_ours(
    tmp_path: Path, compression: grpc.Compression
) -> None:
    async with rig(tmp_path, max_bytes=10_000) as doors:
        code = await send(doors, large(10_001), compression=compression)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await send(doors, large(10_000), compression=compression) is grpc.StatusCode.OK
        assert doors.stored() == 1
        lab = doors.lab
    refused = [beat["refused"] for beat in lab.events("heartbeat")]
    assert set(refused) == {0}, "grpc's core refused it, in bounded memory"


async def test_a_client_that_pings_often_without_calls_is_not_sent_away(tmp_path: Path) -> None:
    async with rig(tmp_path) as doors:
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.rpc_port)
        writer.write(PREFACE + frame(SETTINGS))
        for number in range(10):  # grpc's own limit: two within five minutes
            writer.write(frame(PING, number.to_bytes(8, "big")))
            await asyncio.sleep(0.01)
        answered = []
        async with asyncio.timeout(10):
            while len(answered) < 10:
                header = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
                assert header[3] != GOAWAY, payload
                if header[3] == PING and header[4] == ACK:
                    answered.append(int.from_bytes(payload, "big"))
        assert answered == list(range(10))
        writer.close()


async def test_nobody_can_share_the_port_and_take_part_of_the_records(tmp_path: Path) -> None:
    async with rig(tmp_path) as doors:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError, match="in use"):  # socket(7): both have to allow it
                other.bind(("127.0.0.1", doors.rpc_port))
