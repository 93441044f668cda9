"""The section `anchors`: which there are, what each needs, and what of it the ledger may know."""

from pathlib import Path

import pytest

from audit_receiver import anchors
from audit_receiver.anchor.witness import WitnessAnchor
from audit_receiver.config.anchors import Witness
from audit_receiver.config.load import parse
from audit_receiver.config.model import Config
from audit_receiver.errors import ConfigError
from audit_receiver.tlog.cosignature import CosignerKey

OTLP = "anchors: {otlp/b: {endpoint: 'https://b.example', headers: {Authorization: 'Bearer abc'}}}"
# printf 'Bearer abc' | openssl dgst -sha3-256
DIGEST = "sha3-256:37c899dee58f013ad7bc59690424de97b1d438ef92285fc2e09fc3f11cbaf715"
VKEY = "audit-witness/721f803510169d76+6fcfa782+BLYXHgT0xGE53301K/qMMKkgc7VPiJQcWAETugFrFa1e"
ONE = f"{{url: 'http://w.example', vkey: {VKEY}}}"


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
        ("witness: {}", "anchors.witness.witnesses: this key is missing"),
        ("witness: {witnesses: []}", "name 1 to 32 witnesses"),
        ("witness: {witnesses: [{url: 'http://x'}]}", "witnesses.0.vkey: this key is missing"),
        ("witness: {witnesses: [{url: 'http://x', vky: a}]}", "did you mean vkey?"),
        (f"witness: {{witnesses: [{{url: x, vkey: {VKEY}}}]}}", "write it as in https://"),
        ("witness: {witnesses: [{url: 'http://x', vkey: a+b}]}", "copy the `verifier key`"),
        (f"witness: {{witnesses: [{ONE}], quorum: 0}}", "anchors.witness.quorum"),
        (f"witness: {{witnesses: [{ONE}], quorum: 2}}", "quorum is 2 of 1 witnesses"),
        (f"witness: {{witnesses: [{ONE}, {ONE}]}}", "two witnesses have one key"),
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


@pytest.mark.parametrize(("count", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_left_out_more_than_half_of_the_witnesses_have_to_cosign(count: int, needed: int) -> None:
    keys = [CosignerKey.of("w", bytes(31) + bytes([i])) for i in range(count)]
    places = ", ".join(f"{{url: 'http://w', vkey: {key}}}" for key in keys)
    section = read(f"anchors: {{witness/a: {{witnesses: [{places}]}}}}").anchors["witness/a"]
    assert isinstance(section, Witness)
    assert section.needed == needed
    assert [place.key for place in section.witnesses] == keys


def test_a_witness_is_built_from_its_section() -> None:
    config = read(f"anchors: {{witness/a: {{witnesses: [{ONE}]}}}}")
    built = anchors.build("witness/a", config.anchors["witness/a"], Path("l.db"))
    assert isinstance(built, WitnessAnchor)


def test_a_lag_that_time_stamps_always_exceed_is_refused() -> None:
    text = "anchors: {timestamp: {url: 'http://x', ca_file: a, interval: 10m, max_lag: LAG}}"
    for lag in ("1s", "10m"):
        found = mistakes(text.replace("LAG", lag))
        assert "anchors.timestamp.max_lag: a time stamp is taken once an interval" in found
    for lag in ("0s", "11m"):
        assert read(text.replace("LAG", lag))
