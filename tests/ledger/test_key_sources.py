"""Keys that lie in no file: the environment, a KMS, and whatever answers late, wrong or not."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from audit_receiver.errors import LedgerError, LedgerUnavailable
from audit_receiver.ledger.keysource.env import EnvSource
from audit_receiver.ledger.keysource.kms import KmsSource
from audit_receiver.ledger.keysource.remote import RemoteSigner
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_rotation import raw

DAY = 86_400.0


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_file(folder: Path, key: Any) -> Path:
    path = folder / "public.pem"
    encoded = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(encoded)
    return path


# ---- the environment -----------------------------------------------------------------------------


@pytest.mark.parametrize("one_line", [False, True], ids=["lines", "one line"])
def test_a_key_from_the_environment_signs_and_nothing_of_it_is_kept(
    lab: LedgerLab, one_line: bool
) -> None:
    key = Ed25519PrivateKey.generate()
    text = pem(key).replace("\n", "\\n") if one_line else pem(key)
    lab.open(key_source=EnvSource("AUDIT_KEY", text))
    lab.append(draft("a"))
    assert raw(lab.path.with_suffix(".vkey").read_text().strip()) == (
        key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    )
    assert not lab.path.with_suffix(".key").exists()
    lab.close()
    lab.open(key_source=EnvSource("AUDIT_KEY", text))
    lab.append(draft("b"))
    lab.check()


def test_another_key_in_the_environment_stops_the_start(lab: LedgerLab) -> None:
    lab.open(key_source=EnvSource("AUDIT_KEY", pem(Ed25519PrivateKey.generate())))
    lab.close()
    other = EnvSource("AUDIT_KEY", pem(Ed25519PrivateKey.generate()))
    with pytest.raises(LedgerError, match="environment variable AUDIT_KEY: is the key"):
        lab.open(key_source=other)


@pytest.mark.parametrize("text", ["", "x", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_what_is_no_key_in_the_environment_is_said(lab: LedgerLab, text: str) -> None:
    with pytest.raises(LedgerError, match="AUDIT_KEY: not an Ed25519 private key"):
        lab.open(key_source=EnvSource("AUDIT_KEY", text))


def test_a_key_that_cannot_be_changed_stays(lab: LedgerLab) -> None:
    source = EnvSource("AUDIT_KEY", pem(Ed25519PrivateKey.generate()))
    lab.open(key_source=source, key_rotation_seconds=DAY)
    lab.clock.pass_seconds(3 * DAY)
    lab.settle()
    assert lab.events("key") == []
    lab.close()
    lab.open(new_key="asked")
    lab.settle()
    (incident,) = lab.events("incident")
    assert incident["incident"] == "key_not_rotated"
    assert "only keys in a file or a PKCS#11 token can" in incident["reason"]
    lab.check()


# ---- a KMS ---------------------------------------------------------------------------------------


def test_a_signer_uri_of_securesystemslib_signs(lab: LedgerLab, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "kms.pem").write_text(pem(key))
    source = KmsSource(f"file2:{tmp_path / 'kms.pem'}", public_file(tmp_path, key))
    lab.open(key_source=source)
    lab.append(draft("a"))
    lab.close()
    lab.open()
    lab.append(draft("b"))
    lab.check()


def test_a_public_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = public_file(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(LedgerError, match="is no Ed25519 key; a ledger's heads are signed with"):
        KmsSource("awskms:alias/audit", path)
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(LedgerError, match="is no public key in PEM"):
        KmsSource("hv:audit/1", tmp_path / "none.pem")
    with pytest.raises(LedgerError, match="cannot be read"):
        KmsSource("hv:audit/1", tmp_path / "missing.pem")


@pytest.mark.parametrize("uri", ["nosuch:x", "file2:/no/such/file", "hv:audit/1", "awskms:x"])
def test_a_uri_that_cannot_be_opened_is_said(lab: LedgerLab, tmp_path: Path, uri: str) -> None:
    source = KmsSource(uri, public_file(tmp_path, Ed25519PrivateKey.generate()))
    with pytest.raises(LedgerError, match="cannot be opened"):
        lab.open(key_source=source)


def test_a_private_key_that_is_not_the_public_one_is_said(lab: LedgerLab, tmp_path: Path) -> None:
    (tmp_path / "kms.pem").write_text(pem(Ed25519PrivateKey.generate()))
    source = KmsSource(
        f"file2:{tmp_path / 'kms.pem'}", public_file(tmp_path, Ed25519PrivateKey.generate())
    )
    with pytest.raises(LedgerError, match="private key does not match public key"):
        lab.open(key_source=source)
    assert not lab.path.exists()


# ---- a signer that fails -------------------------------------------------------------------------


class Shaky(EnvSource):
    """Signs, or does not, as the test says."""

    def __init__(self) -> None:
        super().__init__("AUDIT_KEY", pem(Ed25519PrivateKey.generate()))
        self.error: Exception | None = None
        self.wrong = False

    def find(self, named: Any) -> Any:
        real = super().find(named)

        def sign(text: bytes) -> bytes:
            if self.error is not None:
                raise self.error
            return real.sign(text + b"x" if self.wrong else text)

        return RemoteSigner(real.verifier, sign, "the token")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError("no answer in 5 s"), "does not sign: TimeoutError: no answer in 5 s"),
        (RuntimeError(), "does not sign: RuntimeError"),
        (None, "gave a signature that is not of"),
    ],
    ids=["slow", "gone", "wrong"],
)
def test_a_signer_that_fails_is_waited_out_and_nothing_is_lost(
    lab: LedgerLab, error: Exception | None, told: str
) -> None:
    source = Shaky()
    lab.open(key_source=source)
    lab.append(draft("before"))
    source.error, source.wrong = error, error is None
    with pytest.raises(LedgerUnavailable, match=told):
        lab.append(draft("during"))
    assert lab.wait_for_trouble().startswith("key: the token ")
    source.error, source.wrong = None, False
    lab.wait_for_trouble(False)
    assert lab.append(draft("during"), draft("before")).stored == 1
    assert lab.incidents() == ["unavailable"]
    lab.check()
