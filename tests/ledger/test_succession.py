"""A ledger is closed and another one goes on."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.errors import LedgerError
from audit_receiver.ledger import creation
from audit_receiver.ledger.model import LedgerSettings
from audit_receiver.ledger.outside import Known
from audit_receiver.ledger.startup import Closed
from audit_receiver.ledger.succession import Continued, continue_as
from audit_receiver.tlog.note import Note
from tests.kit.lab import LedgerLab, draft
from tests.kit.oracle import check


def filled(lab: LedgerLab) -> LedgerLab:
    lab.open()
    lab.append(draft("a"), draft("b"))
    lab.close()
    return lab


def follow(lab: LedgerLab, successor: Path, reason: str = "a new year") -> Continued:
    old = LedgerSettings(**{**lab._settings, "create": "never"})
    new = LedgerSettings(**{**lab._settings, "path": successor})
    return continue_as(old, new, lab.clock.clock(), reason)


def moved(lab: LedgerLab, successor: Path) -> LedgerLab:
    """The lab, at the other ledger."""
    lab.path = successor
    lab._settings["path"] = successor
    return lab


def test_the_successor_names_where_the_closed_one_ends(lab: LedgerLab, tmp_path: Path) -> None:
    filled(lab)
    origin = lab.appender.tip.origin
    done = follow(lab, tmp_path / "next" / "ledger.db")
    [close] = lab.events("close")
    assert close["reason"] == "a new year"
    assert lab.headers()[-1]["action"] == "ledger.close"
    assert lab.headers()[-2]["action"] == "ledger.heartbeat", "everything is tallied"
    [(size, root)] = lab.rows("SELECT size, root FROM head ORDER BY size DESC LIMIT 1")
    [(digest,)] = lab.rows("SELECT hash FROM entry ORDER BY seq DESC LIMIT 1")
    assert Note.parse(done.note).text.splitlines()[:2] == [origin, str(size)]
    lab.check()
    expected = {"origin": origin, "size": size, "root": root.hex(), "hash": digest.hex()}
    moved(lab, tmp_path / "next" / "ledger.db")
    [genesis] = lab.events("genesis")
    assert genesis["previous"] == expected == done.previous
    assert genesis["origin"] != origin
    lab.open(known=[Known("file", done.note)])  # the anchor that both share
    lab.append(draft("c"))
    lab.close()
    lab.check()


def test_nothing_is_appended_to_a_closed_ledger(lab: LedgerLab, tmp_path: Path) -> None:
    follow(filled(lab), tmp_path / "next.db")
    before = lab.headers()
    with pytest.raises(Closed, match=r"Set ledger\.path to its successor"):
        lab.open()
    assert lab.headers() == before
    lab.check()


def test_a_crash_in_between_is_gone_on_from(
    lab: LedgerLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(lab)

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(creation, "create_ledger", crash)
        with pytest.raises(KeyboardInterrupt):
            follow(lab, tmp_path / "next.db")
    assert len(lab.events("close")) == 1
    done = follow(lab, tmp_path / "next.db")
    assert len(lab.events("close")) == 1
    assert done.previous["size"] == len(lab.headers())
    check(tmp_path / "next.db")


def test_nothing_is_closed_where_the_successor_is_there_already(
    lab: LedgerLab, tmp_path: Path
) -> None:
    filled(lab)
    shutil.copy(lab.path, tmp_path / "next.db")
    before = lab.headers()
    with pytest.raises(LedgerError, match="exists already"):
        follow(lab, tmp_path / "next.db")
    assert lab.headers() == before


def test_a_ledger_that_is_not_there_is_not_made_to_be_closed(
    lab: LedgerLab, tmp_path: Path
) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        follow(lab, tmp_path / "next.db")
    assert not lab.path.exists()
