"""The filter of identity tags: never wrong about "certainly new", and small."""

import random
import sqlite3

from audit_receiver.ledger import seen
from audit_receiver.ledger.seen import Seen


def tags(number: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [f"{rng.getrandbits(64):016x}" for _ in range(number)]


def test_what_was_added_is_never_called_new_however_much_it_grows() -> None:
    known, filtered = tags(300_000, 1), Seen()
    filtered.add(known)
    assert all(map(filtered.may_have, known))


def test_what_is_new_is_nearly_always_called_new() -> None:
    for expected in (0, 300_000):  # grown step by step, and made for so many
        filtered = Seen(expected)
        filtered.add(tags(300_000, 1))
        wrong = sum(map(filtered.may_have, tags(20_000, 2)))
        assert wrong < 800, f"{wrong} of 20,000 with room for {expected}"


def test_the_first_and_the_last_tag_there_are() -> None:
    filtered = Seen()
    ends = ["0" * 16, "f" * 16]
    assert not any(map(filtered.may_have, ends))
    filtered.add([*ends, ""])
    assert all(map(filtered.may_have, ends))


def test_it_takes_about_two_bytes_for_an_entry() -> None:
    filtered = Seen()
    filtered.add(tags(200_000, 3))
    size = sum(len(one._data) for one in filtered._filters)
    assert size < 5 * 200_000


def test_it_is_made_of_all_tags_of_a_ledger() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE entry(time TEXT, id TEXT)")
    connection.execute("CREATE INDEX entry_time ON entry(time, id)")
    known = tags(25_000, 4)
    connection.executemany("INSERT INTO entry VALUES ('t', ?)", [(tag,) for tag in known])
    connection.execute("INSERT INTO entry VALUES ('t', NULL)")
    filtered = Seen.of(connection, len(known))
    assert all(map(filtered.may_have, known))
    assert seen._PER_TAG == 16
    connection.close()
