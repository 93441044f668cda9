"""Producers' signatures: every algorithm, every way to name a key, and what does not hold."""

import base64
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import SubjectKeyIdentifier, load_pem_x509_certificate

from audit_receiver.errors import ConfigError
from audit_receiver.receive.signatures import Producers, load
from tests.checklist.door import Door, fresh_action
from tests.checklist.test_audit_signal import draft, record, send
from tests.e2e.oracle import settle
from tests.kit import build
from tests.kit.authority import Authority
from tests.kit.server import Server, merged

SECRET = b"sixteen bytes or more"
Sign = Callable[[Any, bytes], bytes]


def signed_bytes(log: Any) -> bytes:
    """What a producer signs, by hand: the record without `audit.integrity.*`, in wrappers."""
    told = {
        "attributes": {
            pair.key: {"stringValue": pair.value.string_value}
            for pair in log.attributes
            if not pair.key.startswith("audit.integrity.")
        },
        "event_name": log.event_name,
        "observed_timestamp": str(log.observed_time_unix_nano),
        "timestamp": str(log.time_unix_nano),
    }
    data: bytes = rfc8785.dumps(told)
    return data


def with_value(log: Any, value: str) -> Any:
    """The record with a signature."""
    log.attributes.extend(build.attributes({"audit.integrity.value": value}))
    return log


def request(log: Any, algorithm: str, certificate: str = "") -> Any:
    """The record under a resource that says how it was signed."""
    resource = {"service.name": "s", "audit.integrity.algorithm": algorithm}
    if certificate:
        resource["audit.integrity.certificate"] = certificate
    return build.request(log, signal="logs", resource=resource, scope="")


def judged(producers: Producers, message: Any) -> str | None:
    [observation] = build.observations(message)
    return producers.judge(observation)


def pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


def _jwa(key: Any, data: bytes) -> bytes:
    halves = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return b"".join(half.to_bytes(32) for half in halves)


MAKE: dict[str, tuple[str, Callable[[], Any], Sign]] = {
    "RS256": (
        "RS256",
        lambda: rsa.generate_private_key(65537, 2048),
        lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    ),
    "RS512": (
        "RS512",
        lambda: rsa.generate_private_key(65537, 2048),
        lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.SHA512()),
    ),
    "ES256, ASN.1": (
        "ES256",
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA256())),
    ),
    "ES256, JWA": ("ES256", lambda: ec.generate_private_key(ec.SECP256R1()), _jwa),
    "EdDSA": ("EdDSA", ed25519.Ed25519PrivateKey.generate, lambda key, data: key.sign(data)),
    "HMAC-SHA256": (
        "HMAC-SHA256",
        lambda: None,
        lambda _, data: hmac.digest(SECRET, data, "sha256"),
    ),
    "HMAC-SHA512": (
        "HMAC-SHA512",
        lambda: None,
        lambda _, data: hmac.digest(SECRET, data, "sha512"),
    ),
}


@pytest.mark.parametrize("name", MAKE)
def test_every_algorithm_passes_and_fails(tmp_path: Path, name: str) -> None:
    algorithm, make, sign = MAKE[name]
    key, file = make(), tmp_path / "key"
    file.write_bytes(SECRET + b"\n" if key is None else pem(key))
    producers = Producers([load("key-1", file)])
    named = "" if key is None else "key-1"
    log = record("x")
    value = base64.b64encode(sign(key, signed_bytes(log))).decode()
    assert judged(producers, request(with_value(log, value), algorithm, named)) == "passed"
    changed = record("x")
    assert judged(producers, request(with_value(changed, value), algorithm, named)) == "failed"
    assert judged(producers, request(with_value(record("x"), "!"), algorithm, named)) == "failed"
    wrong = "EdDSA" if algorithm != "EdDSA" else "RS256"
    found = judged(producers, request(log, wrong, named))
    assert found == ("deferred" if key is None else "failed")


def test_a_record_without_a_signature_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(SECRET)
    producers = Producers([load("k", tmp_path / "key")])
    assert judged(producers, request(record("x"), "HMAC-SHA256")) is None


def test_every_way_of_the_draft_to_name_a_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("producer")
    stranger = Authority(tmp_path / "other").issue("producer")
    key: Any = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    certificate = load_pem_x509_certificate(pair.cert.read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    log = record("x")
    value = base64.b64encode(key.sign(signed_bytes(log), ec.ECDSA(hashes.SHA256()))).decode()
    with_value(log, value)
    names = {
        "the-name": "passed",
        f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}": "passed",
        f"sha1:{certificate.fingerprint(hashes.SHA1()).hex()}": "passed",
        SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex(): "passed",
        f"CN=test authority/{certificate.serial_number}": "passed",
        base64.b64encode(der).decode(): "passed",
        "": "passed",
        "another-name": "deferred",
        f"sha256:{'0' * 64}": "deferred",
    }
    producers = Producers([load("the-name", pair.cert)])
    for name, expected in names.items():
        assert judged(producers, request(log, "ES256", name)) == expected, name
    by_authority = Producers([load("ca", authority.cert)])
    whole = base64.b64encode(der).decode()
    assert judged(by_authority, request(log, "ES256", whole)) == "passed"
    other = load_pem_x509_certificate(stranger.cert.read_bytes())
    foreign = base64.b64encode(other.public_bytes(serialization.Encoding.DER)).decode()
    assert judged(by_authority, request(log, "ES256", foreign)) == "deferred"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"short", "under 16 bytes"),
        (b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "cannot be used"),
        (b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "private key"),
    ],
)
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load("k", file)


def test_a_bad_signature_is_flagged_on_v1_logs_and_refused_on_v1_audit(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    keys = {"receivers": {"otlp": {"producer_keys": {"k": str(file)}}}}
    server = Server(tmp_path, merged(draft(), keys)).start()
    door, action = Door(server), fresh_action()
    good, bad = record(action), record(action)
    right = hmac.digest(SECRET, signed_bytes(good), "sha256")
    with_value(good, base64.b64encode(right).decode())
    with_value(bad, base64.b64encode(right).decode())
    for log, code in ((good, 200), (bad, 400)):
        reply = send(door, request(log, "HMAC-SHA256"), "json")
        assert reply.code == code
        assert (b'"verify_status":"passed"' in reply.body) is (code == 200)
    assert [row["flags"] for row in door.stored(action) if "bad_signature" in row["flags"]] == []
    for log in (good, bad):
        body = request(log, "HMAC-SHA256").SerializeToString()
        assert door.post(body, "/v1/logs").status == 200
    flagged = ["bad_signature" in row["flags"] for row in door.stored(action)]
    assert flagged.count(True) == 1
    metrics = server.get("/metrics")[1]
    assert 'audit_receiver_signatures_total{result="failed"} 2.0' in metrics
    settle(server)
