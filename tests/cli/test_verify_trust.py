"""`verify --policy --tsa-roots`: real cosignatures and a real authority's tokens in a ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from audit_receiver.inspection import stored
from audit_receiver.tlog.cosignature import Cosigner
from audit_receiver.tlog.note import Note, SignerKey
from tests.cli.conftest import Populated, Result
from tests.kit.attacker import Attacker, copy_of
from tests.kit.timestamping import TimestampAuthority

Command = Callable[..., Result]
WITNESS = Cosigner(SignerKey.generate("witness.example"))
SEEN = 1_795_000_000  # 2026-11-18T11:06:40Z, after the ledger's clock


class Kept(NamedTuple):
    """A ledger that keeps a time stamp for its first checkpoint and a cosignature for its last."""

    ledger: Path
    policy: Path
    roots: Path
    stamped: int
    cosigned: int


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("tsa") / "tsa.example")


@pytest.fixture
def kept(populated: Populated, authority: TimestampAuthority, tmp_path: Path) -> Kept:
    copy = copy_of(populated.path, tmp_path)
    with Attacker(copy) as hands:
        rows = hands.db.execute("SELECT size, note FROM checkpoint ORDER BY size").fetchall()
        (first, stamped), (last, published) = rows[0], rows[-1]
        note = Note.parse(published)
        lines = (*note.signatures, WITNESS.cosign(note.text, SEEN))
        cosigned = str(Note(note.text, lines)).encode()
        for row in (
            (first, "timestamp", "timestamp", authority.stamp(stamped.encode())),
            (last, "witness/auditor", "cosignature", cosigned),
        ):
            hands.db.execute("INSERT INTO anchored VALUES (?, ?, ?, ?)", row)
    policy = tmp_path / "policy.txt"
    policy.write_text(f"witness auditor {WITNESS.verifier}\nquorum auditor\n")
    return Kept(copy, policy, authority.root, first, last)


def told(command: Command, *words: str | Path) -> dict[str, Any]:
    return dict(command("verify", *words, "--format", "json").json())


def test_without_trust_tokens_are_listed_as_not_judged(command: Command, kept: Kept) -> None:
    report = told(command, kept.ledger)
    assert (report["stored"]["tokens"], report["stored"]["judged"]) == (2, 0)
    assert (report["brackets"], report["anchored_size"]) == ([], 0)
    assert "not judged: 1 of timestamp: nothing from outside" in command("verify", kept.ledger).out


def test_each_kind_of_trust_judges_its_own_tokens(command: Command, kept: Kept) -> None:
    stamps = told(command, kept.ledger, "--tsa-roots", kept.roots)
    assert [one["by"] for one in stamps["brackets"]] == ["signer of tsa.example"]
    assert (stamps["anchored_size"], stamps["assurance"]["level"]) == (kept.stamped, "ANCHORED")
    seen = told(command, kept.ledger, "--policy", kept.policy)
    assert [(one["by"], one["before"]) for one in seen["brackets"]] == [
        ("auditor", "2026-11-18T11:06:40.000000000Z")
    ]
    assert (seen["anchored_size"], seen["assurance"]["level"]) == (kept.cosigned, "WITNESSED")


def test_brackets_are_told_in_words(command: Command, kept: Kept) -> None:
    out = command("verify", kept.ledger, "--policy", kept.policy, "--tsa-roots", kept.roots).out
    assert f"entries before {kept.cosigned:,} existed before 2026-11-18T11:06:40Z" in out
    assert "(timestamp of signer of tsa.example)" in out


def test_an_authority_that_is_not_trusted_proves_nothing(
    command: Command, kept: Kept, tmp_path: Path
) -> None:
    other = TimestampAuthority(tmp_path / "other.example")
    report = told(command, kept.ledger, "--tsa-roots", other.root)
    assert (report["findings"], report["brackets"]) == ([], [])
    assert "does not chain to the authorities given" in " ".join(report["stored"]["not_judged"])


def test_a_token_moved_to_another_checkpoint_is_found(command: Command, kept: Kept) -> None:
    with Attacker(kept.ledger) as attacker:
        where = ("timestamp", kept.cosigned)
        attacker.db.execute("UPDATE anchored SET size = ?2 WHERE kind = ?1", where)
    report = told(command, kept.ledger, "--tsa-roots", kept.roots)
    assert report["verdict"] == "tampered"
    assert "a stamp of another text" in report["findings"][0]["message"]


@pytest.mark.parametrize("text", ["", "log x", "quorum nobody"])
def test_a_policy_that_is_none_is_wrong_use(
    command: Command, kept: Kept, tmp_path: Path, text: str
) -> None:
    policy = tmp_path / "bad.txt"
    policy.write_text(text)
    result = command("verify", kept.ledger, "--policy", policy)
    assert (result.code, result.out) == (2, "")
    assert "It is a C2SP tlog-policy" in " ".join(result.err.split())


def test_roots_that_are_none_are_wrong_use(command: Command, kept: Kept) -> None:
    result = command("verify", kept.ledger, "--tsa-roots", kept.policy)
    assert (result.code, result.out) == (2, "")


def test_tokens_and_checkpoints_are_read_in_pieces(
    command: Command, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = told(command, kept.ledger, "--tsa-roots", kept.roots)
    monkeypatch.setattr(stored, "PAGE", 1)
    assert told(command, kept.ledger, "--tsa-roots", kept.roots) == whole
    assert whole["stored"]["checkpoints"] >= 2
