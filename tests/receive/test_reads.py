"""`ledger.sock`: a read is told, recorded with who asked, and answered once it is durable."""

import asyncio
import json
import os
import pwd
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.errors import LedgerUnavailable
from audit_receiver.ledger.appender import Appender, LedgerSettings
from audit_receiver.receive import reads
from audit_receiver.receive.intake import deliver_to
from audit_receiver.receive.reads import ReadsDoor, socket_path
from tests.kit.lab import LedgerLab

SEARCH = {"command": "search", "arguments": {"actor": "alice", "limit": 5, "flags": ["late"]}}


class Door:
    """The door and the lab behind it."""

    def __init__(self, lab: LedgerLab, listening: ReadsDoor) -> None:
        self.lab = lab
        self.listening = listening
        self.path = socket_path(lab.path)

    async def ask(self, line: bytes) -> dict[str, Any]:
        """One line there, one line back, then the other side closes."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(line)
        writer.write_eof()
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        assert answer.endswith(b"\n"), answer
        assert answer.count(b"\n") == 1
        told: dict[str, Any] = json.loads(answer)
        return told

    async def tell(self, told: Any) -> dict[str, Any]:
        return await self.ask(json.dumps(told).encode() + b"\n")


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Door]:
    """A ledger and the socket beside it; the oracle in the end."""
    lab = LedgerLab(directory)
    deliver = deliver_to(asyncio.get_running_loop())
    settings = LedgerSettings(**lab._settings)
    lab.appender = Appender.open(settings, lab.clock.clock(), lab.witness, deliver)
    door = Door(lab, ReadsDoor(lab.appender, socket_path(lab.path)))
    try:
        await door.listening.start()
        yield door
    finally:
        await door.listening.stop()
        await asyncio.to_thread(lab.discard)
    lab.check()


async def test_a_read_is_durable_when_it_is_answered(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        answer = await door.tell(SEARCH)
        assert set(answer) == {"seq"}
        [(event,)] = door.lab.rows("SELECT body FROM entry WHERE seq = ?", (answer["seq"],))
        told = json.loads(event)["event"]
        assert told["name"] == "read"
        assert told["command"] == "search"
        assert told["arguments"] == SEARCH["arguments"]


async def test_who_asks_is_what_the_kernel_says_whatever_the_line_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        await door.tell({**SEARCH, "uid": 4711, "user": "mallory", "pid": 1, "name": "genesis"})
        [event] = door.lab.events("read")
        assert (event["pid"], event["uid"], event["gid"]) == (
            os.getpid(),
            os.getuid(),
            os.getgid(),
        )
        assert event["user"] == pwd.getpwuid(os.getuid()).pw_name


async def test_arguments_may_be_left_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        assert "seq" in await door.tell({"command": "query"})
        assert [event["arguments"] for event in door.lab.events("read")] == [{}]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "one line of JSON"),
        (b"\n", "one line of JSON"),
        (b"search\n", "one line of JSON"),
        (b"\xff\xfe\n", "one line of JSON"),
        (b'{"command": "search"\n', "one line of JSON"),
        (b"[" * 60_000 + b"\n", "one line of JSON"),
        (b"[]\n", "query, search, export"),
        (b'"search"\n', "query, search, export"),
        (b"{}\n", "query, search, export"),
        (b'{"command": "genesis"}\n', "query, search, export"),
        (b'{"command": ["search"]}\n', "query, search, export"),
        (b'{"command": "search", "arguments": []}\n', "`arguments` is an object"),
        (b'{"command": "search", "arguments": {"a": {"b": 1}}}\n', "`arguments` is an object"),
        (b'{"command": "search", "arguments": {"a": [[1]]}}\n', "`arguments` is an object"),
        (b'{"command": "search", "arguments": {"a": "%s"}}\n' % (b"x" * 70_000), "limit"),
    ],
    ids=lambda part: part[:45].decode("latin-1") if isinstance(part, bytes) else "",
)
async def test_a_line_that_says_nothing_is_answered_and_not_recorded(
    tmp_path: Path, line: bytes, words: str
) -> None:
    async with opened(tmp_path) as door:
        answer = await door.ask(line)
        assert set(answer) == {"error"}
        assert words in answer["error"]
        assert door.lab.events("read") == []
        assert "seq" in await door.tell(SEARCH), "the door stays open"


async def test_text_that_is_not_unicode_is_recorded_all_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        line = b'{"command":"search","arguments":{"a\\ud800":"\\udfff","n":1e999,"i":%d}}\n'
        assert "seq" in await door.ask(line % 2**70)
        [event] = door.lab.events("read")
        assert event["arguments"]["i"] == str(2**70)


async def test_a_reader_that_says_nothing_is_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "PATIENCE_SECONDS", 0.1)
    async with opened(tmp_path) as door:
        reader, writer = await asyncio.open_unix_connection(str(door.path))
        async with asyncio.timeout(5):
            assert json.loads(await reader.read())["error"] == (
                "the read could not be recorded in time"
            )
        writer.close()


async def test_many_ask_at_once_and_each_has_an_entry_of_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        answers = await asyncio.gather(*(door.tell(SEARCH) for _ in range(20)))
        assert len({answer["seq"] for answer in answers}) == 20


async def test_a_reader_is_told_that_the_ledger_is_out_of_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out(*_: object) -> None:
        raise LedgerUnavailable("the disk is full")

    async with opened(tmp_path) as door:
        monkeypatch.setattr(door.lab.appender, "submit_record", out)
        assert await door.tell(SEARCH) == {"error": "the disk is full"}


async def test_the_socket_is_for_the_ledgers_group(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        mode = door.path.lstat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o660
        assert door.path == door.lab.path.with_name("ledger.sock")


async def test_the_socket_is_gone_after_the_stop(tmp_path: Path) -> None:
    async with opened(tmp_path) as door:
        await door.listening.stop()
        assert not door.path.exists()
        await door.listening.stop()  # once more does no harm


async def test_a_socket_that_a_dead_service_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "lab" / "ledger.sock"))
    dead.close()
    async with opened(tmp_path) as door:
        assert "seq" in await door.tell(SEARCH)


async def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    lab = LedgerLab(tmp_path)
    lab.open()
    path = socket_path(lab.path)
    path.write_text("somebody's")
    with pytest.raises(OSError, match="is not a socket; move it away"):
        await ReadsDoor(lab.appender, path).start()
    assert path.read_text() == "somebody's"
    lab.close()
    lab.check()


async def test_a_path_longer_than_a_socket_address_is_served(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 90) / ("b" * 90)
    deep.mkdir(parents=True)
    async with opened(deep) as door:
        assert len(str(door.path)) > 108
        folder = os.open(door.path.parent, os.O_PATH)
        door.path = Path(f"/proc/self/fd/{folder}/ledger.sock")
        assert "seq" in await door.tell(SEARCH)
        os.close(folder)
