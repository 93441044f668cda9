"""What a real ledger's own records state is what the table of events says."""

from pathlib import Path
from typing import Any

from audit_receiver.record import events
from tests.kit.lab import LedgerLab, draft

COMMON = {"is", "name", "time"}


def test_every_own_record_of_a_ledger_states_what_the_table_says(tmp_path: Path) -> None:
    lab = LedgerLab(
        tmp_path, config={"ledger": {"name": "lab"}}, config_digest="01", redact_digest="aa"
    )
    lab.open()
    lab.append(draft("one"))
    lab.append(draft("one", outcome="failure"))
    lab.clock.pass_seconds(-10)
    lab.append(draft("two"))
    lab.crash()
    lab.clock.pass_seconds(20)
    lab.open(config_digest="02", config={"ledger": {"name": "other"}})
    lab.append(draft("three"))
    lab.close()
    seen: set[str] = set()
    for event in lab.events():
        wanted = set(events.EVENTS[event["is"]])
        if event["is"] == "incident":
            wanted |= set(events.INCIDENTS[event["incident"]])
            assert set(event) - COMMON <= wanted
        else:
            assert set(event) - COMMON == wanted
        assert event["name"] == event["is"]
        seen.add(event["incident"] if event["is"] == "incident" else event["is"])
    assert {"genesis", "start", "stop", "heartbeat", "config"} <= seen
    assert {"conflict", "clock_back", "unclean_stop"} <= seen


def test_every_field_has_a_meaning_and_none_hides_what_all_events_have() -> None:
    tables: list[dict[str, Any]] = [events.EVENTS, events.INCIDENTS]
    for fields in (fields for table in tables for fields in table.values()):
        assert not {"name", "time"} & set(fields)
        assert all(len(meaning) > 8 for meaning in fields.values())
