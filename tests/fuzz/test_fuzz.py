"""Never a crash, never a wrong answer, and whatever is stored verifies: fuzzing in small."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_receiver.otlp.codec import CONTENT_TYPE
from tests.checklist.door import Door
from tests.e2e.oracle import settle
from tests.fuzz import seeds, target
from tests.kit.senders import METHOD
from tests.kit.server import Server

SEEDS = sorted(path for path in seeds.CORPUS.iterdir())


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name)
def test_the_kept_corpus_breaks_nothing(path: Path) -> None:
    ended = target.one(path.read_bytes())
    assert ended in {"stored", "empty", "400", "413"}
    if path.name.startswith(("span-", "log-", "twice-", "deep-")):
        assert ended == "stored"


def test_every_choice_of_the_first_byte_is_reached() -> None:
    chosen = {target.choice(first) for first in range(256)}
    assert len(chosen) == 2 * 2 * len(target.ENCODINGS)
    for one in chosen:
        assert target.choice(target.first_byte(*one)[0]) == one


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A kept input with some bytes changed, left out, put in or repeated."""
    data = bytearray(draw(st.sampled_from(SEEDS)).read_bytes())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["set", "cut", "add", "repeat"])):
            case "set" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "cut":
                del data[at : at + draw(st.integers(1, 8))]
            case "add":
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
            case _:
                data[at:at] = data[at : at + draw(st.integers(1, 40))]
    return bytes(data)


@settings(max_examples=1500, deadline=None)
@given(mutated())
def test_changed_requests_break_nothing(data: bytes) -> None:
    target.one(data)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_break_nothing(data: bytes) -> None:
    target.one(data)


@settings(max_examples=1, deadline=None)
@given(st.lists(mutated(), min_size=200, max_size=200))
def test_a_real_receiver_answers_changed_requests_and_its_ledger_holds(
    tmp_path_factory: pytest.TempPathFactory, inputs: list[bytes]
) -> None:
    server = Server(tmp_path_factory.mktemp("fuzz")).start()
    door = Door(server)
    codes: Counter[int | str] = Counter()
    with door.sender() as sender:
        for data in filter(None, inputs):
            signal, media, coding = target.choice(data[0])
            headers = {"Content-Type": CONTENT_TYPE[media], "Content-Encoding": coding}
            codes[sender.post(f"/v1/{signal}", data[1:], headers).code] += 1
            codes[sender.call(METHOD[signal], data[1:], False).code] += 1
        garbage = gzip.compress(b"\xff" * 100)
        headers = {"Content-Type": CONTENT_TYPE["protobuf"], "Content-Encoding": "gzip"}
        assert sender.post("/v1/logs", garbage, headers).code == 400
    assert set(codes) <= {200, 400, 413, "OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
    settle(server)
