"""Anchor `webhook`: JSON, a bearer token, and the signature of Standard Webhooks."""

import base64
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.anchor.http import Peer
from audit_receiver.anchor.model import AnchorError
from audit_receiver.anchor.webhook import WebhookAnchor, signature
from audit_receiver.errors import ConfigError
from tests.anchor.scene import ORIGIN, START, published
from tests.kit.outside import Asked, Outside, Reply

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def outside() -> Iterator[Outside]:
    more = {
        "forbids": lambda asked: Reply(401, b"who are you?"),
        "plain words": lambda asked: Reply(200, b"ok", "text/html; charset=utf-8"),
        "conflict": lambda asked: Reply(409, b"another root at size 3", "text/plain"),
    }
    with Outside(lambda asked: Reply(204), more) as one:
        yield one


def anchor(outside: Outside, **given: Any) -> WebhookAnchor:
    wanted = {"token_file": None, "secret_file": None, "headers": {}, **given}
    peer = Peer(outside.url, timeout_seconds=5)
    return WebhookAnchor(
        name="webhook",
        peer=peer,
        url=outside.url,
        now_unix_nano=lambda: START + 5 * 10**9,
        **wanted,
    )


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that the project's own documentation gives."""
    found = signature(
        base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_a_checkpoint_arrives_as_json_with_everything_that_finds_and_proves_it(
    outside: Outside,
) -> None:
    one = anchor(outside, headers={"X-Team": "audit"})
    given = published(3)
    assert await one.publish(given) == ()
    assert await one.newest() == ()
    await one.close()
    [asked] = outside.asked
    assert json.loads(asked.body) == {
        "note": given.note,
        "origin": ORIGIN,
        "root": given.root.hex(),
        "size": 3,
        "time": "2026-11-24T15:00:00.000000000Z",
    }
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-team"] == "audit"
    assert not {"authorization", "webhook-signature"} & set(asked.headers)


async def test_each_attempt_is_signed_anew_under_one_id(outside: Outside, tmp_path: Path) -> None:
    secret, token = tmp_path / "secret", tmp_path / "token"
    secret.write_text(SECRET + "\n")
    token.write_text("first\n")
    one = anchor(outside, token_file=token, secret_file=secret)
    await one.publish(published(3))
    token.write_text("second\n")
    outside.fault = "refuses"
    with pytest.raises(AnchorError, match="not kept: HTTP 503: 'full'"):
        await one.publish(published(3))
    outside.fault = ""
    await one.publish(published(4))
    await one.close()
    assert [asked.headers["authorization"] for asked in outside.asked] == [
        "Bearer first",
        "Bearer second",
        "Bearer second",
    ]
    ids = [asked.headers["webhook-id"] for asked in outside.asked]
    assert ids[0] == ids[1] != ids[2]
    for asked in outside.asked:
        assert asked.headers["webhook-timestamp"] == str(START // 10**9 + 5)
        assert asked.headers["webhook-signature"] == f"v1,{by_hand(asked)}"


def by_hand(asked: Asked) -> str:
    names = ("webhook-id", "webhook-timestamp")
    signed = ".".join([*(asked.headers[name] for name in names), asked.body.decode()])
    return base64.b64encode(hmac.digest(bytes(range(32)), signed.encode(), "sha256")).decode()


async def test_a_receiver_that_calls_its_words_html_is_still_a_receiver(outside: Outside) -> None:
    outside.fault = "plain words"
    one = anchor(outside)
    assert await one.publish(published(3)) == ()
    await one.close()


@pytest.mark.parametrize(
    ("fault", "words", "conflict"),
    [
        ("forbids", "not kept: HTTP 401: 'who are you\\?'", False),
        ("conflict", "another history: HTTP 409: 'another root at size 3'", True),
        ("redirect", "redirects are not followed", False),
        ("garbage", "a web page answers, such as one to sign in", False),
    ],
)
async def test_what_is_no_success_is_told(
    outside: Outside, fault: str, words: str, conflict: bool
) -> None:
    outside.fault = fault
    one = anchor(outside)
    with pytest.raises(AnchorError, match=words) as caught:
        await one.publish(published(3))
    await one.close()
    assert caught.value.conflict is conflict


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("token_file", None, "the token cannot be read: No such file"),
        ("secret_file", None, "the signing secret cannot be read"),
        ("secret_file", "whsec_c2hvcnQ=", "at least 24 bytes; make one with"),
        ("secret_file", "whsec_!", "at least 24 bytes; make one with"),
        ("secret_file", "", "at least 24 bytes; make one with"),
    ],
)
def test_files_that_could_never_work_stop_the_start(
    outside: Outside, tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=words):
        anchor(outside, **{name: file})


async def test_a_file_that_goes_away_later_is_an_error_and_not_a_crash(
    outside: Outside, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    one = anchor(outside, secret_file=secret)
    secret.write_text("whsec_AAAA")
    with pytest.raises(AnchorError, match="at least 24 bytes"):
        await one.publish(published(1))
    secret.unlink()
    with pytest.raises(AnchorError, match="cannot be read"):
        await one.publish(published(1))
    assert outside.asked == []
