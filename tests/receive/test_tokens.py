"""Bearer tokens: who may send, and a file that is read anew (receive/tokens.py)."""

import hashlib
import logging
import re
from pathlib import Path

import pytest

from audit_receiver.errors import ConfigError, Forbidden, Unauthenticated
from audit_receiver.receive import tokens
from audit_receiver.receive.tokens import Tokens, mint, parse


def line(secret: str, name: str, role: str = "ingest") -> str:
    return f"{role} {hashlib.sha256(secret.encode()).hexdigest()} {name}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text("# pipelines\n\n" + line("one", "payments") + line("two", "console", "read"))
    return path


@pytest.mark.parametrize("header", ["Bearer one", "bearer one", "BEARER  one "])
def test_a_known_token_names_its_bearer(file: Path, header: str) -> None:
    assert Tokens(file).holder(header).name == "payments"


@pytest.mark.parametrize(
    "header", [None, "", "one", "Basic one", "Bearer", "Bearer ", "Bearer on", "Bearer one two"]
)
def test_every_other_header_is_unauthenticated(file: Path, header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        Tokens(file).holder(header)


def test_a_reader_may_not_send(file: Path) -> None:
    with pytest.raises(Forbidden, match="console has the role read"):
        Tokens(file).holder("Bearer two")


def test_the_digest_itself_is_no_token(file: Path) -> None:
    with pytest.raises(Unauthenticated):
        Tokens(file).holder("Bearer " + hashlib.sha256(b"one").hexdigest())


def test_a_changed_file_is_read_anew_and_a_broken_one_changes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.0)
    known = Tokens(file)
    file.write_text("ingest nonsense\n")
    with caplog.at_level(logging.ERROR):
        assert known.holder("Bearer one").name == "payments"
        known.holder("Bearer one")
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # once, not each time
    file.write_text(line("three", "billing"))
    assert known.holder("Bearer three").name == "billing"
    with pytest.raises(Unauthenticated):
        known.holder("Bearer one")
    file.unlink()
    assert known.holder("Bearer three").name == "billing"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no token"),
        ("# nothing\n", "holds no token"),
        ("\ningest abc name\n", ":2: is no token"),
        ("owner " + "0" * 64 + " name\n", ":1: is no token"),
        ("ingest " + "0" * 64 + "\n", ":1: is no token"),
        ("ingest " + "0" * 64 + " a b\n", ":1: is no token"),
        (line("one", "x") + line("two", "x"), ":2: the name x is there twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(str(path))) as refused:
        parse(path)
    assert words in str(refused.value)
    assert "audit-receiver token" in str(refused.value) or "give each" in str(refused.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Tokens(tmp_path / "none")


def test_a_new_token_is_taken_and_its_line_does_not_hold_it(tmp_path: Path) -> None:
    secret, written = mint("payments/eu", "ingest")
    path = tmp_path / "tokens"
    path.write_text(written + "\n")
    assert secret not in written
    assert Tokens(path).holder(f"Bearer {secret}").name == "payments/eu"
    assert len({mint("a", "read")[0] for _ in range(100)}) == 100


@pytest.mark.parametrize(("name", "role"), [("", "ingest"), ("a b", "ingest"), ("a", "owner")])
def test_a_name_or_role_that_would_break_the_file_is_refused(name: str, role: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        mint(name, role)
