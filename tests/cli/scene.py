"""One copy to attack, how to ask about it afterwards, and what the answer must look like.

`outside` is what an auditor holds: the key and a checkpoint of the tip.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, canonical, sha3

Command = Callable[..., Result]
K = 100  # the entry that is attacked; neither first nor last of its commit
Found = set[tuple[str, int | None, int | None]]


class Scene(NamedTuple):
    """One copy to attack, and how to ask about it afterwards."""

    copy: Path
    populated: Populated
    command: Command

    @property
    def last(self) -> int:
        return self.populated.size - 1

    def attack(self) -> Attacker:
        return Attacker(self.copy)

    def verify(self, *options: str | Path) -> tuple[int, dict[str, Any]]:
        before = digest(self.copy)
        result = self.command("verify", self.copy, "--format", "json", *options)
        assert digest(self.copy) == before, "verify changed the file"
        return result.code, result.json()

    def outside(self, *, vkey: bool = True, note: bool = True) -> tuple[int, dict[str, Any]]:
        """With the key and a checkpoint of the tip from outside, or one of them."""
        key = ("--vkey", self.populated.vkey) if vkey else ()
        tip = self.populated.notes[self.populated.size]
        return self.verify(*key, *(("--checkpoint", tip) if note else ()))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def found(report: dict[str, Any]) -> Found:
    return {(one["kind"], one["first"], one["last"]) for one in report["findings"]}


def tampered(answer: tuple[int, dict[str, Any]]) -> Found:
    """The findings of a report that says `tampered`, each of them in full words."""
    code, report = answer
    assert (code, report["verdict"]) == (1, "tampered"), report
    for finding in report["findings"]:
        assert set(finding) == {"kind", "first", "last", "expected", "found", "message"}
        assert len(finding["message"]) > 10
    return found(report)


def mallory(body: dict[str, Any]) -> None:
    body["subject"]["actor"] = "mallory"
    body["audit"]["actor"]["id"] = "mallory"


def hash_of(attacker: Attacker, seq: int) -> str:
    row = attacker.db.execute("SELECT hash FROM entry WHERE seq = ?", (seq,)).fetchone()
    return str(row[0].hex())


def forge(attacker: Attacker, seq: int, prev: str, received: str = "") -> None:
    """An entry that was never received, well-formed in itself."""
    body, header = attacker.body(K - 1), attacker.header(K - 1)
    body["salt"] = "f" * 32
    header.update(seq=seq, prev=prev, body=sha3(canonical(body)), id="0123456789abcdef")
    header["received"] = received or header["received"][:-2] + "9Z"
    text = canonical(header)
    attacker.db.execute(
        "INSERT INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)",
        (seq, text, bytes.fromhex(sha3(text)), canonical(body)),
    )
