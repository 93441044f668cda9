"""Attacks on entries, heads and nodes, with and without a key."""

import json
import shutil
from typing import Any

from tests.kit.attack_model import LATER, OTHER_KEY, K, Victim, attack
from tests.kit.attacker import Attacker, canonical, sha3


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


def rewritten(victim: Victim, seq: int = K) -> Attacker:
    """Another actor in one body, and every later hash recomputed; not yet signed."""
    attacker = victim.open()
    attacker.edit_body(seq, mallory)
    attacker.rehash(seq)
    return attacker


# ---- one row -------------------------------------------------------------------------------------


@attack("W R", "chain", "altered head", first=0, early=3, middle=K, last=569)
def edit_a_header(victim: Victim, value: int) -> None:
    with victim.open() as it:
        it.edit_header(value, lambda h: h.update(flags=["clock_skew"]))


@attack("W R", "body hash", "altered", first=0, early=3, middle=K, last=569)
def edit_a_body(victim: Victim, value: int) -> None:
    with victim.open() as it:
        it.edit_body(value, lambda b: b.update(salt="0" * 32))


@attack("W R", "chain", "altered")
def edit_a_hash(victim: Victim) -> None:
    with victim.open() as it:
        it.set(K, hash=bytes(32))


@attack("W R", "body hash", "altered")
def edit_an_actor_in_body_and_subject(victim: Victim) -> None:
    with victim.open() as it:
        it.edit_body(K, mallory)


@attack("W R", "chain", "altered head")
def edit_a_record_and_recompute_its_own_hash(victim: Victim) -> None:
    with victim.open() as it:
        it.edit_body(K, mallory)
        body = it.body(K)
        subject = sha3(canonical(body["subject"]))
        it.edit_header(K, lambda h: h.update(body=sha3(canonical(body)), subject=subject))
        it.set(K, hash=bytes.fromhex(sha3(canonical(it.header(K)))))


@attack("W R", "chain", "altered head")
def edit_a_link_and_recompute_its_own_hash(victim: Victim) -> None:
    with victim.open() as it:
        it.edit_header(K, lambda h: h.update(prev="a" * 64))
        it.set(K, hash=bytes.fromhex(sha3(canonical(it.header(K)))))


@attack("W R", "erasures are authorised", "body_missing")
def empty_bodies_without_authority(victim: Victim) -> None:
    with victim.open() as it:
        for seq in (K, K + 1, K + 2, 300):
            it.set(seq, body=None)


@attack("R O", "canonical text", "canonical forked", spaces=", ", repeated_key="repeat")
def write_a_body_that_is_not_canonical(victim: Victim, value: str) -> None:
    with victim.open() as it:
        text = canonical(it.body(K))
        spaced = json.dumps(it.body(K), sort_keys=True, separators=(value, ":"))
        it.set(K, body='{"kind":"x",' + text[1:] if value == "repeat" else spaced)
        it.rehash(K)
        it.sign(victim.key, it.origin())


@attack("W R", "body hash", "canonical altered")
def write_bytes_that_are_no_text(victim: Victim) -> None:
    with victim.open() as it:
        sql = "UPDATE entry SET body = replace(body, 'old', CAST(x'6fff64' AS TEXT)) WHERE seq = ?"
        it.db.execute(sql, (K,))


# ---- rows removed, moved, put in -----------------------------------------------------------------


@attack(
    "W R",
    "chain",
    "missing head key truncated",
    **{"the first": (0, 0), "one": (K, K), "a range": (K, K + 20), "two ranges": (K, K, 200, 201)},
    **{"the last": (569, 569), "the last ten": (560, 569)},
)
def delete_entries(victim: Victim, value: tuple[int, ...]) -> None:
    with victim.open() as it:
        for first, last in zip(value[::2], value[1::2], strict=True):
            it.db.execute("DELETE FROM entry WHERE seq BETWEEN ? AND ?", (first, last))


@attack("W R", "chain", "missing head truncated")
def delete_an_entry_and_close_the_gap(victim: Victim) -> None:
    with victim.open() as it:
        it.db.execute("DELETE FROM entry WHERE seq = ?", (K,))
        for later in it.seqs(f"seq > {K}"):
            it.move(later, later - 1)


@attack("W R", "signed heads", "missing head truncated forked altered")
def delete_an_entry_and_recompute_everything(victim: Victim) -> None:
    with victim.open() as it:
        it.db.execute("DELETE FROM entry WHERE seq = ?", (K,))
        it.close_gap(K)
        it.rehash(K)


@attack("W R", "chain", "reordered head", neighbours=K + 1, near=K + 2, far=LATER)
def swap_two_entries(victim: Victim, value: int) -> None:
    with victim.open() as it:
        it.swap(K, value)


@attack("W R", "chain", "inserted head altered")
def insert_an_entry(victim: Victim) -> None:
    with victim.open() as it:
        for seq in reversed(it.seqs(f"seq >= {K}")):
            it.move(seq, seq + 1)
        forge(it, K, it.header(K - 1)["prev"])


@attack("W R", "signed heads", "head altered forked missing time")
def insert_an_entry_and_recompute_everything(victim: Victim) -> None:
    with victim.open() as it:
        it.make_room(K)
        forge(it, K, "0" * 64)
        it.rehash(K)


@attack("W", "every commit is signed", "head")
def append_a_forged_record_without_the_key(victim: Victim) -> None:
    with victim.open() as it:
        size = it.size()
        forge(it, size, hash_of(it, size - 1), received="2030-01-01T00:00:00.000000000Z")


@attack("W N", "chain", "reordered head")
def append_an_old_record_again(victim: Victim) -> None:
    with victim.open() as it:
        sql = "SELECT ?, header, hash, body FROM entry WHERE seq = ?"
        it.db.execute(f"INSERT INTO entry(seq, header, hash, body) {sql}", (it.size(), K))


@attack("W", "body hash", "altered")
def insert_or_replace(victim: Victim) -> None:
    with victim.open() as it:
        row = it.db.execute("SELECT header, hash FROM entry WHERE seq = ?", (K,)).fetchone()
        body = it.body(K)
        mallory(body)
        sql = "INSERT OR REPLACE INTO entry(seq, header, hash, body) VALUES (?, ?, ?, ?)"
        it.db.execute(sql, (K, *row, canonical(body)))


# ---- everything recomputed -----------------------------------------------------------------------


@attack("W R", "signed heads", "head forked")
def rewrite_without_a_key(victim: Victim) -> None:
    with rewritten(victim):
        pass


@attack("W R", "signed heads", "head")
def rewrite_and_leave_the_signed_heads(victim: Victim) -> None:
    with victim.open() as it:
        heads = it.db.execute("SELECT root, size FROM head").fetchall()
        it.edit_body(K, mallory)
        it.rehash(K)
        it.db.executemany("UPDATE head SET root = ? WHERE size = ?", heads)


@attack("R", "signed heads", "head forked")
def rewrite_and_sign_with_another_key(victim: Victim) -> None:
    with rewritten(victim) as it:
        it.sign(OTHER_KEY, it.origin())


@attack("R O", "outside checkpoint", "forked")
def rewrite_and_sign_with_the_stolen_key(victim: Victim) -> None:
    with rewritten(victim) as it:
        it.sign(victim.key, it.origin())


@attack("R O", "outside key", "key forked", same_name="", another_name="lab/0123456789abcdef")
def take_everything_over_with_another_key(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.edit_body(K, mallory)
        it.take_over(OTHER_KEY, value or it.origin())


@attack("R O", "header follows from body", "altered forked", action="action", service="service")
def relabel_a_header_and_sign_everything_anew(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.edit_header(K, lambda h: h.update({value: "harmless"}))
        it.rehash(K)
        it.sign(victim.key, it.origin())


@attack("R O", "outside checkpoint", "forked body_missing missing")
def relabel_a_header_and_drop_its_body(victim: Victim) -> None:
    with victim.open() as it:
        it.edit_header(K, lambda h: h.update(action="harmless"))
        it.set(K, body=None)
        it.rehash(K)
        it.sign(victim.key, it.origin())


@attack("R O", "clock only goes on", "time forked")
def set_the_clock_back(victim: Victim) -> None:
    with victim.open() as it:
        before = it.header(K - 1)["received"]
        it.edit_header(K, lambda h: h.update(received=before))
        it.rehash(K)
        it.sign(victim.key, it.origin())


@attack("R O", "heartbeats count", "missing altered rolled_back")
def leave_out_a_record_and_sign_everything_anew(victim: Victim) -> None:
    with victim.open() as it:
        it.db.execute("DELETE FROM entry WHERE seq = ?", (K,))
        it.close_gap(K)
        it.db.execute("DELETE FROM head WHERE size > ?", (it.size(),))
        it.db.execute("UPDATE head SET size = size WHERE size = 0")
        it.rehash(K)
        if not it.db.execute("SELECT 1 FROM head WHERE size = ?", (it.size(),)).fetchone():
            it.db.execute(
                "UPDATE head SET size = ? WHERE size = (SELECT max(size) FROM head)", (it.size(),)
            )
            it.regrow()
        it.sign(victim.key, it.origin())


# ---- heads and nodes -----------------------------------------------------------------------------


@attack("R", "signed heads", "head")
def sign_heads_with_another_key(victim: Victim) -> None:
    with victim.open() as it:
        it.sign(OTHER_KEY, it.origin(), first_size=200)


@attack(
    "W R",
    "every commit is signed",
    "head key",
    **{
        "all removed": "DELETE FROM head",
        "the last removed": "DELETE FROM head WHERE size = (SELECT max(size) FROM head)",
        "a root": "UPDATE head SET root = zeroblob(32) WHERE size = 286",
        "the last signature": "UPDATE head SET signature = zeroblob(64)"
        " WHERE size = (SELECT max(size) FROM head)",
        "a signature that is text": "UPDATE head SET signature = 'text'"
        " WHERE size = (SELECT max(size) FROM head)",
        "the epoch": "UPDATE head SET epoch = 3 WHERE size = (SELECT max(size) FROM head)",
    },
)
def change_heads(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.db.execute(value)


@attack(
    "W R",
    "stored nodes",
    "index",
    changed="UPDATE node SET hash = zeroblob(32) WHERE level = 1 AND idx = 1",
    removed="DELETE FROM node WHERE level = 1 AND idx = 0",
    added="INSERT INTO node VALUES (1, 2, zeroblob(32))",
)
def change_nodes(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.db.execute(value)


# ---- the end cut off, or an older state put back -------------------------------------------------


@attack("R O", "outside checkpoint", "rolled_back")
def cut_off_the_tail_with_its_heads(victim: Victim) -> None:
    with victim.open() as it:
        it.cut(it.size() - victim.commit)


@attack("R O", "checkpoints kept inside", "rolled_back truncated")
def cut_off_the_tail_and_forget_the_kept_checkpoints(victim: Victim) -> None:
    with victim.open() as it:
        size = it.size() - victim.commit
        it.db.execute("DELETE FROM entry WHERE seq >= ?", (size,))
        it.db.execute("DELETE FROM head WHERE size > ?", (size,))
        it.db.execute("DELETE FROM node WHERE ((idx + 1) << (8 * level)) > ?", (size,))


@attack("R", "every commit is signed", "truncated head")
def cut_off_the_tail_inside_a_commit(victim: Victim) -> None:
    with victim.open() as it:
        it.cut(it.size() - victim.commit - 4)


@attack("W R", "signed heads", "missing head truncated")
def cut_off_the_tail_and_leave_the_heads(victim: Victim) -> None:
    with victim.open() as it:
        it.db.execute("DELETE FROM entry WHERE seq >= ?", (it.size() - 20,))


@attack("R O", "outside checkpoint", "rolled_back")
def put_an_older_copy_back(victim: Victim) -> None:
    shutil.copy(victim.early, victim.path)


@attack("R O", "outside checkpoint", "key forked rolled_back")
def delete_the_ledger_and_begin_another(victim: Victim) -> None:
    with victim.open() as it:
        it.cut(1)
        it.take_over(OTHER_KEY, "lab/0123456789abcdef")
