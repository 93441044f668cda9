"""What stands in an unsigned tail gets no force by a recovery: both verifiers say the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.kit.attacker import Attacker, canonical, sha3
from tests.kit.lab import LedgerLab
from tests.ledger.test_recovery import mend, run
from tests.standalone.test_agreement import kinds
from tests.standalone.test_ledgers import Command, note_of, same
from tests.verify.scene import vkey_of

__all__ = ["same"]
Same = Callable[..., dict[str, Any]]


def forge(path: Path, event: str, **fields: Any) -> int:
    """An own record at the end, under no head: whoever can write the file can do that."""
    with Attacker(path) as attacker:
        seq = attacker.size()
        before = attacker.header(seq - 1)["received"]
        time = f"{before[:20]}{int(before[20:29]) + 1:09d}Z"
        told = {"event": {**fields, "name": event, "time": time}, "kind": "ledger"}
        body = canonical({**told, "salt": "0" * 32})
        [prev] = attacker.db.execute("SELECT hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
        header = {"action": f"ledger.{event}", "body": sha3(body), "flags": [], "kind": "ledger"}
        header |= {"prev": prev.hex(), "received": time, "seq": seq, "time": time, "v": 1}
        row = seq, canonical(header), bytes.fromhex(sha3(canonical(header))), body
        sql = "INSERT INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)"
        attacker.db.execute(sql, row)
        return seq


def test_a_forged_deletion_allows_nothing_after_a_recovery(same: Same, lab: LedgerLab) -> None:
    run(lab, "a", "b", "c")
    [record, *_] = [one["seq"] for one in lab.headers() if one["kind"] == "log"]
    told = {"code": "x", "authoriser": "y", "reason": "z", "count": 1}
    forge(lab.path, "erase", ranges=[[record, record]], **told)
    assert mend(lab).signed
    first = lab.path.with_suffix(".vkey")
    assert same(lab.path, "--vkey", first)["verdict"] == "intact_unanchored"
    with Attacker(lab.path) as attacker:
        attacker.set(record, body=None)
    assert kinds(same(lab.path, "--vkey", first)) == {"body_missing": record}


def test_a_forged_key_vouches_for_nothing_after_a_recovery(same: Same, lab: LedgerLab) -> None:
    run(lab, "a")
    origin = lab.events("genesis")[0]["origin"]
    forged = vkey_of(Ed25519PrivateKey.generate(), origin)
    forge(lab.path, "key", vkey=str(forged), reason="rotation")
    assert mend(lab).signed, "by the true key, of which the tail says that it was followed"
    assert same(lab.path, "--vkey", lab.path.with_suffix(".vkey"))["findings"] == []


def test_a_recovery_without_the_old_key_wants_the_new_one_from_outside(
    same: Same, lab: LedgerLab, command: Command
) -> None:
    run(lab, "a")
    lab.path.with_suffix(".key").unlink()
    done = mend(lab)
    run(lab, "b")
    assert not done.signed
    note = note_of(command, lab.path)
    first = lab.events("genesis")[0]["vkey"]
    for vkey, verdict in ((first, "undecided"), (done.vkey, "intact")):
        assert same(lab.path, "--vkey", vkey, "--checkpoint", note)["verdict"] == verdict
