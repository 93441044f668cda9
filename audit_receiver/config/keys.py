"""Where the ledger's private key lives: the path of a file, or one of env, pkcs11, kms."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from audit_receiver.config.section import Section
from audit_receiver.config.values import FilePath
from audit_receiver.errors import ConfigError
from audit_receiver.ledger.keysource.env import EnvSource
from audit_receiver.ledger.keysource.kms import KmsSource
from audit_receiver.ledger.keysource.model import KeySource
from audit_receiver.ledger.keysource.pkcs11 import Pkcs11Source

FILE, ELSEWHERE = "file", "elsewhere"  # pydantic's marks, which no file has
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$")]
Words = Annotated[str, Field(min_length=1, max_length=1000)]


class Pkcs11(Section):
    """A PKCS#11 token."""

    module: FilePath
    token: Words
    pin_file: FilePath
    label: Words = "audit-receiver"


class Kms(Section):
    """A key management service, by a signer URI of securesystemslib."""

    uri: Words
    public_key: FilePath


class Elsewhere(Section):
    """A key that lies in no file."""

    env: VariableName | None = None
    pkcs11: Pkcs11 | None = None
    kms: Kms | None = None

    @model_validator(mode="after")
    def _one_is_named(self) -> Self:
        if len([one for one in (self.env, self.pkcs11, self.kms) if one is not None]) != 1:
            raise ValueError("name one of env, pkcs11 and kms, or the path of a file instead")
        return self


def _kind(given: Any) -> str:
    return ELSEWHERE if isinstance(given, dict | Elsewhere) else FILE


Key = Annotated[
    Annotated[FilePath, Tag(FILE)] | Annotated[Elsewhere, Tag(ELSEWHERE)], Discriminator(_kind)
]


def file_of(key: Any) -> Path | None:
    """The path, if the key lies in a file that is named."""
    return key if isinstance(key, Path) else None


def source_of(key: Any, environ: Mapping[str, str] = os.environ) -> KeySource | None:
    """Where the key lives, if in no file. Raises ConfigError, LedgerError."""
    if not isinstance(key, Elsewhere):
        return None
    if key.pkcs11 is not None:
        return Pkcs11Source(**dict(key.pkcs11))
    if key.kms is not None:
        return KmsSource(**dict(key.kms))
    variable = str(key.env)
    if not environ.get(variable):
        raise ConfigError(
            f"ledger.key.env: the environment variable {variable} is not set; put the PKCS#8 PEM of"
            " the Ed25519 key into it"
        )
    return EnvSource(variable, environ[variable])
