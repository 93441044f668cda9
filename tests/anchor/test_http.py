"""The HTTP that anchors share: bounded, without redirects, and with errors that say what to do."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from audit_receiver.anchor.http import Peer, secret_of, tls_context, without_query
from audit_receiver.anchor.model import AnchorError
from audit_receiver.errors import ConfigError
from tests.kit.authority import Authority
from tests.kit.outside import Asked, Outside, Reply
from tests.kit.server import free_port


@pytest.fixture
def outside() -> Iterator[Outside]:
    def keep(asked: Asked) -> Reply:
        return Reply(201, b"kept " + asked.body, "Text/Plain; charset=utf-8")

    with Outside(keep) as one:
        yield one


@asynccontextmanager
async def peer(
    url: str, ca_file: Path | None = None, seconds: float = 2, most: int = 1 << 20
) -> AsyncIterator[Peer]:
    one = Peer(url, ca_file, seconds, most)
    try:
        yield one
    finally:
        await one.close()


async def test_what_is_posted_arrives_and_the_answer_comes_back(outside: Outside) -> None:
    async with peer(f"{outside.url}/hook/") as one:
        answer = await one.post(b"abc", {"Content-Type": "text/x"}, "/add")
        assert answer == (201, "text/plain", b"kept abc")
        assert answer.is_success
        assert answer.said() == "HTTP 201: 'kept abc'"
        await one.get()
    posted, got = outside.asked
    assert (posted.method, posted.path, posted.body) == ("POST", "/hook/add", b"abc")
    assert posted.headers["content-type"] == "text/x"
    assert posted.headers["accept-encoding"] == "identity"
    assert (got.method, got.path) == ("GET", "/hook/")


async def test_an_error_status_is_an_answer_for_the_anchor_to_judge(outside: Outside) -> None:
    outside.fault = "refuses"
    async with peer(outside.url) as one:
        answer = await one.post(b"")
    assert (answer.is_success, answer.said()) == (False, "HTTP 503: 'full'")


WORDS = {
    "lost": "may have been kept",
    "slow": "no answer within 0.3 s",
    "huge": "HTTP 200 with more than 65536 bytes",
    "redirect": "redirects are not followed",
    "gone": "cannot be reached: Connection refused",
}


@pytest.mark.parametrize("fault", WORDS)
async def test_what_is_no_answer_is_told_in_words(outside: Outside, fault: str) -> None:
    outside.fault = fault
    async with peer(f"{outside.url}/?token=secret", seconds=0.3, most=1 << 16) as one:
        with pytest.raises(AnchorError) as caught:
            await one.post(b"abc")
        assert WORDS[fault] in str(caught.value)
        assert "secret" not in str(caught.value), "neither ours nor the redirect's"
        assert not caught.value.conflict
        outside.fault = ""
        assert (await one.post(b"again")).body == b"kept again"
    assert outside.redirected == []


async def test_what_does_not_speak_http_is_told() -> None:
    listening = socket.create_server(("127.0.0.1", port := free_port()))

    def answer() -> None:
        connection, _ = listening.accept()
        connection.recv(1000)
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.close()

    threading.Thread(target=answer, daemon=True).start()
    async with peer(f"http://127.0.0.1:{port}") as one:
        with pytest.raises(AnchorError, match="does not speak HTTP"):
            await one.post(b"abc")
    listening.close()


async def test_a_name_that_does_not_exist_is_told() -> None:
    async with peer("http://nowhere.invalid") as one:
        with pytest.raises(AnchorError, match="host name cannot be resolved"):
            await one.get()


async def test_a_certificate_counts_only_under_the_authority_that_was_given(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with Outside(lambda asked: Reply(), tls=theirs.issue("server")) as outside:
        async with peer(outside.url, theirs.cert) as one:
            assert (await one.get()).status == 200
        for ca_file in (ours.cert, None):
            async with peer(outside.url, ca_file) as one:
                with pytest.raises(AnchorError, match="certificate is not accepted"):
                    await one.get()


async def test_authorities_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=name):
            tls_context(tmp_path / name)


async def test_a_secret_is_one_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  abc \n")
    assert await secret_of(file, "the token") == "abc"
    for content in (b"", b"\n", b"a\nb\n", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(AnchorError, match="the token"):
            await secret_of(file, "the token")
    with pytest.raises(AnchorError, match="No such file"):
        await secret_of(tmp_path / "missing", "the token")


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert without_query("https://a:b@host:1/x?y=z#f") == "https://host:1/x"
    assert without_query("/x?y=z") == "/x"
