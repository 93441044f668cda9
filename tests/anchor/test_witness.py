"""The anchor `witness`: proofs from a real ledger, k of n, faults, forks; the witness is ours."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from audit_receiver.anchor.cosigning import Place
from audit_receiver.anchor.model import AnchorError, Published
from audit_receiver.anchor.witness import WitnessAnchor
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.tlog.cosignature import CosignerKey, cosignatures
from audit_receiver.tlog.note import Note, SignerKey
from tests.anchor.witnesses import Ledger, OurWitness, anchor, log_vkey, place, published
from tests.kit.outside import FAULTS
from tests.kit.witness import WitnessProcess

_TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger")
    yield made
    made.lab.close()
    made.lab.check()


@pytest.fixture
def witness(tmp_path: Path, ledger: Ledger) -> Iterator[OurWitness]:
    one = OurWitness(tmp_path, log_vkey(ledger.path))
    with one.outside:
        yield one


@asynccontextmanager
async def asking(
    ledger: Path, *places: Place, quorum: int = 1, seconds: float = 5
) -> AsyncIterator[WitnessAnchor]:
    one = anchor(ledger, *places, quorum=quorum, seconds=seconds)
    try:
        yield one
    finally:
        await one.close()


def times(given: Published, token: bytes, *keys: CosignerKey) -> list[str]:
    """The names of those who cosigned, in order; the token has to be the note and their lines."""
    text = token.decode()
    assert text.startswith(given.note)
    found = cosignatures(Note.parse(text), keys)
    assert all(abs(one.unix_seconds - time.time()) < 60 for one in found)
    assert len(Note.parse(text).signatures) == 2 + len(found)
    return [one.key.name for one in found]


async def test_every_checkpoint_is_cosigned_with_a_proof_from_the_last(
    ledger: Ledger, witness: OurWitness
) -> None:
    async with asking(ledger.path, witness.place()) as one:
        assert await one.newest() == []
        for count in (0, 1, 7, 300, 1, 0):
            note = ledger.grow(count)
            [token] = await one.publish(note)
            assert token.kind == "cosignature"
            assert times(note, token.content, witness.cosigner.verifier)
            assert witness.size(note.origin) == note.size
            [newest] = await one.newest()
            assert newest.startswith(note.note.partition("\n\n")[0])
    assert [answer.status for answer in witness.answers] == [200] * 6


async def test_a_restarted_service_is_told_where_the_witness_is(
    ledger: Ledger, witness: OurWitness
) -> None:
    async with asking(ledger.path, witness.place()) as one:
        await one.publish(ledger.grow(5))
    async with asking(ledger.path, witness.place()) as one:
        note = ledger.grow(5)
        [token] = await one.publish(note)
        assert times(note, token.content, witness.cosigner.verifier)
    assert [answer.status for answer in witness.answers] == [200, 409, 200]


@pytest.mark.parametrize("fault", [*FAULTS, "wrong", "empty"])
async def test_no_fault_gives_a_token_and_the_next_checkpoint_has_one(
    ledger: Ledger, witness: OurWitness, fault: str
) -> None:
    async with asking(ledger.path, witness.place(), seconds=0.6) as one:
        await one.publish(ledger.grow(2))
        witness.outside.fault = fault
        began = time.monotonic()
        with pytest.raises(AnchorError, match=r"witness|127\.0\.0\.1") as caught:
            await one.publish(ledger.grow(2))
        assert time.monotonic() - began < 5
        assert caught.value.conflict is False
        assert witness.outside.redirected == []
        witness.outside.fault = ""
        note = ledger.grow(2)
        [token] = await one.publish(note)
        assert times(note, token.content, witness.cosigner.verifier)


async def test_a_ledger_that_was_rolled_back_is_a_conflict(
    tmp_path: Path, ledger: Ledger, witness: OurWitness
) -> None:
    before = ledger.grow(3).size
    old = ledger.copied_to(tmp_path / "old")
    async with asking(ledger.path, witness.place()) as one:
        after = ledger.grow(3).size
        await one.publish(published(ledger.path))
    said = f"has seen {after} entries of .* the ledger has {before}:"
    async with asking(old, witness.place()) as one:
        with pytest.raises(AnchorError, match=said) as caught:
            await one.publish(published(old))
    assert caught.value.conflict


@pytest.mark.parametrize("further", [0, 5], ids=["same size", "grown"])
async def test_a_rewritten_ledger_is_a_conflict(
    tmp_path: Path, ledger: Ledger, witness: OurWitness, further: int
) -> None:
    ledger.grow(3)
    ledger.lab.close()
    ledger.copied_to(tmp_path / "fork" / "lab")
    ledger.lab.open()
    async with asking(ledger.path, witness.place()) as one:
        honest = ledger.grow(3)
        await one.publish(honest)
    fork = Ledger(tmp_path / "fork")
    forged = fork.grow(3 + further)
    assert forged.origin == honest.origin
    async with asking(fork.path, witness.place()) as one:
        with pytest.raises(AnchorError, match="another history") as caught:
            await one.publish(forged)
    fork.lab.close()
    assert caught.value.conflict
    assert witness.size(honest.origin) == honest.size


async def test_a_checkpoint_that_is_overtaken_is_no_conflict(
    ledger: Ledger, witness: OurWitness
) -> None:
    older = ledger.grow(2)
    async with asking(ledger.path, witness.place()) as one:
        await one.publish(ledger.grow(2))
    async with asking(ledger.path, witness.place()) as one:
        with pytest.raises(AnchorError, match="has a newer checkpoint") as caught:
            await one.publish(older)
    assert not caught.value.conflict


async def test_a_witness_that_does_not_know_the_ledger_is_told_of_with_the_mend(
    tmp_path: Path, ledger: Ledger
) -> None:
    own_key = str(SignerKey.generate(ledger.grow().origin).verifier)
    for vkeys in ((), (own_key,)):
        stranger = OurWitness(tmp_path, *vkeys, name=f"witness.example/{len(vkeys)}")
        with stranger.outside:
            async with asking(ledger.path, stranger.place()) as one:
                with pytest.raises(AnchorError, match="does not know this ledger") as caught:
                    await one.publish(ledger.grow())
        assert f"--log '{log_vkey(ledger.path)}'" in str(caught.value)
        assert not caught.value.conflict


async def test_a_cosignature_of_another_key_does_not_count(
    ledger: Ledger, witness: OurWitness
) -> None:
    other = SignerKey.generate("witness.example/one").verifier  # the same name
    vkey = str(CosignerKey.of(other.name, other.public))
    async with asking(ledger.path, witness.place(vkey=vkey)) as one:
        with pytest.raises(AnchorError, match=r"no line is by witness\.example/one"):
            await one.publish(ledger.grow())
        with pytest.raises(AnchorError, match="not cosigned by it"):
            await one.newest()


@pytest.fixture
def three(tmp_path: Path, ledger: Ledger) -> Iterator[list[OurWitness]]:
    names = [f"witness.example/{i}" for i in range(3)]
    made = [OurWitness(tmp_path, log_vkey(ledger.path), name=name) for name in names]
    with ExitStack() as stack:
        for one in made:
            stack.enter_context(one.outside)
        yield made


@pytest.mark.parametrize("fault", ["gone", "slow", "wrong", "refuses"])
async def test_two_of_three_are_enough_and_one_is_not(
    ledger: Ledger, three: list[OurWitness], fault: str
) -> None:
    keys = [one.cosigner.verifier for one in three]
    places = [one.place(2) for one in three]
    async with asking(ledger.path, *places, quorum=2, seconds=2) as one:
        note = ledger.grow()
        [token] = await one.publish(note)
        assert times(note, token.content, *keys) == [key.name for key in keys]
        three[1].outside.fault = fault
        note = ledger.grow()
        [token] = await one.publish(note)
        assert times(note, token.content, *keys) == [keys[0].name, keys[2].name]
        three[0].outside.fault = fault
        with pytest.raises(AnchorError, match="1 of 3 witnesses cosigned, 2 have to"):
            await one.publish(ledger.grow())
        three[0].outside.fault = three[1].outside.fault = ""
        note = ledger.grow()
        [token] = await one.publish(note)
        assert len(times(note, token.content, *keys)) == 3


async def test_with_enough_at_hand_a_slow_one_is_not_waited_for(
    ledger: Ledger, three: list[OurWitness]
) -> None:
    three[0].outside.fault = "slow"
    async with asking(ledger.path, *(one.place(20) for one in three), quorum=2, seconds=20) as one:
        began = time.monotonic()
        await one.publish(ledger.grow())
        assert time.monotonic() - began < 5


async def test_one_witness_with_another_history_is_loud_even_with_a_quorum(
    tmp_path: Path, ledger: Ledger, three: list[OurWitness], caplog: pytest.LogCaptureFixture
) -> None:
    async with asking(ledger.path, three[0].place()) as one:
        await one.publish(ledger.grow())
    old = ledger.copied_to(tmp_path / "old")
    async with asking(ledger.path, three[0].place()) as one:
        await one.publish(ledger.grow())
    places = [one.place() for one in three]
    with caplog.at_level(logging.ERROR):
        async with asking(old, *places, quorum=2) as one:
            await one.publish(published(old))
    assert "cut off or rolled back" in caplog.text
    async with asking(old, *places, quorum=3) as one:
        with pytest.raises(AnchorError, match="2 of 3") as caught:
            await one.publish(published(old))
    assert caught.value.conflict


async def test_what_is_known_is_asked_of_all_and_one_answer_is_enough(
    ledger: Ledger, three: list[OurWitness]
) -> None:
    places = [one.place(1) for one in three]
    async with asking(ledger.path, *places, quorum=3, seconds=1) as one:
        await one.publish(ledger.grow())
        assert len(await one.newest()) == 3
        three[0].outside.fault = three[1].outside.fault = "gone"
        assert len(await one.newest()) == 1
        three[2].outside.fault = "garbage"
        with pytest.raises(AnchorError, match="does not hold"):
            await one.newest()


async def test_without_a_ledger_the_key_beside_it_says_which_log_to_ask_for(
    tmp_path: Path, ledger: Ledger, witness: OurWitness
) -> None:
    async with asking(ledger.path, witness.place()) as one:
        note = ledger.grow()
        await one.publish(note)
    gone = tmp_path / "gone" / "ledger.db"
    async with asking(gone, witness.place()) as one:
        assert await one.newest() == ()
        gone.parent.mkdir()
        vkey = LedgerFiles.beside(ledger.path).vkey.read_bytes()
        LedgerFiles.beside(gone).vkey.write_bytes(vkey)
        [known] = await one.newest()
        assert known.startswith(note.note.partition("\n\n")[0])


async def test_a_damaged_ledger_gives_no_proof_and_says_so(
    tmp_path: Path, ledger: Ledger, witness: OurWitness
) -> None:
    async with asking(ledger.path, witness.place()) as one:
        await one.publish(ledger.grow(3))
    note = ledger.grow(300)
    copy = ledger.copied_to(tmp_path / "copy")
    with sqlite3.connect(copy) as connection:
        for (name,) in connection.execute(_TRIGGERS).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM entry WHERE seq = 100")
    connection.close()
    async with asking(copy, witness.place()) as one:
        with pytest.raises(AnchorError, match="could not be read for a proof"):
            await one.publish(note)


async def test_a_witness_killed_before_it_answers_is_asked_again(
    tmp_path: Path, ledger: Ledger
) -> None:
    process = WitnessProcess(tmp_path / "w", log_vkey(ledger.path))
    with process:
        there = place(process.url, CosignerKey.parse(process.vkey))
        async with asking(ledger.path, there) as one:
            await one.publish(ledger.grow())
            process.kill()
            process.start(crash_at="answer")
            with pytest.raises(AnchorError, match=r"closed|cannot be reached") as caught:
                await one.publish(ledger.grow())
            assert not caught.value.conflict
            await asyncio.to_thread(process.ended)
            process.start()
            note = ledger.grow()
            [token] = await one.publish(note)
            assert times(note, token.content, there.key)
        assert process.who()["logs"][0]["size"] == note.size
