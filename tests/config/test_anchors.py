"""The section `anchors`: which there are, what each needs, and what of it the ledger may know."""

import pytest

from audit_receiver.config.load import parse
from audit_receiver.config.model import Config
from audit_receiver.errors import ConfigError

OTLP = "anchors: {otlp/b: {endpoint: 'https://b.example', headers: {Authorization: 'Bearer abc'}}}"
# printf 'Bearer abc' | openssl dgst -sha3-256
DIGEST = "sha3-256:37c899dee58f013ad7bc59690424de97b1d438ef92285fc2e09fc3f11cbaf715"


def read(text: str) -> Config:
    return parse(text, "c.yaml", {})


def mistakes(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def test_credentials_are_used_as_they_are_and_told_as_digests() -> None:
    config = read(OTLP)
    anchor = config.anchors["otlp/b"]
    assert anchor.headers == {"Authorization": "Bearer abc"}  # type: ignore[union-attr]
    told = config.public()["anchors"]["otlp/b"]
    assert told["headers"] == {"Authorization": DIGEST}
    assert "abc" not in str(told)
    other = read(OTLP.replace("abc", "abd"))
    assert other.digest() != config.digest(), "a changed secret is a changed configuration"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("timestamp: {url: 'http://x'}", "anchors.timestamp.ca_file: this key is missing"),
        ("timestamp: {ca_file: a.pem}", "anchors.timestamp.url: this key is missing"),
        ("timestamp: {url: 'http://x', ca_file: a, hash: md5}", "none of 'sha256' or 'sha512'"),
        ("timestamp: {url: 'http://x', ca_file: a, interval: 0s}", "anchors.timestamp.interval"),
        ("otlp: {endpoint: 'x:4318'}", "write it as in https://"),
        ("otlp: {endpoint: 'http://x', headers: {'a b': c}}", "anchors.otlp.headers"),
        ("webhook: {url: 'https://me:secret@x'}", "give credentials in their own keys"),
        ("webhook: {url: 'https://x', tls: {cafile: x}}", "did you mean ca_file?"),
        ("webhook: {url: 'https://x', headers: {a: \"secret\\n\"}}", "printable ASCII"),
        ("smoke_signal: {}", "smoke_signal is no anchor"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_without_a_secret(section: str, words: str) -> None:
    found = mistakes(f"anchors: {{{section}}}")
    assert words in found
    assert "secret" not in found.replace("secret_file", "")


@pytest.mark.parametrize(
    ("endpoint", "door"),
    [
        ("http://127.0.0.1:4318", "127.0.0.1:4318"),
        ("http://localhost:4318/base", "127.0.0.1:4318"),
        ("http://10.0.0.1:4318", "0.0.0.0:4318"),
        ("http://[::1]", "[::1]:80"),
        ("https://127.0.0.1", "127.0.0.1:443"),
    ],
)
def test_our_own_door_is_no_anchor(endpoint: str, door: str) -> None:
    """It would keep the checkpoint where the attacker is, or answer it with the next one."""
    text = (
        f"receivers: {{otlp: {{protocols: {{http: {{endpoint: '{door}'}}}}, "
        f"allow_insecure_bind: true}}}}\nanchors: {{otlp: {{endpoint: '{endpoint}'}}}}"
    )
    assert "this receiver's own door" in mistakes(text)
    assert read(text.replace("anchors: {otlp: {endpoint: 'http", "anchors: {webhook: {url: 'http"))


def test_another_port_of_this_machine_may_be_a_collector() -> None:
    assert read("anchors: {otlp: {endpoint: 'http://127.0.0.1:5318'}}")
