"""`ledger.key`: a path, or one of env, pkcs11 and kms."""

from pathlib import Path

import pytest

from audit_receiver.config import keys
from audit_receiver.errors import ConfigError
from audit_receiver.ledger.keysource.env import EnvSource
from audit_receiver.ledger.keysource.pkcs11 import Pkcs11Source
from tests.config.test_load import mistakes, parse

PKCS11 = "{pkcs11: {module: /m.so, token: t, pin_file: /pin}}"


def key_of(text: str) -> object:
    return parse(f"ledger: {{key: {text}, key_rotation: 0s}}", "c.yaml", {}).ledger.key


def test_a_path_is_a_file() -> None:
    assert keys.file_of(key_of("/run/secrets/k.pem")) == Path("/run/secrets/k.pem")
    assert keys.source_of(key_of("/run/secrets/k.pem")) is None
    assert (keys.file_of(None), keys.source_of(None)) == (None, None)


def test_a_variable_is_read_at_the_start_and_not_shown() -> None:
    config = parse("ledger: {key: {env: AUDIT_KEY}}", "c.yaml", {})
    source = keys.source_of(config.ledger.key, {"AUDIT_KEY": "secret"})
    assert isinstance(source, EnvSource)
    assert keys.file_of(config.ledger.key) is None
    assert "secret" not in str(config.public())
    assert config.public()["ledger"]["key"]["env"] == "AUDIT_KEY"
    with pytest.raises(ConfigError, match="AUDIT_KEY is not set"):
        keys.source_of(config.ledger.key, {})


def test_a_token_is_built_without_being_touched() -> None:
    source = keys.source_of(key_of(PKCS11))
    assert isinstance(source, Pkcs11Source)
    assert source.name == "PKCS#11 token t, label audit-receiver"
    assert source.rotates


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "ledger.key: name one of env, pkcs11 and kms"),
        ("{env: A, kms: {uri: x, public_key: y}}", "ledger.key: name one of env, pkcs11 and kms"),
        ("{env: 'A B'}", "ledger.key.env: "),
        ("{evn: A}", "ledger.key.evn: there is no such key; did you mean env?"),
        ("{pkcs11: {module: m, token: t}}", "ledger.key.pkcs11.pin_file: this key is missing"),
        ("{pkcs11: {modul: m}}", "ledger.key.pkcs11.modul: there is no such key"),
        ("{kms: {uri: x}}", "ledger.key.kms.public_key: this key is missing"),
        ("[a]", "ledger.key: "),
    ],
)
def test_what_is_wrong_is_told_at_its_key(text: str, told: str) -> None:
    said = mistakes(f"ledger: {{key: {text}}}")
    assert told in said
    assert "elsewhere" not in said


@pytest.mark.parametrize("key", ["{env: A}", "{kms: {uri: x, public_key: y}}"])
def test_a_rotation_that_cannot_be_is_a_contradiction(key: str) -> None:
    said = mistakes(f"ledger: {{key: {key}, key_rotation: 1h}}")
    assert "ledger.key_rotation: a key in the environment or a KMS cannot be changed" in said
    assert parse(f"ledger: {{key: {key}, key_rotation: 0s}}", "c.yaml", {})
    assert parse(f"ledger: {{key: {key}}}", "c.yaml", {}), "the default means where it can be"


def test_a_token_and_a_file_can_be_rotated() -> None:
    for key in (PKCS11, "k.pem", "null"):
        assert parse(f"ledger: {{key: {key}, key_rotation: 1h}}", "c.yaml", {})
