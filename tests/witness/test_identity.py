"""A witness's key and memory belong together: what is missing or changed is refused."""

import json
from pathlib import Path

import pytest

from audit_receiver.tlog.cosignature import Cosigner
from audit_receiver.tlog.note import SignerKey
from audit_receiver.witness import files, identity
from audit_receiver.witness.core import Witness
from audit_receiver.witness.files import WitnessError
from audit_receiver.witness.identity import Opened, WitnessFiles, open_or_create
from audit_receiver.witness.logs import parse
from tests.kit.logs import SmallLog

LOG = SmallLog()


@pytest.fixture
def place(tmp_path: Path) -> WitnessFiles:
    return WitnessFiles.within(tmp_path / "data")


def begin(place: WitnessFiles, name: str = "") -> Opened:
    """Open and let go of the lock, as one run of the witness does."""
    opened = open_or_create(place, name)
    opened.lock.release()
    return opened


def used(place: WitnessFiles) -> Opened:
    """A witness that has cosigned something."""
    opened = begin(place)
    witness = Witness(parse([LOG.vkey]), opened.cosigner, opened.memory, lambda: 1_790_000_000)
    assert witness.add_checkpoint(LOG.submission(0, 7)).status == 200
    return opened


def test_the_first_start_makes_all_and_the_second_takes_it(place: WitnessFiles) -> None:
    first = begin(place, "auditor.example.com/w")
    assert first.made
    assert place.vkey.read_text() == f"{first.cosigner.verifier}\n"
    assert place.key.stat().st_mode & 0o777 == 0o400
    second = begin(place)
    assert not second.made
    assert second.cosigner.verifier == first.cosigner.verifier
    assert begin(place, "auditor.example.com/w").cosigner.verifier == first.cosigner.verifier


def test_without_a_name_no_two_witnesses_are_called_the_same(tmp_path: Path) -> None:
    names = {
        begin(WitnessFiles.within(tmp_path / side)).cosigner.verifier.name for side in ("a", "b")
    }
    assert len(names) == 2


def test_a_key_may_lie_elsewhere(tmp_path: Path) -> None:
    place = WitnessFiles.within(tmp_path / "data", tmp_path / "secret" / "key.pem")
    used(place)
    assert place.key.exists()
    assert not begin(place).made


def test_a_lost_memory_is_not_begun_anew(place: WitnessFiles) -> None:
    used(place)
    place.memory.unlink()
    for _ in range(2):
        with pytest.raises(WitnessError, match="a key and no memory") as caught:
            open_or_create(place)
    assert "start a new witness with another --data directory" in str(caught.value)
    assert not place.memory.exists()


def test_the_same_of_a_witness_that_never_cosigned(place: WitnessFiles) -> None:
    begin(place)
    place.memory.unlink()
    with pytest.raises(WitnessError, match="a key and no memory"):
        open_or_create(place)


@pytest.mark.parametrize("lost", ["key", "vkey"])
def test_a_lost_key_is_not_made_anew(place: WitnessFiles, lost: str) -> None:
    used(place)
    gone: Path = getattr(place, lost)
    gone.unlink()
    with pytest.raises(WitnessError, match="is missing, but this witness has run before"):
        open_or_create(place)
    assert not gone.exists()


def test_key_and_memory_lost_together_with_the_public_key_left(place: WitnessFiles) -> None:
    used(place)
    place.key.unlink()
    place.memory.unlink()
    with pytest.raises(WitnessError, match="has run before"):
        open_or_create(place)


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_first_start_that_was_cut_off_is_made_anew(
    place: WitnessFiles, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [written]
    real = files.replace_durably

    def cut(path: Path, content: bytes, mode: int) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(path, content, mode)

    with monkeypatch.context() as patch:
        patch.setattr(identity, "replace_durably", cut)
        patch.setattr("audit_receiver.witness.memory.replace_durably", cut)
        with pytest.raises(KeyboardInterrupt):
            open_or_create(place)
    assert not place.key.exists()
    assert begin(place).made
    assert not begin(place).made


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda text: "", "damaged", id="empty"),
        pytest.param(lambda text: text[:-20], "damaged", id="cut off"),
        pytest.param(lambda text: "[]", "damaged", id="another kind"),
        pytest.param(lambda text: '{"notes": {}}', "damaged", id="without its witness"),
        pytest.param(lambda text: text.replace("\\n7\\n", "\\n5\\n"), "was changed", id="size"),
        pytest.param(
            lambda text: text.replace(f'"{LOG.origin}":', '"log.example/two":'),
            "was changed",
            id="another log's",
        ),
        pytest.param(lambda text: text.replace(": 1,", ": 2,", 1), "version 2", id="version"),
    ],
)
def test_a_changed_memory_is_refused(place: WitnessFiles, change: object, says: str) -> None:
    used(place)
    text = place.memory.read_text()
    assert callable(change)
    assert change(text) != text
    place.memory.write_text(change(text))
    with pytest.raises(WitnessError, match=says):
        open_or_create(place)


def test_a_note_that_this_witness_did_not_cosign_is_refused(place: WitnessFiles) -> None:
    used(place)
    state = json.loads(place.memory.read_text())
    state["notes"][LOG.origin] = LOG.note(3)
    place.memory.write_text(json.dumps(state))
    with pytest.raises(WitnessError, match="this witness did not cosign it"):
        open_or_create(place)


def test_the_memory_of_another_witness_is_refused(tmp_path: Path, place: WitnessFiles) -> None:
    used(place)
    other = WitnessFiles.within(tmp_path / "other")
    used(other)
    place.memory.write_bytes(other.memory.read_bytes())
    with pytest.raises(WitnessError, match="is the memory"):
        open_or_create(place)


def test_another_key_under_the_same_name_is_refused(place: WitnessFiles) -> None:
    opened = used(place)
    name = opened.cosigner.verifier.name
    place.key.unlink()
    place.key.write_bytes(SignerKey.generate(name).to_pem())
    with pytest.raises(WitnessError, match="is not the key of"):
        open_or_create(place)
    place.vkey.write_text(f"{Cosigner(SignerKey.generate(name)).verifier}\n")
    with pytest.raises(WitnessError, match="is not the key of"):
        open_or_create(place)


def test_a_witness_keeps_its_name(place: WitnessFiles) -> None:
    begin(place, "a.example")
    with pytest.raises(WitnessError, match=r"this witness is a\.example and cannot become b"):
        open_or_create(place, "b.example")


def test_a_name_with_a_space_is_refused_before_anything_is_written(place: WitnessFiles) -> None:
    with pytest.raises(WitnessError, match="--name"):
        open_or_create(place, "a b")
    assert not place.memory.exists()


def test_two_witnesses_never_run_on_one_memory(place: WitnessFiles) -> None:
    held = open_or_create(place)
    with pytest.raises(WitnessError, match="another witness runs on this directory"):
        open_or_create(place)
    held.lock.release()
    begin(place)


def test_logs_are_keys_files_of_keys_and_policies(tmp_path: Path) -> None:
    two, three = SmallLog("log.example/two"), SmallLog("log.example/three")
    again = SmallLog("log.example/two")  # a second key of the same log
    file = tmp_path / "logs"
    file.write_text(f"# ours\n\n{two.vkey}\n log  {three.vkey}\thttps://x.example\n{again.vkey}\n")
    found = parse([LOG.vkey + "\r\n", str(file), str(file)])
    assert {origin: len(keys) for origin, keys in found.items()} == {
        LOG.origin: 1,
        two.origin: 2,
        three.origin: 1,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# nothing", "no log: give --log KEY"),
        ("a+b+c", r"line 1: .*base64.*log_vkey"),
        ("{vkey}\nrubbish", "line 2: a verifier key is"),
        ("w+6fcfa782+BLYXHgT0xGE53301K/qMMKkgc7VPiJQcWAETugFrFa1e", "line 1: .*type 01"),
    ],
)
def test_what_is_no_log_key_is_named_with_file_and_line(
    tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "logs"
    file.write_text(text.format(vkey=LOG.vkey))
    with pytest.raises(WitnessError, match=says):
        parse([str(file)])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WitnessError, match="No such file"):
        parse([str(tmp_path / "none")])
    with pytest.raises(WitnessError, match="no log: give --log"):
        parse([])
