"""The ledger's key in a PKCS#11 token: SoftHSM from Debian, with a token of its own."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import closing, writer
from audit_receiver.ledger.keysource.pkcs11 import Pkcs11Source
from tests.kit.lab import LedgerLab, draft

pytestmark = pytest.mark.peers

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
DAY = 86_400.0
PIN = "567890"


@pytest.fixture(scope="session")
def module() -> Path:
    """SoftHSM's library, installed if it is not there."""
    for attempt in (True, False):
        found = next((Path(path) for path in MODULES if Path(path).exists()), None)
        if found is not None:
            return found
        if attempt and os.geteuid() == 0 and shutil.which("apt-get"):
            install = ["apt-get", "install", "-y", "-qq", "softhsm2"]
            subprocess.run(install, check=False, capture_output=True, timeout=110)
    pytest.skip("softhsm2 is not installed and cannot be (it needs root and apt)")


@pytest.fixture(scope="session")
def token(module: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A token for this process: SoftHSM reads its configuration once."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    words = ["softhsm2-util", "--init-token", "--free", "--label", "audit"]
    subprocess.run([*words, "--so-pin", "1234", "--pin", PIN], check=True, capture_output=True)
    return "audit"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerLab]:
    monkeypatch.setattr(writer, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(closing, "PATIENCE_SECONDS", 0.3)
    made = LedgerLab(tmp_path)
    yield made
    made.discard()


@pytest.fixture
def source(module: Path, token: str, tmp_path: Path) -> Pkcs11Source:
    pin = tmp_path / "pin"
    pin.write_text(f"{PIN}\n")
    return Pkcs11Source(module, token, pin, "audit-receiver")


def pairs(source: Pkcs11Source, lab: LedgerLab) -> dict[bytes, bytes]:
    return source._pairs(lab.path.with_suffix(".vkey").read_text().partition("+")[0])


def private_keys(source: Pkcs11Source, lab: LedgerLab) -> int:
    from pkcs11 import Attribute, ObjectClass

    found = source._open().get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
    ours = set(pairs(source, lab).values())
    return len([key for key in found if bytes(key[Attribute.ID]) in ours])


def test_heads_are_signed_in_the_token(lab: LedgerLab, source: Pkcs11Source) -> None:
    lab.open(key_source=source)
    lab.append(draft("a"))
    assert not lab.path.with_suffix(".key").exists()
    lab.close()
    lab.open()
    lab.append(draft("b"))
    lab.check()


def test_the_private_key_cannot_be_taken_out(lab: LedgerLab, source: Pkcs11Source) -> None:
    from pkcs11 import Attribute

    lab.open(key_source=source)
    (identifier,) = pairs(source, lab).values()
    key = source._private(identifier)
    assert (key[Attribute.SENSITIVE], key[Attribute.EXTRACTABLE]) == (True, False)


def test_the_next_key_is_made_in_the_token_and_the_old_one_destroyed(
    lab: LedgerLab, source: Pkcs11Source
) -> None:
    lab.open(key_source=source, key_rotation_seconds=DAY)
    (first,) = pairs(source, lab)
    for day in (1, 2):
        lab.clock.pass_seconds(DAY)
        lab.settle()
        lab.append(draft(f"r{day}"))
        assert len(lab.events("key")) == day
        assert first not in pairs(source, lab)
        assert private_keys(source, lab) == len(pairs(source, lab)) == 1
    lab.close()
    lab.open()
    lab.append(draft("z"))
    lab.check()


def test_what_a_crash_leaves_in_the_token_is_put_right(
    lab: LedgerLab, source: Pkcs11Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.open(key_source=source, key_rotation_seconds=0.0)
    origin = lab.path.with_suffix(".vkey").read_text().partition("+")[0]
    source.prepare(origin)  # and killed before the entry was committed
    assert len(pairs(source, lab)) == 2
    lab.crash()
    lab.open()
    lab.settle()
    assert len(pairs(source, lab)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(source, "settle", lambda named: "")  # killed behind the commit
        lab.close()
        lab.open(new_key="test")
        lab.append(draft("a"))
        assert len(pairs(source, lab)) == 2
        lab.crash()
    lab.open(new_key="")
    lab.append(draft("b"))
    assert len(pairs(source, lab)) == 1
    lab.check()


def test_ledgers_share_a_token_and_leave_each_others_keys_alone(
    lab: LedgerLab, source: Pkcs11Source, tmp_path: Path
) -> None:
    other = LedgerLab(tmp_path / "other")
    try:
        other.open(key_source=source)
        lab.open(key_source=source, key_rotation_seconds=DAY)
        lab.clock.pass_seconds(DAY)
        lab.settle()
        assert len(pairs(source, other)) == 1
        other.append(draft("a"))
        other.check()
        lab.check()
    finally:
        other.discard()


def test_a_session_that_is_lost_is_opened_again(lab: LedgerLab, source: Pkcs11Source) -> None:
    lab.open(key_source=source)
    lab.append(draft("a"))
    source._session.close()
    try:
        lab.append(draft("b"))
    except Exception as exc:
        assert "does not sign" in str(exc)  # noqa: PT017 (the first attempt may be the one told)
    lab.wait_for_trouble(False)
    lab.append(draft("b"))
    lab.check()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "module": ({"module": Path("/nope.so")}, "cannot open shared object file"),
    "token": ({"token": "nobody"}, "NoSuchToken"),
    "pin file": ({"pin": None}, "the PIN cannot be read"),
    "label": ({"label": "other"}, "has not the key"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_the_token_is_said(
    lab: LedgerLab, module: Path, token: str, source: Pkcs11Source, tmp_path: Path, name: str
) -> None:
    lab.open(key_source=source)
    lab.close()
    source._session.close()  # a login is the process's
    changes, told = WRONG[name]
    pin = tmp_path / "wrong-pin"
    if changes.get("pin", PIN) is not None:
        pin.write_text(changes.get("pin", PIN))
    wrong = Pkcs11Source(
        changes.get("module", module),
        changes.get("token", token),
        pin,
        changes.get("label", "audit-receiver"),
    )
    with pytest.raises(LedgerError, match=told):
        lab.open(key_source=wrong)


WRONG_PIN = """
import sys
from pathlib import Path
from audit_receiver.errors import LedgerError
from audit_receiver.ledger.keysource.pkcs11 import Pkcs11Source

try:
    Pkcs11Source(*map(Path, sys.argv[1:2]), "audit", Path(sys.argv[2]), "x").prepare("x/1")
except LedgerError as exc:
    print(exc)
"""


def test_a_wrong_pin_is_said(module: Path, token: str, tmp_path: Path) -> None:
    """In a process of its own: one that is logged in already is not asked again."""
    (tmp_path / "pin").write_text("000000")
    words = [sys.executable, "-c", WRONG_PIN, str(module), str(tmp_path / "pin")]
    root = Path(__file__).parents[2]
    run = subprocess.run(words, check=True, capture_output=True, text=True, cwd=root, timeout=60)
    assert "PKCS#11 token audit, label x: PinIncorrect" in run.stdout
    assert "ledger.key.pkcs11: module, token and pin_file" in run.stdout


def test_what_signing_in_the_token_costs(
    lab: LedgerLab, source: Pkcs11Source, tmp_path: Path
) -> None:
    """Figures for docs/operations.md; asserted is only that it is of the order of the disk's."""
    in_file = LedgerLab(tmp_path / "file")
    try:
        medians = {}
        for name, one in (("token", lab), ("file", in_file)):
            one.open(key_source=source if name == "token" else None)
            times = []
            for number in range(200):
                begun = time.perf_counter()
                one.append(draft(f"r{number}"))
                times.append(time.perf_counter() - begun)
            medians[name] = statistics.median(times) * 1e3
        print(f"commit of one record: {medians}")
        assert medians["token"] < medians["file"] + 20
    finally:
        in_file.discard()
