"""Checklist Z: codings and sizes (docs/otlp-checklist.md)."""

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import pytest
import snappy
from backports import zstd

from tests.checklist.door import Door, fresh_action, log_request
from tests.e2e.oracle import settle
from tests.kit import build
from tests.kit.server import Server
from tests.kit.wire import JSON, PROTOBUF, status_of

LIMIT = 100_000
MIB = 1 << 20


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A receiver that takes bodies of up to LIMIT bytes."""
    folder: Path = tmp_path_factory.mktemp("narrow")
    http = {"max_request_body_size": LIMIT}
    server = Server(folder, {"receivers": {"otlp": {"protocols": {"http": http}}}}).start()
    yield Door(server)
    settle(server)


def padded(size: int) -> bytes:
    """A valid log export of exactly `size` bytes: text in its body makes up the length."""
    message = log_request(fresh_action(), body="x" * (size - 1000))
    body = message.SerializeToString()
    record = message.resource_logs[0].scope_logs[0].log_records[0]
    record.body.string_value += "x" * (size - len(body))
    body = message.SerializeToString()
    assert len(body) == size
    return body


@pytest.mark.parametrize("pieces", [1, 3], ids=["one-member", "three-members"])
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_z01_gzip_is_read(door: Door, content_type: str, pieces: int) -> None:
    action = fresh_action()
    message = log_request(action)
    body = build.json_bytes(message) if content_type == JSON else message.SerializeToString()
    width = len(body) // pieces + 1
    data = b"".join(gzip.compress(body[n : n + width]) for n in range(0, len(body), width))
    assert door.post(data, "/v1/logs", content_type, Content_Encoding="gzip").status == 200
    assert len(door.stored(action)) == 1


@pytest.mark.parametrize("coding", ["", "identity", "GZIP", "x-gzip"])
def test_z02_names_of_codings_in_any_case(door: Door, coding: str) -> None:
    action = fresh_action()
    body = log_request(action).SerializeToString()
    data = gzip.compress(body) if coding.lower().endswith("gzip") else body
    assert door.post(data, "/v1/logs", Content_Encoding=coding).status == 200
    assert len(door.stored(action)) == 1


PACK: dict[str, Callable[[bytes], bytes]] = {
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": zstd.compress,
    "snappy": snappy.compress,
    "x-snappy-framed": lambda data: snappy.StreamCompressor().compress(data),
    "lz4": lz4.frame.compress,
}


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("coding", PACK)
def test_z03_z04_z05_the_codings_of_the_collector_are_read(
    door: Door, coding: str, content_type: str
) -> None:
    action = fresh_action()
    message = log_request(action)
    body = build.json_bytes(message) if content_type == JSON else message.SerializeToString()
    answer = door.post(PACK[coding](body), "/v1/logs", content_type, Content_Encoding=coding)
    assert answer.status == 200, answer.body
    assert len(door.stored(action)) == 1


def test_z05_framed_data_under_the_name_of_snappy(door: Door) -> None:
    action = fresh_action()
    data = snappy.StreamCompressor().compress(log_request(action).SerializeToString())
    assert door.post(data, "/v1/logs", Content_Encoding="snappy").status == 200
    assert len(door.stored(action)) == 1


@pytest.mark.parametrize("coding", ["foo", "gzip, gzip", "br"])
def test_z06_an_unknown_coding_is_400_naming_it(door: Door, coding: str) -> None:
    answer = door.post(b"", "/v1/logs", Content_Encoding=coding)
    assert answer.status == 400
    code, message = status_of(answer)
    assert code == 3
    assert coding in message


_GZIPPED = gzip.compress(b"\n\0")


@pytest.mark.parametrize(
    "body",
    [
        b"not gzip",
        _GZIPPED[:-3],
        _GZIPPED[:-8] + b"\1\2\3\4" + _GZIPPED[-4:],
        b"",
        zlib.compress(b""),
    ],
    ids=["not-gzip", "truncated", "bad-crc", "empty", "zlib"],
)
def test_z07_what_is_no_gzip_is_400(door: Door, body: bytes) -> None:
    answer = door.post(body, "/v1/logs", Content_Encoding="gzip")
    assert (answer.status, status_of(answer)[0]) == (400, 3)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("coding", ["", "gzip"], ids=["plain", "gzip"])
@pytest.mark.parametrize("over", [0, 1])
def test_z08_the_limit_is_met_exactly_and_not_passed(
    narrow: Door, over: int, coding: str, chunked: bool
) -> None:
    body = padded(LIMIT + over)
    data = gzip.compress(body) if coding else body
    with narrow.wire() as wire:
        if chunked:
            wire.write(
                b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: application/x-protobuf\r\nContent-Encoding: %b\r\n\r\n"
                % coding.encode()
            )
            wire.write(b"%x\r\n" % len(data), data, b"\r\n0\r\n\r\n")
            answer = wire.read()
        else:
            answer = wire.ask(data, "/v1/logs", Content_Encoding=coding)
    assert answer.status == (413 if over else 200)
    if over:
        assert "max_request_body_size" in status_of(answer)[1]


def gzip_bomb(mib: int) -> bytes:
    """So many MiB of zeros, packed without ever standing in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mib)) + packer.flush()


def zstd_bomb(mib: int) -> bytes:
    """The same in zstd."""
    packer = zstd.ZstdCompressor()
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mib)) + packer.flush()


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip_bomb(2048),
    "deflate": lambda: zlib.compress(bytes(100 * MIB)),
    "zlib": lambda: zlib.compress(bytes(100 * MIB)),
    "zstd": lambda: zstd_bomb(2048),
    "snappy": lambda: snappy.compress(bytes(100 * MIB)),
    "x-snappy-framed": lambda: snappy.StreamCompressor().compress(bytes(100 * MIB)),
    "lz4": lambda: lz4.frame.compress(bytes(100 * MIB)),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_z09_a_bomb_is_413_in_bounded_memory_and_time(tmp_path: Path, coding: str) -> None:
    bomb = BOMBS[coding]()
    with Server(tmp_path) as server:
        door = Door(server)
        before = server.memory_bytes("VmHWM")
        began = time.perf_counter()
        answer = door.post(bomb, "/v1/logs", Content_Encoding=coding)
        seconds = time.perf_counter() - began
        assert answer.status == 413
        assert seconds < 2
        # What came out so far stands in memory twice for a moment, never more.
        assert server.memory_bytes("VmHWM") - before < 2 * 64 * MIB + 16 * MIB
        assert door.post(b"").status == 200
        settle(server)


def test_z10_a_declared_length_over_the_limit_is_413_without_the_body(narrow: Door) -> None:
    with narrow.wire() as wire:
        wire.write(
            b"POST /v1/logs HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n"
            b"Content-Type: application/x-protobuf\r\n\r\n" % (LIMIT + 1)
        )
        assert wire.read().status == 413


def test_z11_millions_of_empty_messages_do_not_fill_the_memory(door: Door) -> None:
    body = gzip.compress(b"\n\0" * (8 * MIB))
    before = door.server.memory_bytes("VmHWM")
    codes: list[int] = []

    def send() -> None:
        codes.append(door.post(body, "/v1/logs", Content_Encoding="gzip").status)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == 4
    assert set(codes) <= {200, 413, 503}
    assert door.server.memory_bytes("VmHWM") - before < 256 * MIB
    assert door.post(b"").status == 200
