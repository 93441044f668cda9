"""C2SP tlog-policy: what is read, what is refused, who is enough; with real cosignatures."""

from itertools import combinations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_receiver.tlog.cosignature import Cosigner
from audit_receiver.tlog.note import Note, SignerKey
from audit_receiver.verify.policy import PolicyError, parse
from audit_receiver.verify.trust import NotTrusted, Trust
from tests.verify.scene import Scene


def key_of(name: str) -> SignerKey:
    """The same in every process, since parameters are named after it."""
    private = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))
    return SignerKey(f"{name}.example", private)


WITNESSES = {name: Cosigner(key_of(name)) for name in "abcde"}
KEYS = {name: str(one.verifier) for name, one in WITNESSES.items()}
LOG = key_of("log")
SEEN = 1_795_000_000  # 2026-11-18T11:06:40Z
TEXT = f"""# the example of the specification, with two groups
log {LOG.verifier} https://log.example/

witness a {KEYS["a"]}
\twitness b {KEYS["b"]}   https://b.example/
witness c {KEYS["c"]}
group X 2 a b c
witness d {KEYS["d"]}
witness e {KEYS["e"]}
group Y any d e
group both all X Y
quorum both
"""


def cosign(note: str, *names: str) -> str:
    parsed = Note.parse(note)
    lines = (WITNESSES[name].cosign(parsed.text, SEEN) for name in names)
    return str(Note(parsed.text, (*parsed.signatures, *lines)))


def test_two_levels_of_groups_are_enough_as_the_specification_says() -> None:
    policy = parse(TEXT)
    for count in range(6):
        for names in combinations("abcde", count):
            of_x, of_y = len(set(names) & set("abc")), len(set(names) & set("de"))
            assert policy.enough(names) == (of_x >= 2 and of_y >= 1), names


def test_one_witness_or_none() -> None:
    assert parse(f"witness a {KEYS['a']}\nquorum a").enough({"a"})
    policy = parse("quorum none")
    assert not policy.enough(set())
    assert (policy.logs, policy.witnesses) == ((), {})


@pytest.mark.parametrize(
    "text",
    [
        "", "# nothing", f"witness a {KEYS['a']}", "quorum a", "quorum none\nquorum none", "quorum",
        "log x\nquorum none", f"log {KEYS['a']}\nquorum none",
        f"log {LOG.verifier} u v\nquorum none",
        f"log {LOG.verifier}\nlog {LOG.verifier}\nquorum none",
        f"witness a {LOG.verifier}\nquorum a", f"witness none {KEYS['a']}\nquorum none",
        f"witness a {KEYS['a']}\nwitness a {KEYS['b']}\nquorum a",
        f"witness a {KEYS['a']}\nwitness b {KEYS['a']}\nquorum a",
        f"quorum a\nwitness a {KEYS['a']}", f"witness a {KEYS['a']}\ngroup g all\nquorum g",
        f"witness a {KEYS['a']}\ngroup g 2 a\nquorum g",
        f"witness a {KEYS['a']}\ngroup g 0 a\nquorum g",
        f"witness a {KEYS['a']}\ngroup g 01 a\nquorum g",
        f"witness a {KEYS['a']}\ngroup g any a a\nquorum g",
        f"witness a {KEYS['a']}\ngroup g any a\ngroup h any a\nquorum g",
        f"witness a {KEYS['a']}\ngroup a any a\nquorum a", "group g any none\nquorum g",
        "quorum none\x00", "quorum none\r", "Quorum none", "quorum\u00a0none",
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_with_the_line(text: str) -> None:
    with pytest.raises(PolicyError):
        parse(text)


def test_the_line_is_named() -> None:
    with pytest.raises(PolicyError, match="line 3: no line before this one defines b"):
        parse(f"\nwitness a {KEYS['a']}\ngroup g any a b\nquorum g\n")


def trust(scene: Scene, quorum: str = "two", log: bool = False) -> Trust:
    lines = [f"witness {name} {KEYS[name]}" for name in "abc"]
    lines += [f"log {scene.vkey}"] if log else []
    policy = parse("\n".join([*lines, "group two 2 a b c", f"quorum {quorum}"]))
    return Trust(policy.cosigned, policy.enough)


def kept(scene: Scene, *names: str) -> str:
    note = scene.note(1051)
    scene.checkpoints = [[1051, note]]
    cosigned = cosign(note, *names)
    scene.tokens = [[1051, "witness", "cosignature", cosigned.encode()]]
    return cosigned


def test_cosignatures_of_enough_witnesses_make_it_witnessed(scene: Scene) -> None:
    kept(scene, "a", "c", "d")
    report = scene.verify(trust=trust(scene, log=True))
    assert (report.verdict, report.assurance.level) == ("intact", "WITNESSED")
    assert [one.by for one in report.brackets] == ["a", "c"], "d is not named by the policy"
    assert {one.before for one in report.brackets} == {"2026-11-18T11:06:40.000000000Z"}


def test_too_few_witnesses_bracket_and_do_not_cover(scene: Scene) -> None:
    kept(scene, "a", "d")
    report = scene.verify(trust=trust(scene))
    assert (report.verdict, report.anchored_size) == ("intact_unanchored", 0)
    assert [one.by for one in report.brackets] == ["a"]


def test_a_forged_cosignature_is_a_finding(scene: Scene) -> None:
    good = kept(scene, "a", "b")
    forger = Cosigner(SignerKey("a.example", Ed25519PrivateKey.generate()))
    parsed = Note.parse(good)
    line = forger.cosign(parsed.text, SEEN)
    mine = parsed.signatures[1]
    forged = Note(
        parsed.text, (parsed.signatures[0], mine.__class__(mine.name, mine.key_id, line.signature))
    )
    scene.tokens[0][3] = str(forged).encode()
    assert scene.found(trust=trust(scene)) == {("head", 1050, 1050)}


def test_a_log_that_the_policy_does_not_name_is_not_judged(scene: Scene) -> None:
    kept(scene, "a", "b")
    policy = parse(f"log {LOG.verifier}\nwitness a {KEYS['a']}\nquorum a")
    report = scene.verify(trust=Trust(policy.cosigned, policy.enough))
    assert (report.findings, report.stored.judged) == ((), 0)
    assert "names no key of the log" in report.stored.not_judged[0]
    with pytest.raises(NotTrusted):
        policy.cosigned(scene.note(1051))


def test_cosignatures_on_a_note_from_outside_count_as_well(scene: Scene) -> None:
    note = cosign(scene.note(902), "a", "b")
    report = scene.verify(notes=[note], trust=trust(scene))
    assert (report.assurance.level, report.anchored_size) == ("WITNESSED", 902)
    assert [(one.size, one.by) for one in report.brackets] == [(902, "a"), (902, "b")]
