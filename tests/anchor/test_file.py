"""Checkpoints in a file and on standard output."""

import json
import os
from pathlib import Path

import pytest

from audit_receiver.anchor.file import FileAnchor, notes
from audit_receiver.anchor.model import AnchorError, Published
from audit_receiver.anchor.stdout import StdoutAnchor
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import SignerKey

SIGNER = SignerKey.generate("lab/1")


def published(size: int) -> Published:
    checkpoint = Checkpoint("lab/1", size, bytes([size]) * 32)
    note = signed(checkpoint, SIGNER.sign(checkpoint.text().encode()), SIGNER.verifier)
    return Published("lab/1", size, checkpoint.root, note, 1_790_000_000_000_000_000 + size)


async def test_every_note_is_appended_and_the_last_ones_are_known(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "yet.txt"
    anchor = FileAnchor("file", path)
    assert await anchor.newest() == ()
    for size in (1, 2, 3):
        assert await anchor.publish(published(size)) == ()
    wanted = [published(size).note for size in (1, 2, 3)]
    assert path.read_text() == "".join(f"{note}=\n" for note in wanted)
    assert list(await FileAnchor("file", path).newest()) == wanted
    await anchor.close()


async def test_a_note_that_a_crash_cut_off_spoils_neither_the_next_nor_the_one_before(
    tmp_path: Path,
) -> None:
    anchor, path = FileAnchor("file", tmp_path / "c.txt"), tmp_path / "c.txt"
    await anchor.publish(published(1))
    whole = path.read_text()
    torn = f"{published(2).note}=\n"
    for cut in range(1, len(torn.encode())):
        path.write_bytes(whole.encode() + torn.encode()[:cut])
        found = await anchor.newest()
        assert published(1).note in found, cut
        await anchor.publish(published(3))
        found = await anchor.newest()
        assert (found[0], found[-1]) == (published(1).note, published(3).note), cut
    await anchor.close()


async def test_of_a_long_file_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    many = [published(n % 250).note for n in range(1, 2000)]
    path.write_text("".join(f"{note}=\n" for note in many))
    anchor = FileAnchor("file", path)
    found = await anchor.newest()
    assert list(found) == many[-len(found) :]
    assert 100 < len(found) < 1000
    await anchor.close()


async def test_what_the_file_system_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    anchor = FileAnchor("file", tmp_path / "file" / "c.txt")
    with pytest.raises(AnchorError, match=r"c\.txt: .+"):
        await anchor.publish(published(1))
    with pytest.raises(AnchorError, match="Not a directory"):
        await anchor.newest()
    await anchor.close()


def test_text_that_is_no_note_is_left_out() -> None:
    note = published(1).note
    assert list(notes(f"{note}=\nhello\n=\n{note}=\n{note}")) == [note, note]


async def test_a_line_on_standard_output_holds_the_note() -> None:
    read, write = os.pipe()
    anchor = StdoutAnchor("stdout", write)
    assert await anchor.publish(published(7)) == ()
    line = json.loads(os.read(read, 65536))
    assert line == {
        "audit_receiver": "checkpoint",
        "note": published(7).note,
        "origin": "lab/1",
        "root": "07" * 32,
        "size": 7,
        "time": "2026-09-21T14:13:20.000000007Z",
    }
    assert await anchor.newest() == ()
    os.close(read)
    with pytest.raises(AnchorError, match="Broken pipe"):
        await anchor.publish(published(8))
    os.close(write)


async def test_a_pipe_that_nobody_reads_is_a_failure_and_no_wait() -> None:
    read, write = os.pipe()
    anchor = StdoutAnchor("stdout", write)

    async def fill() -> None:
        for size in range(1, 200):
            await anchor.publish(published(size))

    with pytest.raises(AnchorError, match="the pipe is full"):
        await fill()
    os.set_blocking(read, False)
    lines = os.read(read, 1 << 20).splitlines()
    assert all(json.loads(line)["size"] == n for n, line in enumerate(lines, 1))
    os.close(read)
    os.close(write)
