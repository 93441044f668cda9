"""Checkpoints and tokens that the ledger keeps: checked, judged with trust from outside only."""

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_receiver.record import timestamp
from audit_receiver.verify import stored
from audit_receiver.verify.trust import NotTrusted, Seen, Trust
from tests.verify.scene import Scene, other_actor, signed_note, vkey_of
from tests.verify.test_heads import cut

END = 1051
LATER = timestamp.parse("2026-12-01T00:00:00.000000000Z")


def stamped(token: bytes, note: str) -> Seen:
    """A stand-in for an authority: the token is the note's size and what it thinks of it."""
    word, size = token.decode().split()
    if note.split("\n")[1] != size:
        raise ValueError("the token is of another text")
    if word == "foreign":
        raise NotTrusted("the authority is none of those that were given")
    return Seen("tsa.example", LATER if word == "good" else 1_000_000_000)


def cosigned(note: str) -> Sequence[Seen]:
    names = [line.split()[1] for line in note.split("\n") if line.startswith("\u2014 w")]
    return [Seen(name, LATER) for name in names]


TRUST = Trust(cosigned=cosigned, quorum=lambda names: len(set(names)) >= 2, stamped=stamped)


def keep(scene: Scene, *sizes: int) -> None:
    scene.checkpoints += [[size, scene.note(size)] for size in sizes]


def test_checkpoints_that_hold_are_counted_with_their_signatures(scene: Scene) -> None:
    keep(scene, 1, 902, END)
    report = scene.verify()
    assert (report.findings, report.stored.checkpoints, report.stored.signatures) == ((), 3, 3)
    assert report.verdict == "intact_unanchored", "what lies in the file is not from outside"


def test_a_stored_checkpoint_of_another_history_is_a_fork(scene: Scene) -> None:
    keep(scene, 902)
    scene.rewrite(800)
    scene.regrow()
    scene.resign()
    assert scene.found() == {("forked", 901, 901)}


def test_an_entry_changed_below_a_stored_checkpoint_is_located_once(scene: Scene) -> None:
    keep(scene, 902)
    before = scene.copy()
    scene.edit_header(800, lambda header: header.update(outcome="failure"))
    before.edit_header(800, lambda header: header.update(outcome="failure"))
    before.checkpoints.clear()
    assert scene.found() == before.found()


@pytest.mark.parametrize("note", ["", "x", None, 5, b"x", "lab\n1\n\n\u2014 x AAAAAA==\n"])
def test_a_stored_checkpoint_that_is_none_is_found(scene: Scene, note: object) -> None:
    scene.checkpoints.append([902, note])
    assert scene.found() == {("head", 901, 901)}


def test_a_stored_checkpoint_under_another_size_is_found(scene: Scene) -> None:
    scene.checkpoints.append([902, scene.note(287)])
    assert scene.found() == {("head", 901, 901)}


def test_a_stored_checkpoint_signed_by_another_key_is_found(scene: Scene) -> None:
    scene.checkpoints.append([902, scene.note(902, key=Ed25519PrivateKey.generate())])
    assert scene.found() == {("head", 901, 901)}


def test_a_stored_checkpoint_without_a_line_of_the_ledgers_key_is_found(scene: Scene) -> None:
    other = Ed25519PrivateKey.generate()
    text = scene.note(902).partition("\n\n")[0] + "\n"
    note = signed_note(text, vkey_of(other, scene.vkey.name), other.sign(text.encode()))
    scene.checkpoints.append([902, note])
    assert scene.found() == {("head", 901, 901)}


def test_the_line_of_the_log_key_is_checked_too(scene: Scene) -> None:
    log_key = scene.body(0)["event"]["log_vkey"]
    forged = Ed25519PrivateKey.generate()
    text = scene.note(902)
    line = signed_note("", vkey_of(forged, scene.vkey.name), forged.sign(b"x")).lstrip("\n")
    scene.checkpoints.append([902, text + line])
    assert scene.found() == set(), "a line of somebody unknown says nothing"
    named = scene.vkey.__class__.parse(log_key)
    line = signed_note("", named, bytes(64)).lstrip("\n")
    scene.checkpoints[0][1] = text + line
    assert scene.found() == {("head", 901, 901)}


def test_a_tail_cut_off_with_its_checkpoint_left_is_found(scene: Scene) -> None:
    keep(scene, 902, END)
    cut(scene, 902)
    assert scene.found() == {("truncated", 902, END - 1)}


def test_a_checkpoint_in_the_middle_of_missing_entries_says_nothing(scene: Scene) -> None:
    keep(scene, 902)
    del scene.entries[880:910]
    assert "forked" not in {kind for kind, _, _ in scene.found()}


# ---- tokens --------------------------------------------------------------------------------------


def test_without_trust_tokens_are_counted_and_not_judged(scene: Scene) -> None:
    keep(scene, 902)
    scene.tokens = [[902, "timestamp", "timestamp", b"good 902"], [902, "s3", "object", b"{}"]]
    report = scene.verify()
    assert (report.stored.tokens, report.stored.judged, report.brackets) == (2, 0, ())
    assert any("--policy" in text for text in report.stored.not_judged)
    assert any("proves nothing by itself" in text for text in report.stored.not_judged)
    assert report.findings == ()


def test_a_trusted_timestamp_covers_and_brackets(scene: Scene) -> None:
    keep(scene, 902)
    scene.tokens = [[902, "timestamp", "timestamp", b"good 902"]]
    report = scene.verify(trust=TRUST)
    assert (report.anchored_size, report.assurance.level) == (902, "ANCHORED")
    [bracket] = report.brackets
    assert (bracket.size, bracket.before) == (902, "2026-12-01T00:00:00.000000000Z")
    assert bracket.by == "tsa.example"
    assert report.unanchored == len([r for r in scene.entries[902:] if '"ledger"' not in r[1]])


def test_an_authority_that_was_not_named_is_not_judged(scene: Scene) -> None:
    keep(scene, 902)
    scene.tokens = [[902, "timestamp", "timestamp", b"foreign 902"]]
    report = scene.verify(trust=TRUST)
    assert (report.anchored_size, report.stored.judged) == (0, 0)
    assert "none of those" in report.stored.not_judged[0]


def test_a_token_of_another_text_is_a_finding(scene: Scene) -> None:
    keep(scene, 287, 902)
    scene.tokens = [[902, "timestamp", "timestamp", b"good 287"]]
    assert scene.found(trust=TRUST) == {("head", 901, 901)}


def test_a_token_without_its_checkpoint_is_a_finding(scene: Scene) -> None:
    scene.tokens = [[902, "timestamp", "timestamp", b"good 902"]]
    assert scene.found() == {("head", 901, 901)}


def test_a_token_that_is_older_than_the_entries_it_covers_contradicts_their_times(
    scene: Scene,
) -> None:
    keep(scene, 902)
    scene.tokens = [[902, "timestamp", "timestamp", b"early 902"]]
    assert scene.found(trust=TRUST) == {("time", 901, 901)}


@pytest.mark.parametrize(("names", "level"), [(("w1", "w2"), "WITNESSED"), (("w1",), "ANCHORED")])
def test_enough_witnesses_make_it_witnessed(
    scene: Scene, names: tuple[str, ...], level: str
) -> None:
    keep(scene, END)
    note = scene.note(END) + "".join(f"\u2014 {name} AAAAAAAA\n" for name in names)
    scene.tokens = [[END, "witness", "cosignature", note.encode()]]
    report = scene.verify(pinned=scene.vkey, trust=TRUST)
    enough = level == "WITNESSED"
    assert report.assurance.level == (level if enough else "SIGNED")
    assert report.verdict == ("intact" if enough else "intact_unanchored")
    assert len(report.brackets) == len(names)


def test_a_cosignature_of_another_checkpoint_is_a_finding(scene: Scene) -> None:
    keep(scene, 902)
    scene.tokens = [[902, "witness", "cosignature", scene.note(287).encode()]]
    assert scene.found(trust=TRUST) == {("head", 901, 901)}


def test_tokens_over_a_history_that_was_rewritten_cover_nothing(scene: Scene) -> None:
    keep(scene, 902)
    scene.tokens = [[902, "timestamp", "timestamp", b"good 902"]]
    scene.edit_body(800, other_actor)
    scene.refit(800)
    scene.rechain(800)
    scene.regrow()
    scene.resign()
    report = scene.verify(trust=TRUST)
    assert (report.verdict, report.anchored_size, report.brackets) == ("tampered", 0, ())


def test_brackets_stay_few_and_keep_the_newest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MOST_BRACKETS", 8)
    sizes = [row[0] for row in scene.heads]
    keep(scene, *sizes)
    scene.tokens = [[size, "t", "timestamp", f"good {size}".encode()] for size in sizes]
    brackets = scene.verify(trust=TRUST).brackets
    assert len(brackets) <= 8
    assert (brackets[0].size, brackets[-1].size) == (sizes[0], sizes[-1])
    assert [one.size for one in brackets] == sorted({one.size for one in brackets})
