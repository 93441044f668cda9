"""The chain of keys by itself: what cannot be made with a real ledger."""

import base64
import hashlib
import json
from hashlib import sha3_256

import pytest

from audit_receiver.tlog.bundle import Proof
from audit_receiver.tlog.checkpoint import Checkpoint, signed
from audit_receiver.tlog.keychain import KeyChain, Link, parse, render
from audit_receiver.tlog.merkle import leaf_hash
from audit_receiver.tlog.note import SignerKey
from audit_receiver.tlog.proof import ProofError

FIRST, SECOND, THIRD = (SignerKey.generate("x/1") for _ in range(3))


def link(signer: SignerKey, vkey: object, at: int = 0, **other: object) -> Link:
    """A key entry alone in a tree of one, or with as many equal leaves before it."""
    body = json.dumps({"event": {"name": "key", "vkey": str(vkey)}}).encode()
    header = {"action": "ledger.key", "body": sha3_256(body).hexdigest(), "kind": "ledger"}
    leaf = json.dumps({**header, "seq": at, **other}).encode()
    path: list[bytes] = []
    root = leaf_hash(leaf)
    if at:  # 1: the right one of two
        left = bytes(32)
        root, path = hashlib.sha256(b"\1" + left + root).digest(), [left]
    size = at + 1
    checkpoint = Checkpoint(signer.verifier.name, size, root)
    note = signed(checkpoint, signer.sign(checkpoint.text().encode()), signer.verifier)
    return Link(body, Proof(at, leaf, tuple(path), note))


def broken(*links: Link) -> str:
    with pytest.raises(ProofError) as caught:
        KeyChain.of(FIRST.verifier, links)
    return str(caught.value)


def test_each_key_has_its_sizes() -> None:
    chain = KeyChain.of(FIRST.verifier, [link(FIRST, SECOND.verifier, 1)])
    assert [chain.at(size) for size in (1, 2, 3, 99)] == [FIRST.verifier] * 2 + [
        SECOND.verifier
    ] * 2


def test_two_changes_behind_each_other() -> None:
    links = [link(FIRST, SECOND.verifier, 0), link(SECOND, THIRD.verifier, 1)]
    chain = KeyChain.of(FIRST.verifier, links)
    assert [chain.at(size) for size in (1, 2, 3)] == [
        FIRST.verifier,
        SECOND.verifier,
        THIRD.verifier,
    ]
    assert [str(one) for one in parse(render(links))] == [str(one) for one in links]


def test_a_key_cannot_sign_for_a_change_before_its_own_time() -> None:
    links = [link(FIRST, SECOND.verifier, 1), link(SECOND, THIRD.verifier, 1)]
    assert "stands before the key that has to sign for it" in broken(*links)


def test_a_key_that_comes_back_breaks_the_chain() -> None:
    links = [link(FIRST, SECOND.verifier, 0), link(SECOND, FIRST.verifier, 1)]
    assert "a key comes back" in broken(*links)


@pytest.mark.parametrize(
    "other",
    [{"kind": "log"}, {"action": "ledger.start"}, {"seq": 5}, {"body": "00"}],
    ids=lambda other: next(iter(other)),
)
def test_what_is_no_key_entry_names_no_key(other: dict[str, object]) -> None:
    assert "is no such entry" in broken(link(FIRST, SECOND.verifier, 0, **other))


@pytest.mark.parametrize("vkey", ["", "x/1+00000000+AAAA", None])
def test_a_key_entry_without_a_key_breaks_the_chain(vkey: object) -> None:
    assert "names no verifier key" in broken(link(FIRST, vkey))


def test_a_key_of_another_name_breaks_the_chain() -> None:
    assert "another ledger" in broken(link(FIRST, SignerKey.generate("y/1").verifier))


def test_a_head_of_more_entries_is_no_end_of_an_epoch() -> None:
    one = link(FIRST, SECOND.verifier, 0)
    right = bytes(32)
    root = hashlib.sha256(b"\1" + leaf_hash(one.proof.leaf) + right).digest()
    checkpoint = Checkpoint("x/1", 2, root)
    note = signed(checkpoint, FIRST.sign(checkpoint.text().encode()), FIRST.verifier)
    later = Link(one.body, Proof(0, one.proof.leaf, (right,), note))
    assert "is not the last one under its head" in broken(later)


NEW = SignerKey.generate("x/2")


def recovery(by: SignerKey = FIRST, **changes: object) -> Link:
    """A recover entry, alone in its tree, for which `by` signed."""
    event = {"name": "recover", "origin": "x/2", "root": "00" * 32, "size": 7}
    zeros = base64.b64encode(bytes(32)).decode()
    text = f"recover/v1\nx/1\n7\n{zeros}\nx/2\n{NEW.verifier}\n"
    signature = base64.b64encode(by.sign(text.encode())).decode()
    event |= {"signature": signature, "vkey": str(NEW.verifier), **changes}
    body = json.dumps({"event": event}).encode()
    header = {"action": "ledger.recover", "body": sha3_256(body).hexdigest(), "kind": "ledger"}
    leaf = json.dumps({**header, "seq": 0}).encode()
    checkpoint = Checkpoint("x/2", 1, leaf_hash(leaf))
    note = signed(checkpoint, NEW.sign(checkpoint.text().encode()), NEW.verifier)
    return Link(body, Proof(0, leaf, (), note))


def test_a_recovery_that_the_key_before_signed_for_is_followed() -> None:
    chain = KeyChain.of(FIRST.verifier, [recovery()])
    assert chain.at(1) == NEW.verifier, "the head over the entry is the new key's already"


@pytest.mark.parametrize(
    "changes",
    [{"size": 8}, {"root": "11" * 32}, {"origin": "x/3"}, {"signature": ""}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_recovery_that_says_something_else_than_was_signed_is_not(
    changes: dict[str, object],
) -> None:
    assert "did not sign for" in broken(recovery(**changes))


def test_a_recovery_that_another_key_signed_for_is_not() -> None:
    assert "did not sign for" in broken(recovery(by=SECOND))
    assert "does not say what it goes on from" in broken(recovery(root="x"))
    assert "does not say what it goes on from" in broken(recovery(size=None))
