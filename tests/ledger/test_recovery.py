"""Each refusal of a start, and the way on by what its message says."""

import base64
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.errors import AuditReceiverError, IntegrityError, LedgerError
from audit_receiver.ledger.model import LedgerSettings
from audit_receiver.ledger.outside import Known
from audit_receiver.ledger.recovery import Recovered, recover
from audit_receiver.tlog.note import VerifierKey
from tests.kit.lab import SECOND, LedgerLab, draft


def run(lab: LedgerLab, *records: str, known: Any = ()) -> str:
    """One run that stores these; the checkpoint over its `stop`."""
    lab.open(known=known)
    for record in records:
        lab.append(draft(record))
    lab.close()
    assert lab.appender.published is not None
    return lab.appender.published[1]


def mend(lab: LedgerLab, known: Any = (), reason: str = "INC-1") -> Recovered:
    settings = LedgerSettings(**{**lab._settings, "known": known})
    return recover(settings, lab.clock.clock(), reason)


def sql(lab: LedgerLab, *statements: str) -> None:
    connection = sqlite3.connect(lab.path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def refused(lab: LedgerLab, known: Any = ()) -> str:
    """What the start says, which has to name the command that is the way on."""
    with pytest.raises(AuditReceiverError) as told:
        lab.open(known=known)
    assert re.search(r"audit-receiver recover \S+ --reason '", str(told.value)), told.value
    return str(told.value)


def goes_on(lab: LedgerLab, known: Any) -> None:
    """It starts, stores, and starts again; the oracle finds nothing."""
    run(lab, "after", known=known)
    run(lab, "and after that", known=known)
    lab.check()


def test_a_ledger_rolled_back_goes_on_as_a_new_incarnation(lab: LedgerLab, tmp_path: Path) -> None:
    run(lab, "a")
    shutil.copytree(lab.path.parent, tmp_path / "old")
    before, newest = run(lab, "b"), run(lab, "c")
    shutil.rmtree(lab.path.parent)
    shutil.copytree(tmp_path / "old", lab.path.parent)
    known = [Known("file", before), Known("file", newest)]
    refused(lab, known)
    size, origin = len(lab.headers()), lab.events("genesis")[0]["origin"]

    done = mend(lab, known, reason="the volume came back from last night's snapshot, INC-7")

    [event] = lab.events("recover")
    assert lab.headers()[size]["action"] == "ledger.recover"
    assert event["reason"] == "the volume came back from last night's snapshot, INC-7"
    assert [(one["anchor"], one["origin"], one["size"]) for one in event["lost"]] == [
        ("file", origin, int(note.splitlines()[1])) for note in (before, newest)
    ]
    assert event["lost"] == done.lost
    assert event["size"] == size
    assert event["origin"] != origin
    assert event["origin"].rpartition("/")[0] == origin.rpartition("/")[0]
    text = (
        f"recover/v1\n{origin}\n{size}\n"
        f"{base64.b64encode(bytes.fromhex(event['root'])).decode()}\n"
        f"{event['origin']}\n{event['vkey']}\n"
    )
    old = VerifierKey.parse(lab.events("genesis")[0]["vkey"])
    assert old.verify(text.encode(), base64.b64decode(event["signature"]))
    assert done.signed
    assert not done.created
    goes_on(lab, [*known, Known("file", done.note)])


def test_a_fork_goes_on_and_everything_behind_its_first_difference_is_lost(
    lab: LedgerLab, tmp_path: Path
) -> None:
    run(lab, "a")
    shutil.copytree(lab.path.parent, tmp_path / "old")
    published = [Known("w", run(lab, "b")), Known("w", run(lab, "c"))]
    shutil.rmtree(lab.path.parent)
    shutil.copytree(tmp_path / "old", lab.path.parent)
    run(lab, "another b", "another c", "and", "many", "more", "than", "there", "were")
    refused(lab, published[:1])
    done = mend(lab, [published[0], published[1]])
    assert [one["size"] for one in done.lost] == [
        int(known.note.splitlines()[1]) for known in published
    ]
    goes_on(lab, published)


def test_a_ledger_that_is_lost_is_followed_by_one_that_says_so(lab: LedgerLab) -> None:
    known = [Known("file", run(lab, "a"))]
    origin = lab.appender.tip.origin
    lab.path.unlink()
    refused(lab, known)
    done = mend(lab, known, reason="disk broken, no backup")
    assert done.created
    [genesis] = lab.events("genesis")
    assert genesis["reason"] == "disk broken, no backup"
    assert [(one["origin"], one["anchor"]) for one in genesis["lost"]] == [(origin, "file")]
    assert sorted(name.partition(".lost-")[0] for name in done.moved) == [
        *("ledger.dedup", "ledger.key", "ledger.logkey", "ledger.vkey")
    ]
    goes_on(lab, known)


def test_another_ledger_in_the_place_goes_on_and_says_what_it_is_not(lab: LedgerLab) -> None:
    known = [Known("file", run(lab, "a"))]
    origin = lab.appender.tip.origin
    shutil.rmtree(lab.path.parent)
    run(lab, "b")
    refused(lab, known)
    done = mend(lab, known)
    assert [one["origin"] for one in done.lost] == [origin]
    goes_on(lab, known)


def test_entries_that_nobody_signed_are_named_and_covered_from_then_on(lab: LedgerLab) -> None:
    run(lab, "a")
    signed = len(lab.headers())
    row = lab.rows("SELECT seq, header, hash, body FROM entry ORDER BY seq DESC LIMIT 1")[0]
    forge = row[1].replace(f'"seq":{row[0]}', f'"seq":{row[0] + 1}')
    forge = re.sub(r'"prev":"[0-9a-f]{64}"', f'"prev":"{row[2].hex()}"', forge)
    later = str(lab.headers()[-1]["received"])
    forge = forge.replace(later, later.replace("0Z", "1Z") if "0Z" in later else later[:-2] + "9Z")
    import hashlib

    connection = sqlite3.connect(lab.path, isolation_level=None)
    connection.execute(
        "INSERT INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)",
        (row[0] + 1, forge, hashlib.sha3_256(forge.encode()).digest(), row[3]),
    )
    connection.close()
    assert "the last signed head covers" in refused(lab)
    mend(lab)
    [event] = lab.events("recover")
    assert event["size"] == signed
    assert lab.headers()[signed + 1]["action"] == "ledger.recover"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("DROP TRIGGER entry_delete", "trigger entry_delete was put back"),
        ("CREATE TRIGGER bad AFTER INSERT ON entry BEGIN SELECT 1; END", "bad was taken out"),
        ("DROP INDEX entry_time", "index entry_time was put back"),
        ("DROP VIEW audit_records", "view audit_records was put back"),
        ('CREATE VIEW "an\'odd one" AS SELECT 1', "an'odd one was taken out"),
    ],
)
def test_a_schema_that_was_changed_is_put_back(lab: LedgerLab, change: str, word: str) -> None:
    run(lab, "a")
    sql(lab, change)
    refused(lab)
    done = mend(lab)
    assert [word in mended for mended in done.mended] == [True]
    goes_on(lab, ())


def test_a_table_is_never_touched(lab: LedgerLab) -> None:
    run(lab, "a")
    sql(lab, "CREATE TABLE notes(x)")
    before = lab.headers()
    with pytest.raises(IntegrityError, match="table notes is not one of a ledger's"):
        mend(lab)
    assert lab.headers() == before


def test_a_lost_key_is_followed_by_a_new_one_that_nobody_signed_for(lab: LedgerLab) -> None:
    run(lab, "a")
    lab.path.with_suffix(".key").unlink()
    with pytest.raises(LedgerError, match=r"ledger\.key: the private key .* is missing"):
        lab.open()
    done = mend(lab)
    assert not done.signed
    assert lab.events("recover")[0]["signature"] == ""
    goes_on(lab, ())


def test_lost_log_and_dedup_keys_are_made_anew(lab: LedgerLab) -> None:
    run(lab, "a")
    for name in (".logkey", ".dedup"):
        lab.path.with_suffix(name).unlink()
    mend(lab)
    goes_on(lab, ())


def test_a_clock_that_was_far_ahead_is_left_behind(lab: LedgerLab) -> None:
    lab.clock.wall += 400 * 86400 * SECOND
    run(lab, "from the future")
    lab.clock.wall -= 400 * 86400 * SECOND
    mend(lab)
    goes_on(lab, ())
    received = [header["received"] for header in lab.headers()]
    assert received[-1] < received[1]
    assert lab.events("start")[-1]["clean"], "the last run is found though older times are later"


def test_heads_beyond_the_entries_bar_the_way_and_a_new_ledger_begins(lab: LedgerLab) -> None:
    known = [Known("file", run(lab, "a", "b", "c"))]
    connection = sqlite3.connect(lab.path, isolation_level=None)
    [text] = connection.execute(
        "SELECT sql FROM sqlite_master WHERE name = 'entry_delete'"
    ).fetchone()
    connection.execute("DROP TRIGGER entry_delete")
    connection.execute("DELETE FROM entry WHERE seq > 3")
    connection.execute(text)
    connection.close()
    with pytest.raises(IntegrityError):
        lab.open(known=known)
    with pytest.raises(IntegrityError, match="under another name") as told:
        mend(lab, known)
    assert "then run this command again" in str(told.value)
    lab.path.rename(lab.path.with_name("kept.db"))
    assert mend(lab, known).created
    goes_on(lab, known)


@pytest.mark.parametrize("step", ["prepare", "write", "settle"])
def test_a_crash_at_any_step_leaves_a_way_on(
    lab: LedgerLab, step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(lab, "a")
    shutil.copytree(lab.path.parent, tmp_path / "old")
    newest = run(lab, "b")
    shutil.rmtree(lab.path.parent)
    shutil.copytree(tmp_path / "old", lab.path.parent)
    known = [Known("file", newest)]
    places = {
        "prepare": "audit_receiver.ledger.keysource.file.FileSource.prepare",
        "write": "audit_receiver.ledger.pen.Pen.write",
        "settle": "audit_receiver.ledger.keysource.file.FileSource.settle",
    }

    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(places[step], crash)
        with pytest.raises(KeyboardInterrupt):
            mend(lab, known)
    if step != "settle":
        refused(lab, known)
        mend(lab, known)
    goes_on(lab, known)
    assert len(lab.events("recover")) == 1


def test_it_can_be_needed_twice(lab: LedgerLab, tmp_path: Path) -> None:
    notes = []
    for _ in range(2):
        run(lab, known=notes)
        shutil.rmtree(tmp_path / "old", ignore_errors=True)
        shutil.copytree(lab.path.parent, tmp_path / "old")
        notes.append(Known("file", run(lab, "x", known=notes)))
        shutil.rmtree(lab.path.parent)
        shutil.copytree(tmp_path / "old", lab.path.parent)
        refused(lab, notes)
        mend(lab, notes)
    assert len(lab.events("recover")) == 2
    goes_on(lab, notes)


def test_a_ledger_in_use_is_left_alone(lab: LedgerLab) -> None:
    lab.open()
    with pytest.raises(LedgerError, match="lock"):
        mend(lab)
    lab.close()
    lab.check()
