"""Anchor `timestamp`: one verified token an interval, of a real authority over real HTTP."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit_receiver.anchor.http import Peer
from audit_receiver.anchor.model import AnchorError, NotDue, Token
from audit_receiver.anchor.timestamp import TimestampAnchor
from audit_receiver.errors import ConfigError, LedgerError
from tests.anchor.scene import SECOND, published
from tests.kit.outside import Outside, Reply
from tests.kit.timestamping import TimestampAuthority, openssl_verifies, served, token_time

HOUR = 3600


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("other"))


@pytest.fixture
def outside(authority: TimestampAuthority, other: TimestampAuthority) -> Iterator[Outside]:
    with served(authority, other) as one:
        yield one


def anchor(
    outside: Outside,
    roots: Path,
    *,
    hash_name: str = "sha256",
    clock: Callable[[], int] = time.time_ns,
    newest: Callable[[], tuple[int, bytes] | None] = lambda: None,
) -> TimestampAnchor:
    peer = Peer(outside.url, timeout_seconds=5, most_bytes=1 << 16)
    return TimestampAnchor(
        "timestamp/t", peer, outside.url, roots, HOUR, hash_name, {"X-Key": "k"}, clock, newest
    )


@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
async def test_a_token_comes_back_that_openssl_verifies_too(
    outside: Outside, authority: TimestampAuthority, tmp_path: Path, hash_name: str
) -> None:
    one = anchor(outside, authority.root, hash_name=hash_name)
    given = published(7)
    before = time.time_ns()
    [token] = await one.publish(given)
    after = time.time_ns()
    assert token.kind == "timestamp"
    found = token_time(token.content, given.note, authority.root.read_bytes())
    assert isinstance(found, int)
    # openssl cuts its clock to milliseconds; the accuracy that it states is 1.5001 s
    assert before - 10**6 <= found - 1_500_100_000 <= after
    assert openssl_verifies(tmp_path, token.content, given.note, authority.root)
    assert not openssl_verifies(tmp_path, token.content, published(8).note, authority.root)
    [asked] = outside.asked
    assert asked.headers["x-key"] == "k"
    assert asked.headers["content-type"] == "application/timestamp-query"
    assert await one.newest() == ()
    await one.close()


async def test_one_token_an_interval_and_in_between_it_says_that_none_is_due(
    outside: Outside, authority: TimestampAuthority
) -> None:
    one = anchor(outside, authority.root)
    start = time.time_ns()
    assert await one.publish(published(1, start))
    for size, seconds in ((2, 10), (3, HOUR - 1)):
        with pytest.raises(NotDue, match="history of 1 entries"):
            await one.publish(published(size, start + seconds * SECOND))
    assert len(outside.asked) == 1
    assert await one.publish(published(4, start + HOUR * SECOND))
    # The clock was set back: better a token too many than none for as long as it was set back.
    assert await one.publish(published(5, start - SECOND))
    assert len(outside.asked) == 3
    await one.close()


async def test_one_that_failed_stays_due(outside: Outside, authority: TimestampAuthority) -> None:
    one = anchor(outside, authority.root)
    outside.fault = "refuses"
    for _ in range(2):
        with pytest.raises(AnchorError, match="no time stamp: HTTP 503: 'full'"):
            await one.publish(published(1))
    outside.fault = ""
    assert await one.publish(published(2))
    await one.close()


async def test_a_restart_needs_no_new_token_within_the_interval(
    outside: Outside, authority: TimestampAuthority
) -> None:
    first = anchor(outside, authority.root)
    start = time.time_ns()
    [token] = await first.publish(published(1, start))
    await first.close()
    second = anchor(outside, authority.root, newest=lambda: (1, token.content))
    with pytest.raises(NotDue, match="history of 1 entries"):
        await second.publish(published(2, start + 60 * SECOND))
    assert await second.publish(published(3, start + (HOUR + 1) * SECOND))
    await second.close()


@pytest.mark.parametrize("kept", [b"garbage", LedgerError("gone")], ids=["garbage", "unreadable"])
async def test_a_ledger_whose_last_token_cannot_be_read_gets_a_new_one(
    outside: Outside, authority: TimestampAuthority, kept: bytes | Exception
) -> None:
    def newest() -> tuple[int, bytes]:
        if isinstance(kept, Exception):
            raise kept
        return 1, kept

    one = anchor(outside, authority.root, newest=newest)
    assert await one.publish(published(2))
    await one.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong", "does not chain to the authorities given"),
        ("garbage", "the time stamp does not hold: it is no DER"),
        ("huge", "more than 65536 bytes"),
    ],
)
async def test_a_token_that_does_not_hold_is_not_taken(
    outside: Outside, authority: TimestampAuthority, fault: str, words: str
) -> None:
    one = anchor(outside, authority.root)
    outside.fault = fault
    with pytest.raises(AnchorError, match=words):
        await one.publish(published(1))
    outside.fault = ""
    assert isinstance((await one.publish(published(1)))[0], Token)
    await one.close()


async def test_an_old_answer_given_again_is_not_taken(authority: TimestampAuthority) -> None:
    """The same note, a valid token: but not for this request, so its time may be long ago."""
    given = published(1)
    old = authority.stamp(given.note.encode())
    with Outside(lambda asked: Reply(200, old)) as replaying:
        one = anchor(replaying, authority.root)
        with pytest.raises(AnchorError, match="the nonce differs"):
            await one.publish(given)
        await one.close()


@pytest.mark.parametrize(("apart", "word"), [(-400, "after"), (400, "before")])
async def test_clocks_that_are_apart_are_told(
    outside: Outside, authority: TimestampAuthority, apart: int, word: str
) -> None:
    one = anchor(outside, authority.root, clock=lambda: time.time_ns() + apart * SECOND)
    with pytest.raises(AnchorError, match=rf"(399|400) s {word} ours.*Check this machine's clock"):
        await one.publish(published(1))
    await one.close()


def test_roots_that_cannot_be_read_stop_the_start(outside: Outside, tmp_path: Path) -> None:
    for content in (None, "no certificate"):
        if content is not None:
            (tmp_path / "roots.pem").write_text(content)
        with pytest.raises(ConfigError, match="root certificates"):
            anchor(outside, tmp_path / "roots.pem")
