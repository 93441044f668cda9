"""`prove --keys`: with the first key alone, offline, a proof of any epoch is judged."""

import base64
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cli.conftest import Result
from tests.cli.test_key_epochs import Days, three_days
from tests.kit.attacker import vkey_text
from tests.kit.lab import LedgerLab, draft

DAY = 86_400.0
Command = Callable[..., Result]


@pytest.fixture
def days(tmp_path: Path, command: Command) -> Days:
    return three_days(tmp_path, command, DAY)


@pytest.fixture
def keys(days: Days, tmp_path: Path, command: Command) -> Path:
    path = tmp_path / "keys.txt"
    result = command("prove", days.path, "--keys", path)
    assert (result.code, result.out) == (0, "")
    assert "2 changes of the key" in result.err
    return path


def prove(days: Days, command: Command, seq: int) -> Path:
    path = days.path.parent.parent / f"{seq}.tlog-proof"
    assert command("prove", days.path, str(seq), "--output", path).code == 0
    return path


def judged(command: Command, proof: Path, *words: str | Path) -> Result:
    return command("verify", "--proof", proof, "--format", "json", *words)


def test_the_first_key_and_the_chain_judge_a_proof_of_any_day(
    days: Days, keys: Path, command: Command
) -> None:
    for seq in (0, days.named[0], days.named[1], days.named[1] + 1):
        result = judged(command, prove(days, command, seq), "--vkey", days.vkey, "--keys", keys)
        assert (result.code, result.json()["verdict"]) == (0, "intact")
        assert result.json()["index"] == seq
        assert result.json()["key"] != days.vkey.read_text().strip(), "today's key signed it"
        assert not result.json()["log_key"]


def test_without_the_chain_it_says_what_is_missing(days: Days, command: Command) -> None:
    seq = days.named[1] + 1
    result = command("prove", days.path, str(seq), "--output", days.path.with_name("p"))
    assert "--keys FILE writes what leads there" in result.err
    result = judged(command, days.path.with_name("p"), "--vkey", days.vkey)
    assert (result.code, result.json()["verdict"]) == (2, "undecided")
    assert "give --keys FILE as well" in result.json()["message"]


def test_the_log_key_alone_judges_what_was_published(days: Days, command: Command) -> None:
    with LedgerOf(days.path) as log_vkey:
        result = judged(command, prove(days, command, 3), "--vkey", log_vkey)
        assert (result.code, result.json()["log_key"]) == (0, True)
        text = command("verify", "--proof", prove(days, command, 4), "--vkey", log_vkey)
        assert "the log key, which is never changed" in text.out


class LedgerOf:
    """The log key that a ledger's genesis names."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def __enter__(self) -> str:
        [body] = self._db.execute("SELECT body FROM entry WHERE seq = 0").fetchone()
        return str(json.loads(body)["event"]["log_vkey"])

    def __exit__(self, *_: object) -> None:
        self._db.close()


def test_the_log_key_does_not_pin_the_heads(days: Days, command: Command) -> None:
    with LedgerOf(days.path) as log_vkey:
        result = command("verify", days.path, "--vkey", log_vkey, "--format", "json")
        assert (result.code, result.json()["findings"]) == (3, [])
        assert result.json()["key_pinned"] is False
        told = command("verify", days.path, "--vkey", log_vkey).out
        assert "the log key, which vouches for published checkpoints" in told
        published = days.path.parent / "published.txt"
        published.write_text(prove(days, command, 1).read_text().split("\n\n", 1)[1])
        words = ("--vkey", log_vkey, "--checkpoint", published)
        assert command("verify", days.path, *words).code == 0


def links(text: str) -> list[str]:
    return [f"{part}\n" for part in text.split("\n=\n")[1:-1]]


def _join(parts: list[str]) -> str:
    return "".join(f"{part}=\n" for part in ["audit-receiver/keys@v1\n", *parts])


def _other_body(text: str) -> str:
    first, *rest = links(text)
    line, _, proof = first.partition("\n")
    body = json.loads(base64.b64decode(line.removeprefix("body ")))
    body["event"]["vkey"] = vkey_text(
        Ed25519PrivateKey.generate(), body["event"]["vkey"].split("+")[0]
    )
    raw = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return _join([f"body {base64.b64encode(raw).decode()}\n{proof}", *rest])


FORGERIES: dict[str, tuple[Callable[[str], str], str]] = {
    "another key in the body": (_other_body, "its body is another one"),
    "the first change left out": (lambda text: _join(links(text)[1:]), "no line is by a key"),
    "changes in another order": (lambda text: _join(links(text)[::-1]), "no line is by a key"),
    "a change told twice": (lambda text: _join([links(text)[0], *links(text)]), "no line is by"),
    "cut off": (lambda text: text[:-3], "was cut off"),
    "no body": (lambda text: text.replace("body ", "bodies ", 1), "there is no `body` line"),
    "another file": (lambda text: f"x{text}", "does not begin with"),
    "a later head": (
        lambda text: text.replace("\nindex ", "\nindex 1", 1),
        "is no such entry",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_chain_that_was_changed_does_not_hold(
    days: Days, keys: Path, command: Command, name: str
) -> None:
    change, told = FORGERIES[name]
    text = keys.read_text()
    keys.write_text(change(text))
    assert keys.read_text() != text
    proof = prove(days, command, days.named[1] + 1)
    result = judged(command, proof, "--vkey", days.vkey, "--keys", keys)
    assert (result.code, result.json()["verdict"]) == (1, "tampered")
    assert told in result.json()["message"]


def test_a_chain_that_ends_too_early_leaves_the_later_key_unknown(
    days: Days, keys: Path, command: Command
) -> None:
    keys.write_text(_join(links(keys.read_text())[:1]))
    proof = prove(days, command, days.named[1] + 1)
    assert judged(command, proof, "--vkey", days.vkey, "--keys", keys).code == 1


def test_a_key_signs_for_its_own_sizes_only(
    days: Days, tmp_path: Path, command: Command, keys: Path
) -> None:
    """An old head under the key of another day, all of it genuine: not that key's to sign."""
    chain = links(keys.read_text())
    second = json.loads(base64.b64decode(chain[0].split("\n")[0].removeprefix("body ")))
    proof = tmp_path / "boundary"
    proof.write_text(chain[1].partition("\n")[2])  # entry s2 under the second key
    assert judged(command, proof, "--vkey", days.vkey, "--keys", keys).code == 0
    assert judged(command, proof, "--vkey", second["event"]["vkey"]).code == 0
    assert judged(command, proof, "--vkey", days.vkey).code == 2


def test_a_ledger_without_changes_has_an_empty_chain(tmp_path: Path, command: Command) -> None:
    lab = LedgerLab(tmp_path)
    lab.open()
    lab.append(draft("a"))
    lab.close()
    path = tmp_path / "keys.txt"
    assert command("prove", lab.path, "--keys", path).code == 0
    assert path.read_text() == "audit-receiver/keys@v1\n=\n"
    proof = tmp_path / "p"
    assert command("prove", lab.path, "2", "--output", proof).code == 0
    vkey = lab.path.with_suffix(".vkey")
    assert judged(command, proof, "--vkey", vkey, "--keys", path).code == 0


def test_every_link_is_a_tlog_proof_for_other_peoples_tools(keys: Path) -> None:
    for link in links(keys.read_text()):
        body, magic, extra, index, *_ = link.split("\n")
        assert (magic, body[:5], extra[:6]) == ("c2sp.org/tlog-proof@v1", "body ", "extra ")
        size = link.split("\n\n")[1].split("\n")[1]
        assert int(index.removeprefix("index ")) == int(size) - 1, "the last one under its head"


@pytest.mark.parametrize(
    "words",
    [
        ["prove", "LEDGER"],
        ["prove", "LEDGER", "--output", "x"],
        ["verify", "LEDGER", "--keys", "KEYS"],
    ],
)
def test_wrong_use_of_the_chain_is_said(
    days: Days, keys: Path, command: Command, words: list[str]
) -> None:
    places = {"LEDGER": days.path, "KEYS": keys}
    result = command(*(str(places.get(word, word)) for word in words))
    assert (result.code, result.out) == (2, "")
    assert result.err
