"""Key epochs across a recovery: the key before signs for the new incarnation, or it does not."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_receiver.ledger.keysource.env import EnvSource
from audit_receiver.ledger.model import LedgerSettings
from audit_receiver.ledger.recovery import Recovered, recover
from tests.cli.conftest import Result
from tests.kit.lab import LedgerLab, draft
from tests.ledger.test_key_sources import pem
from tests.ledger.test_rotation import names_of

DAY = 86_400.0
Command = Callable[..., Result]


def days(lab: LedgerLab, first: int, number: int) -> None:
    lab.open(key_rotation_seconds=DAY)
    for day in range(number):
        lab.append(draft(f"r{first + day}"))
        lab.clock.pass_seconds(DAY)
        lab.settle()
    lab.append(draft(f"r{first + number}"))
    lab.close()


def mend(lab: LedgerLab) -> Recovered:
    return recover(LedgerSettings(**lab._settings), lab.clock.clock(), "INC-1")


def judged(command: Command, lab: LedgerLab, seq: int, vkey: str, folder: Path) -> Result:
    folder.mkdir()
    proof, keys = folder / "p", folder / "k"
    done = command("prove", lab.path, str(seq), "--output", proof, "--keys", keys)
    assert done.code == 0, done.err
    return command("verify", "--proof", proof, "--keys", keys, "--vkey", vkey, "--format", "json")


def first_vkey(lab: LedgerLab) -> str:
    return str(lab.events("genesis")[0]["vkey"])


def last(lab: LedgerLab) -> int:
    return len(lab.headers()) - 1


def test_the_first_key_judges_what_follows_a_recovery_that_was_signed_for(
    tmp_path: Path, command: Command
) -> None:
    lab = LedgerLab(tmp_path)
    days(lab, 0, 2)
    done = mend(lab)
    assert done.signed
    days(lab, 10, 2)
    assert len(lab.events("key")) >= 4
    assert names_of(lab) == ["ledger.key", "ledger.logkey", "ledger.vkey"]
    result = judged(command, lab, last(lab), first_vkey(lab), tmp_path / "1")
    assert (result.code, result.json()["verdict"]) == (0, "intact")
    assert result.json()["origin"] == lab.events("recover")[0]["origin"]
    assert command("verify", lab.path, "--vkey", first_vkey(lab), "--every-head").code == 3
    keys = tmp_path / "1" / "k"
    text = keys.read_text()
    parts = text.split("\n=\n")
    place = next(i for i, part in enumerate(parts) if '"name":"recover"' in _body(part))
    parts[place] = _unsigned(parts[place])
    keys.write_text("\n=\n".join(parts))
    words = ("--proof", tmp_path / "1" / "p", "--keys", keys, "--vkey", first_vkey(lab))
    result = command("verify", *words, "--format", "json")
    assert (result.code, result.json()["verdict"]) == (1, "tampered")
    lab.check()


def _body(part: str) -> str:
    line = part.partition("\n")[0]
    if not line.startswith("body "):
        return ""
    return base64.b64decode(line.removeprefix("body ")).decode()


def _unsigned(part: str) -> str:
    body = json.loads(_body(part))
    body["event"]["signature"] = base64.b64encode(bytes(64)).decode()
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"body {base64.b64encode(text.encode()).decode()}\n{part.partition(chr(10))[2]}"


def test_where_the_old_key_is_lost_the_chain_begins_with_the_new_one(
    tmp_path: Path, command: Command
) -> None:
    lab = LedgerLab(tmp_path)
    days(lab, 0, 1)
    lab.path.with_suffix(".key").unlink()
    done = mend(lab)
    assert not done.signed
    days(lab, 10, 1)
    assert judged(command, lab, last(lab), done.vkey, tmp_path / "1").code == 0
    assert judged(command, lab, last(lab), first_vkey(lab), tmp_path / "2").code == 1


def test_a_key_in_the_environment_goes_on_under_the_new_origin(
    tmp_path: Path, command: Command
) -> None:
    lab = LedgerLab(tmp_path)
    source = EnvSource("AUDIT_KEY", pem(Ed25519PrivateKey.generate()))
    lab.open(key_source=source)
    lab.append(draft("a"))
    lab.close()
    done = mend(lab)
    assert done.signed
    assert done.vkey.rpartition("+")[2] == first_vkey(lab).rpartition("+")[2], "the same key"
    lab.open()
    lab.append(draft("b"))
    lab.close()
    assert judged(command, lab, last(lab), first_vkey(lab), tmp_path / "1").code == 0
    lab.check()
