"""Orders that nobody signed: appended by SQL, then covered by the head of a recovery."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_receiver.ledger.reader import Reader
from audit_receiver.retention import state
from audit_receiver.retention.engine import Engine
from tests.kit.lab import LedgerLab
from tests.ledger.test_recovery import mend, run
from tests.standalone.test_laundering import forge

ORDER = {"code": "x", "authoriser": "y", "reason": "z", "count": 1}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LedgerLab]:
    made = LedgerLab(tmp_path)
    run(made, "a", "b", "c")
    yield made
    made.discard()


def test_a_forged_erasure_is_never_carried_out(lab: LedgerLab) -> None:
    forge(lab.path, "erase", ranges=[[0, 100]], **ORDER)
    mend(lab)
    with Reader(lab.path) as reader:
        found = state.read(reader)
    assert (found.deletions, found.unfinished) == ((), ())
    lab.open()
    assert Engine(lab.appender, lab.path).resume() == 0
    lab.close()
    assert lab.rows("SELECT count(*) FROM entry WHERE body IS NULL") == [(0,)]


def test_a_forged_release_frees_nothing_and_a_forged_policy_is_none(lab: LedgerLab) -> None:
    lab.open()
    lab.appender.record("hold", {"hold": "h", "state": "add", "ranges": [[1, 2]], **ORDER})
    lab.settle()
    lab.close()
    forge(lab.path, "hold", hold="h", state="release", **ORDER)
    forge(lab.path, "retention", policy={"keep": "1s"}, **ORDER)
    mend(lab)
    with Reader(lab.path) as reader:
        found = state.read(reader)
    assert [hold.name for hold in found.holds] == ["h"]
    assert found.policy_seq == 0


def test_a_forged_key_does_not_bar_the_start_for_ever(lab: LedgerLab) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tests.verify.scene import vkey_of

    origin = lab.events("genesis")[0]["origin"]
    forged = vkey_of(Ed25519PrivateKey.generate(), origin)
    forge(lab.path, "key", vkey=str(forged), reason="rotation")
    mend(lab)
    run(lab, "and", "on")
    run(lab, "and on")
    assert [event["is"] for event in lab.events()].count("stop") == 3
