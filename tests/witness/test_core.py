"""What a witness cosigns and what it refuses (C2SP tlog-witness), and that it never forgets."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.cosignature import Cosigner, cosignatures, parse_lines
from audit_receiver.tlog.note import Note, SignerKey
from audit_receiver.tlog.submission import Submission
from audit_receiver.witness import files
from audit_receiver.witness.core import SIZE_TYPE, Answer, Witness
from audit_receiver.witness.memory import Memory
from tests.kit.logs import SmallLog

NOW = 1_790_000_000


class Lab:
    """A witness in a directory, whose clock the test moves."""

    def __init__(self, directory: Path, *logs: SmallLog) -> None:
        self.path = directory / "witness.memory"
        self.cosigner = Cosigner(SignerKey.generate("witness.example"))
        self.logs = {log.origin: [log.key.verifier] for log in logs}
        self.now = NOW
        Memory.begin(self.path, self.cosigner.verifier)
        self.restart()

    def restart(self) -> None:
        """As after a crash: only what is on disk is left."""
        memory = Memory(self.path, self.cosigner.verifier)
        self.witness = Witness(self.logs, self.cosigner, memory, lambda: self.now)

    def send(self, log: SmallLog, old: int, new: int) -> Answer:
        return self.witness.add_checkpoint(log.submission(old, new))

    def time_of(self, text: str, answer: Answer) -> int:
        """The time of the cosignature in an answer over this text, which has to hold."""
        note = Note(text, tuple(parse_lines(answer.text)))
        [found] = cosignatures(note, [self.cosigner.verifier])
        return found.unix_seconds


@pytest.fixture
def log() -> SmallLog:
    return SmallLog()


@pytest.fixture
def lab(tmp_path: Path, log: SmallLog) -> Lab:
    return Lab(tmp_path, log)


@pytest.mark.parametrize("steps", [(0,), (1,), (1, 2, 3, 7, 8, 256, 300), (5, 5, 5), (0, 0, 9)])
def test_what_extends_the_last_is_cosigned_and_remembered(
    lab: Lab, log: SmallLog, steps: tuple[int, ...]
) -> None:
    old = 0
    for new in steps:
        lab.now += 1
        answer = lab.send(log, old, new)
        assert answer.status == 200, answer
        assert lab.time_of(log.text(new), answer) == lab.now
        lab.restart()
        kept = Note.parse(lab.witness.newest(log.origin) or "")
        assert kept.text == log.text(new)
        assert kept.signed_by([log.key.verifier]) is not None
        assert cosignatures(kept, [lab.cosigner.verifier])[0].unix_seconds == lab.now
        old = new


@pytest.mark.parametrize(("old", "new"), [(0, 9), (3, 9), (6, 9), (0, 7)])
def test_another_old_size_is_told_the_one_that_is_remembered(
    lab: Lab, log: SmallLog, old: int, new: int
) -> None:
    lab.send(log, 0, 7)
    assert lab.send(log, old, new) == Answer(409, "7\n", SIZE_TYPE)


def test_a_log_that_was_rolled_back_gets_nothing(lab: Lab, log: SmallLog) -> None:
    lab.send(log, 0, 7)
    assert lab.send(log, 0, 5) == Answer(409, "7\n", SIZE_TYPE)
    assert lab.send(log, 5, 5) == Answer(409, "7\n", SIZE_TYPE)
    assert lab.send(log, 7, 5).status == 400
    assert lab.witness.logs()[0].head == Checkpoint(log.origin, 7, log.root(7))


@pytest.mark.parametrize("turn", [0, 3, 6])
def test_a_fork_of_the_same_size_is_refused_and_both_notes_are_kept(
    lab: Lab, log: SmallLog, turn: int
) -> None:
    lab.send(log, 0, 7)
    fork = log.forked(turn)
    assert lab.send(fork, 7, 7).status == 422
    assert lab.send(fork, 0, 7) == Answer(409, "7\n", SIZE_TYPE)
    kept = lab.path.with_suffix(".forks").read_text()
    assert kept.count(log.text(7)) == 2
    assert kept.count(fork.note(7)) == 2
    assert lab.send(log, 7, 9).status == 200


def test_a_fork_that_grew_is_refused(lab: Lab, log: SmallLog) -> None:
    lab.send(log, 0, 7)
    answer = lab.send(log.forked(4), 7, 9)
    assert answer.status == 422
    assert "does not lead to the older root" in answer.text
    assert lab.send(log.forked(7), 7, 9).status == 200  # what comes after is the log's to decide


def changed(**over: Any) -> Any:
    def make(log: SmallLog) -> bytes:
        given = {"old": 7, "path": tuple(log.path(7, 9)), "note": log.note(9), **over}
        return str(Submission(**given)).encode()

    return make


def other_text(log: SmallLog, text: str) -> bytes:
    return str(Submission(7, tuple(log.path(7, 9)), str(Note(text, (log.line(text),))))).encode()


def wrong_signature(log: SmallLog) -> bytes:
    note = Note(log.text(9), (log.line(log.text(8)),))
    return str(Submission(7, tuple(log.path(7, 9)), str(note))).encode()


def stranger(log: SmallLog) -> bytes:
    other = SmallLog(log.origin)  # the right name, another key
    return other.submission(7, 9)


@pytest.mark.parametrize(
    ("status", "make"),
    [
        pytest.param(400, lambda log: b"", id="empty"),
        pytest.param(400, lambda log: b"\xff" + log.submission(7, 9), id="no UTF-8"),
        pytest.param(400, lambda log: b"old 7\n\nno note\n", id="no note"),
        pytest.param(400, changed(old=10), id="old size over the size"),
        pytest.param(400, lambda log: other_text(log, f"{log.origin}\n9\n"), id="two lines"),
        pytest.param(400, lambda log: other_text(log, f"{log.origin}\n09\nAA==\n"), id="size 09"),
        pytest.param(403, wrong_signature, id="a signature that fails"),
        pytest.param(403, stranger, id="another key of that name"),
        pytest.param(404, lambda log: SmallLog("else").submission(7, 9), id="an unknown log"),
        pytest.param(404, lambda log: SmallLog("else").submission(9, 7), id="404 goes before 400"),
        pytest.param(422, changed(path=()), id="no proof"),
        pytest.param(422, changed(path=(bytes(32),) * 4), id="a wrong proof"),
        pytest.param(422, changed(path=(bytes(32),) * 63), id="a long proof"),
    ],
)
def test_what_is_wrong_is_answered_as_the_protocol_says(
    lab: Lab, log: SmallLog, status: int, make: Any
) -> None:
    lab.send(log, 0, 7)
    before = lab.path.read_bytes()
    answer = lab.witness.add_checkpoint(make(log))
    assert answer.status == status, answer
    assert answer.text.endswith("\n")
    assert lab.path.read_bytes() == before
    assert lab.send(log, 7, 9).status == 200


def test_from_nothing_there_is_nothing_to_prove(lab: Lab, log: SmallLog) -> None:
    given = Submission(0, (bytes(32),), log.note(7))
    assert lab.witness.add_checkpoint(str(given).encode()).status == 422
    empty = f"{log.origin}\n0\n{'A' * 43}=\n"
    given = Submission(0, (), str(Note(empty, (log.line(empty),))))
    assert lab.witness.add_checkpoint(str(given).encode()).status == 422


def test_lines_of_others_are_neither_needed_nor_kept(lab: Lab, log: SmallLog) -> None:
    text = log.text(7)
    epoch = SmallLog(log.origin)  # a ledger's note begins with the line of its current key
    note = Note(text, (epoch.line(text), SmallLog("elsewhere").line(text), log.line(text)))
    answer = lab.witness.add_checkpoint(str(Submission(0, (), str(note))).encode())
    assert answer.status == 200
    kept = Note.parse(lab.witness.newest(log.origin) or "")
    assert [line.key_id for line in kept.signatures] == [
        log.key.verifier.key_id,
        lab.cosigner.verifier.key_id,
    ]


def test_extension_lines_are_cosigned_with_the_rest(lab: Lab, log: SmallLog) -> None:
    text = log.text(7) + "an extension\n"
    note = str(Note(text, (log.line(text),)))
    answer = lab.witness.add_checkpoint(str(Submission(0, (), note)).encode())
    assert lab.time_of(text, answer) == NOW
    lab.restart()
    assert lab.send(log, 7, 9).status == 200


def test_of_many_at_once_with_one_old_size_one_wins(lab: Lab, log: SmallLog) -> None:
    lab.send(log, 0, 100)
    gate = threading.Barrier(16)
    answers: dict[int, Answer] = {}

    def send(new: int) -> None:
        gate.wait(20)
        answers[new] = lab.send(log, 100, new)

    threads = [threading.Thread(target=send, args=(200 + i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    won = [new for new, answer in answers.items() if answer.status == 200]
    assert len(won) == 1
    lost = {answer for answer in answers.values() if answer.status != 200}
    assert lost == {Answer(409, f"{won[0]}\n", SIZE_TYPE)}
    lab.restart()
    assert lab.witness.newest(log.origin) is not None
    assert f"\n{won[0]}\n" in str(lab.witness.newest(log.origin))


def test_a_clock_that_falls_back_does_not_take_a_cosignature_back(lab: Lab, log: SmallLog) -> None:
    lab.send(log, 0, 5)
    lab.now -= 3600
    lab.restart()
    assert lab.time_of(log.text(7), lab.send(log, 5, 7)) == NOW


def test_logs_do_not_know_each_other(tmp_path: Path, log: SmallLog) -> None:
    other = SmallLog("log.example/two", "y")
    lab = Lab(tmp_path, log, other)
    lab.send(log, 0, 7)
    assert lab.send(other, 0, 3).status == 200
    lab.restart()
    assert [seen.head.size for seen in lab.witness.logs() if seen.head] == [7, 3]
    del lab.logs[other.origin]
    lab.restart()
    assert lab.send(other, 3, 5).status == 404
    assert lab.witness.newest(other.origin) is not None  # what was cosigned is not forgotten


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_what_cannot_be_written_is_not_cosigned(
    lab: Lab, log: SmallLog, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.send(log, 0, 5)

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, step, full)
        with pytest.raises(OSError, match="No space"):
            lab.send(log, 5, 7)
    assert lab.send(log, 5, 8).status == 200
    lab.restart()
    assert lab.send(log, 8, 9).status == 200
    assert not [name for name in os.listdir(lab.path.parent) if name.endswith(".new")]


def test_the_order_is_file_then_name_then_directory(
    lab: Lab, log: SmallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def step(*given: Any, _name: str = name, _real: Any = real) -> Any:
            steps.append(_name)
            return _real(*given)

        monkeypatch.setattr(files.os, name, step)
    lab.send(log, 0, 5)
    assert steps == ["fsync", "replace", "fsync"]


def test_the_memory_is_text_that_a_person_can_read(lab: Lab, log: SmallLog) -> None:
    lab.send(log, 0, 5)
    state = json.loads(lab.path.read_text())
    assert state["witness"] == str(lab.cosigner.verifier)
    assert state["notes"][log.origin].startswith(log.text(5))
