"""Checklist A13: producers' own sequences, from a real process (docs/otlp-checklist.md)."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from tests.checklist.door import Door, fresh_action
from tests.checklist.test_audit_signal import draft, receipts, record, request, send
from tests.e2e.oracle import rows, settle
from tests.kit import build
from tests.kit.server import ROOT, Server

PREVIOUS = "audit.sequence.previous_hash"


def numbered(action: str, number: int, stream: str = "", **attributes: Any) -> Any:
    """A record at its place in a stream."""
    attributes = {name.replace("__", "."): value for name, value in attributes.items()}
    log = record(action, attributes={"audit.sequence.stream_id": stream or action, **attributes})
    log.attributes.extend(build.attributes({"audit.sequence.number": number}))
    return log


def flags(door: Door, action: str) -> list[list[str]]:
    """The flags about sequences of each record of an action."""
    return [[f for f in row["flags"] if f.startswith("sequence")] for row in door.stored(action)]


def sent(door: Door, *logs: Any) -> None:
    """Send each in a request of its own."""
    for log in logs:
        assert send(door, request(log)).acknowledged


def test_a13_a_gap_a_fork_a_restart_and_what_follows_the_end_are_flagged_and_counted(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    first = numbered(action, 1)
    [told] = receipts(send(door, request(first)))
    good = numbered(action, 2, **{PREVIOUS: told["integrity_hash"]})
    sent(
        door,
        good,
        numbered(action, 3, **{PREVIOUS: "0" * 64}),  # names another record
        numbered(action, 6),  # 4 and 5 have not come
        numbered(action, 4),  # late, no break
        numbered(action, 2),  # another record has that number
        numbered(action, 1),  # begins anew
        numbered(action, 2, audit__sequence__end=True),
        numbered(action, 3),
    )
    assert flags(door, action) == [
        [],
        [],
        ["sequence_fork"],
        ["sequence_gap"],
        [],
        ["sequence_fork"],
        ["sequence_restart"],
        [],
        ["sequence_after_end"],
    ]
    text = server.get("/metrics")[1]
    counted = re.findall(r'broken_sequences_total\{flag="sequence_(\w+)"\} (\d)', text)
    assert sorted(counted) == [("after_end", "1"), ("fork", "2"), ("gap", "1"), ("restart", "1")]
    settle(server)


def test_a13_a_resend_is_no_break(tmp_path: Path) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    logs = [numbered(action, number) for number in (1, 2, 3)]
    sent(door, *logs, *logs)
    for log in logs:
        assert door.post(request(log).SerializeToString(), "/v1/logs").status == 200
    assert flags(door, action) == [[], [], []]
    settle(server)


@pytest.mark.parametrize("name", [PREVIOUS, "audit.sequence.prev_hash", "audit.prev.hash"])
def test_the_names_of_all_revisions_are_read(tmp_path: Path, name: str) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    sent(door, numbered(action, 1), numbered(action, 2, **{name: "1" * 64}))
    assert flags(door, action) == [[], ["sequence_fork"]]
    settle(server)


def test_a_whole_stream_in_one_request_goes_on_within_it(tmp_path: Path) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    logs = [numbered(action, 1)]
    for number in range(2, 30):
        logs.append(numbered(action, number))
        logs[-1].attributes.extend(build.attributes({PREVIOUS: _hash(logs[-2])}))
    assert send(door, request(*logs)).acknowledged
    assert flags(door, action) == [[]] * 29
    settle(server)


def _hash(log: Any) -> str:
    """The integrity hash of a record whose values are strings and integers, by hand."""
    values = {
        pair.key: {"stringValue": pair.value.string_value}
        if pair.value.string_value
        else {"intValue": str(pair.value.int_value)}
        for pair in log.attributes
    }
    told = {
        "attributes": values,
        "event_name": log.event_name,
        "observed_timestamp": str(log.observed_time_unix_nano),
        "timestamp": str(log.time_unix_nano),
    }
    return hashlib.sha256(rfc8785.dumps(told)).hexdigest()


def test_streams_of_others_and_numbers_that_are_none_do_not_matter(tmp_path: Path) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    odd = [numbered(action, number) for number in (0, -1)]
    text = record(action, attributes={"audit.sequence.number": "7"})
    sent(door, numbered(action, 1, "a"), numbered(action, 9, "b"), *odd, text)
    sent(door, numbered(action, 2, "a"), numbered(action, 10, "b"))
    assert flags(door, action) == [[]] * 7
    settle(server)


def test_the_query_of_the_document_finds_what_never_came(tmp_path: Path) -> None:
    server = Server(tmp_path, draft()).start()
    door, action = Door(server), fresh_action()
    sent(door, *(numbered(action, number, "s") for number in (1, 2, 5, 6, 9)))
    text = (ROOT / "docs" / "audit-signal.md").read_text()
    [query] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    found = [(row["first_missing"], row["last_missing"]) for row in rows(server.ledger, query)]
    assert found == [(3, 4), (7, 8)]
    settle(server)
