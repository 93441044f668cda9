"""A monitor over a mirror that grows, is forked, rolled back, damaged, silent or gone."""

import functools
import gzip
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from audit_receiver.cli.main import run
from audit_receiver.errors import LedgerError
from audit_receiver.mirror.monitor import Monitor
from audit_receiver.mirror.stores import DirectoryStore
from audit_receiver.mirror.web import WebSource
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.note import SignerKey
from tests.kit.lab import LedgerLab
from tests.kit.mirrors import grow_to, mirror, vkey_of
from tests.kit.outside import Outside, Reply


class Watch:
    """A monitor that is made anew for each look, as after a restart, with a clock of the test."""

    def __init__(self, lab: LedgerLab, place: Path, state: Path) -> None:
        self.lab, self.place, self.state = lab, place, state
        self.now = 1_000_000
        self.silence = 0.0

    def grow(self, size: int) -> None:
        grow_to(self.lab, size)
        mirror(self.lab, DirectoryStore(self.place))

    def look(self, entries: bool = True) -> str:
        source, key = DirectoryStore(self.place), vkey_of(self.lab.path)
        self.told = Monitor(
            source, [key], self.state, lambda: self.now, self.silence, entries
        ).look()
        return self.told.alarm

    def signs(self, size: int, root: bytes) -> str:
        """What the operator can sign, having the key."""
        path = self.lab.path
        key = SignerKey.from_pem(vkey_of(path).name, path.with_suffix(".key").read_bytes())
        checkpoint = Checkpoint(key.verifier.name, size, root)
        return signed(checkpoint, key.sign(checkpoint.text().encode()), key.verifier)


@pytest.fixture
def watch(lab: LedgerLab, place: Path, tmp_path: Path) -> Watch:
    return Watch(lab, place, tmp_path / "state.json")


def test_growth_is_consistent_at_every_step_and_remembered(watch: Watch) -> None:
    for size in (3, 255, 256, 300, 700):
        watch.grow(size)
        assert (watch.look(), watch.told.size) == ("", size)
    assert watch.look() == ""
    assert json.loads(watch.state.read_text())["entries"] == 700


def test_a_history_that_was_rewritten_with_the_ledgers_own_key_is_a_fork(
    watch: Watch, tmp_path: Path
) -> None:
    watch.grow(300)
    watch.look()
    state = watch.state.read_bytes()
    other = LedgerLab(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.open()
    shutil.rmtree(watch.place)
    grow_to(other, 400)
    mirror(other, DirectoryStore(watch.place))
    root = Checkpoint.parse((watch.place / "checkpoint").read_text().split("\n\n")[0] + "\n").root
    (watch.place / "checkpoint").write_text(watch.signs(400, root))
    assert watch.look() == "fork"
    evidence = Path(watch.told.evidence).read_text()
    assert [f"{note}\n" for note in evidence.split("\n=\n")[:2]] == [
        json.loads(state)["note"],
        (watch.place / "checkpoint").read_text(),
    ]
    assert watch.state.read_bytes() == state, "what does not hold is not remembered"
    assert watch.look() == "fork"
    other.discard()


def test_another_root_of_the_same_size_is_a_fork(watch: Watch) -> None:
    watch.grow(300)
    watch.look()
    (watch.place / "checkpoint").write_text(watch.signs(300, bytes(32)))
    assert watch.look() == "fork"


def test_a_smaller_log_is_a_rollback(watch: Watch, tmp_path: Path) -> None:
    watch.grow(300)
    early = tmp_path / "early"
    shutil.copytree(watch.place, early)
    watch.look()
    watch.grow(400)
    assert watch.look() == ""
    watch.place = early
    assert (watch.look(), watch.told.size) == ("rollback", 400)


def test_another_key_or_a_changed_note_is_a_bad_signature(watch: Watch) -> None:
    watch.grow(30)
    note = (watch.place / "checkpoint").read_text()
    (watch.place / "checkpoint").write_text(note.replace("\n30\n", "\n31\n"))
    assert watch.look() == "bad_signature"
    stranger = SignerKey.generate(vkey_of(watch.lab.path).name)
    checkpoint = Checkpoint.parse(note.split("\n\n")[0] + "\n")
    forged = signed(checkpoint, stranger.sign(checkpoint.text().encode()), stranger.verifier)
    (watch.place / "checkpoint").write_text(forged)
    assert watch.look() == "bad_signature"
    assert not watch.state.exists()


@pytest.mark.parametrize("name", ["tile/entries/001", "tile/0/001", "tile/1/000.p/2"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_piece_that_is_changed_or_gone_is_damage(watch: Watch, name: str, how: str) -> None:
    watch.grow(30)
    watch.look()
    watch.grow(700)
    path = watch.place / name
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.unlink() if how == "gone" else path.write_bytes(data)
    assert watch.look() == "damaged"
    assert name in watch.told.message
    assert watch.told.size == 30


def test_headers_that_are_signed_and_do_not_chain_are_damage(watch: Watch, place: Path) -> None:
    watch.grow(20)
    headers = [b'{"prev":"%s","seq":%d}' % (b"0" * 64, seq) for seq in range(2)]
    from audit_receiver.mirror import bundles
    from tests.kit.reference import leaf, root

    shutil.rmtree(place)
    store = DirectoryStore(place)
    store.put("tile/entries/000.p/2", bundles.encode_entries(headers))
    store.put("tile/0/000.p/2", b"".join(map(leaf, headers)))
    store.put("checkpoint", watch.signs(2, root(headers)).encode())
    assert watch.look() == "damaged"
    assert "entry 1 is signed, and does not name the entry before it" in watch.told.message
    assert watch.look(entries=False) == ""


def test_silence_is_told_once_it_lasts_too_long(watch: Watch) -> None:
    watch.silence = 600.0
    watch.grow(30)
    watch.look()
    watch.now += 600
    assert watch.look() == ""
    watch.now += 1
    assert watch.look() == "silence"
    watch.grow(31)
    assert watch.look() == ""


def test_a_place_that_is_gone_is_unreachable_and_forgets_nothing(watch: Watch) -> None:
    watch.grow(30)
    watch.look()
    shutil.rmtree(watch.place)
    assert (watch.look(), watch.told.size) == ("unreachable", 30)


def test_a_state_that_cannot_be_read_ends_it(watch: Watch) -> None:
    watch.grow(30)
    watch.state.write_text("{}")
    with pytest.raises(LedgerError, match="not what a monitor remembers"):
        watch.look()


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def served(place: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with serving(functools.partial(Quiet, directory=str(place))) as url:
        yield url


def test_any_web_server_will_do(watch: Watch, served: str) -> None:
    watch.grow(700)
    key = vkey_of(watch.lab.path)
    told = Monitor(WebSource(served), [key], watch.state, lambda: 1).look()
    assert (told.alarm, told.size) == ("", 700)


def test_a_web_server_may_pack_without_being_asked(watch: Watch) -> None:
    class Packing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = watch.place / self.path.lstrip("/")
            self.send_response(200 if path.is_file() else 404)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(gzip.compress(path.read_bytes() if path.is_file() else b""))

        def log_message(self, *_: object) -> None:
            pass

    watch.grow(300)
    key = vkey_of(watch.lab.path)
    with serving(Packing) as url:
        assert Monitor(WebSource(url), [key], watch.state, lambda: 1).look().alarm == ""


def test_a_redirect_is_not_followed(watch: Watch) -> None:
    watch.grow(300)
    key = vkey_of(watch.lab.path)
    with Outside(lambda asked: Reply(200)) as outside:
        outside.fault = "redirect"
        told = Monitor(WebSource(outside.url), [key], watch.state, lambda: 1).look()
        assert outside.redirected == []
    assert told.alarm == "unreachable"


def test_the_command_answers_with_codes_lines_and_a_webhook(
    watch: Watch, served: str, capsys: pytest.CaptureFixture[str]
) -> None:
    watch.grow(300)
    vkey = watch.lab.path.with_suffix(".vkey")
    words = ["monitor", served, "--vkey", str(vkey), "--state", str(watch.state), "--once"]
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["size"], err) == (300, "")
    (watch.place / "checkpoint").write_text(watch.signs(200, bytes(32)))
    with Outside(lambda asked: Reply(204)) as outside:
        assert run([*words, "--webhook", outside.url]) == 1
        [asked] = outside.asked
    out, err = capsys.readouterr()
    assert json.loads(out)["alarm"] == json.loads(asked.body)["alarm"] == "rollback"
    assert err.startswith("ALARM rollback: ")
    shutil.rmtree(watch.place)
    assert run(words) == 2
    assert run(["monitor", "nowhere", "--vkey", str(vkey), "--once"]) == 2
