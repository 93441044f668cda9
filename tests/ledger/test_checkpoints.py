"""Published checkpoints in the ledger, and ledgers that were made before there were any."""

import json
import threading
from pathlib import Path

import pytest

from audit_receiver.errors import LedgerFatal
from audit_receiver.ledger import database
from audit_receiver.ledger.appender import Appended
from audit_receiver.ledger.notary import Anchored
from audit_receiver.ledger.reader import Reader
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.note import Note, VerifierKey
from tests.kit.lab import LedgerLab, draft


def publish(lab: LedgerLab) -> Appended:
    """Publish and wait for the note."""
    results: list[Appended | Exception] = []
    ready = threading.Event()

    def done(result: Appended | Exception) -> None:
        results.append(result)
        ready.set()

    lab.appender.publish(done)
    assert ready.wait(20)
    [result] = results
    assert isinstance(result, Appended), result
    return result


def first_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ledgers as the first release did."""
    text = Path(database.__file__).with_name("schema.sql").read_text()
    monkeypatch.setattr(database, "schema_text", lambda: text)
    monkeypatch.setattr(database, "SCHEMA_SHA3", database.FIRST_SCHEMA_SHA3)
    monkeypatch.setattr("audit_receiver.ledger.opening.Opening.add_to_schema", lambda _: None)
    monkeypatch.setattr("audit_receiver.ledger.notary.Notary.publish", lambda *_: "")


def test_a_checkpoint_is_signed_by_both_keys_and_kept(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    published = publish(lab)
    note = Note.parse(published.note)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == (published.tip.origin, published.tip.size)
    genesis = lab.events("genesis")[0]
    keys = [VerifierKey.parse(genesis[name]) for name in ("vkey", "log_vkey")]
    assert [line.key_id for line in note.signatures] == [key.key_id for key in keys]
    assert all(note.signed_by([key]) == key for key in keys)
    assert lab.rows("SELECT size, note FROM checkpoint") == [(checkpoint.size, published.note)]
    assert lab.appender.published == (published.tip, published.note)
    lab.close()
    lab.check()


def test_nothing_new_is_published_twice(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    first, second = publish(lab), publish(lab)
    assert first.note == second.note
    lab.append(draft("b"))
    third = publish(lab)
    assert third.tip.size == first.tip.size + 1
    sizes = lab.rows("SELECT size FROM checkpoint ORDER BY size")
    assert sizes == [(first.tip.size,), (third.tip.size,)]
    lab.close()
    lab.check()


def test_a_stop_is_published_and_so_is_what_it_follows(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    lab.close()
    [(size, note)] = lab.rows("SELECT size, note FROM checkpoint")
    assert size == len(lab.headers())
    assert lab.events()[-1]["is"] == "stop"
    assert lab.appender.published is not None
    assert lab.appender.published[1] == note
    lab.check()


def test_without_the_log_key_a_note_has_one_line_and_another_one_is_refused(
    lab: LedgerLab,
) -> None:
    lab.open()
    lab.close()
    logkey = lab.path.with_suffix(".logkey")
    kept = logkey.read_bytes()
    logkey.unlink()
    lab.open()
    lab.append(draft("a"))
    assert len(Note.parse(publish(lab).note).signatures) == 1
    lab.close()
    logkey.write_bytes(lab.path.with_suffix(".key").read_bytes())
    with pytest.raises(Exception, match=r"the ledger names .* as its log key"):
        lab.open()
    logkey.chmod(0o600)
    logkey.write_bytes(kept)
    lab.open()
    lab.close()
    lab.check()


def test_what_anchors_give_back_is_kept_once(lab: LedgerLab) -> None:
    lab.open()
    lab.append(draft("a"))
    size = publish(lab).tip.size
    answers = [Anchored(size, "a", "timestamp", b"one"), Anchored(size, "a", "timestamp", b"two")]
    lab.appender.keep_anchored([*answers, Anchored(size, "b", "object", b"three")])
    lab.appender.keep_anchored([Anchored(size, "a", "timestamp", b"four")])
    lab.appender.keep_anchored([Anchored(size + 1, "a", "timestamp", b"of no checkpoint")])
    lab.settle()
    lab.close()
    with Reader(lab.path) as reader:
        assert reader.anchored() == [
            (size, "a", "timestamp", b"one"),
            (size, "b", "object", b"three"),
        ]
        assert reader.anchored("b") == [(size, "b", "object", b"three")]
        assert reader.anchored(kind="timestamp") == [(size, "a", "timestamp", b"one")]
        assert [row[0] for row in reader.checkpoints()] == [size, size + 2]
        assert [row[0] for row in reader.checkpoints(size + 1)] == [size + 2]
    lab.check()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE checkpoint SET note = 'x'",
        "DELETE FROM checkpoint",
        "INSERT INTO checkpoint VALUES (2, 'of the past')",
        "INSERT INTO checkpoint VALUES (99, 'of no head')",
        "INSERT OR REPLACE INTO checkpoint SELECT size, 'x' FROM checkpoint",
        "UPDATE anchored SET content = x'00'",
        "DELETE FROM anchored",
        "INSERT INTO anchored VALUES (1, 'a', 'timestamp', x'00')",
        "INSERT OR REPLACE INTO anchored SELECT size, anchor, kind, x'00' FROM anchored",
    ],
)
def test_checkpoints_and_answers_are_write_once(lab: LedgerLab, sql: str) -> None:
    lab.open()
    lab.append(draft("a"))
    size = publish(lab).tip.size
    lab.appender.keep_anchored([Anchored(size, "a", "timestamp", b"one")])
    lab.close()
    import sqlite3

    connection = sqlite3.connect(lab.path)
    with pytest.raises(sqlite3.IntegrityError, match="append only"):
        connection.execute(sql)
    connection.close()
    lab.check()


def test_a_ledger_of_the_first_schema_is_brought_up_to_date_and_says_so(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        first_schema(patch)
        lab.open()
        lab.append(draft("old"))
        lab.close()
        before = len(lab.headers())
        with Reader(lab.path) as reader:
            assert reader.schema_digest() == database.FIRST_SCHEMA_SHA3
            assert (reader.checkpoints(), reader.anchored()) == ([], [])
    lab.open()
    lab.append(draft("new"))
    publish(lab)
    lab.close()
    [event] = lab.events("schema")
    assert (event["old"], event["new"]) == (database.FIRST_SCHEMA_SHA3, database.SCHEMA_SHA3)
    assert lab.headers()[before]["action"] == "ledger.schema", "before anything else"
    with Reader(lab.path) as reader:
        assert reader.schema_digest() == database.SCHEMA_SHA3
    lab.open()
    lab.close()
    assert len(lab.events("schema")) == 1
    lab.check()


def test_an_addition_that_is_not_committed_leaves_the_first_schema(
    lab: LedgerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        first_schema(patch)
        lab.open()
        lab.close()
    before = lab.headers()
    with monkeypatch.context() as patch:

        def fail(*_: object) -> str:
            raise LedgerFatal("just before COMMIT")

        patch.setattr("audit_receiver.ledger.pen.Pen._outside", fail)
        with pytest.raises(LedgerFatal):
            lab.open()
    assert lab.headers() == before
    lab.open()
    lab.close()
    assert [json.dumps(h) for h in lab.headers()[: len(before)]] == [json.dumps(h) for h in before]
    lab.check()
