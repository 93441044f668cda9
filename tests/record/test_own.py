"""The receiver's own records."""

import json
from typing import Any

import pytest

from audit_receiver.record import canonical, header, own

TIME = 1_772_600_760_000_000_000  # 2026-03-04T05:06:00Z


def event_of(fields: dict[str, Any]) -> Any:
    return json.loads(own.draft("incident", fields, TIME, bytes(16)).body)["event"]


def test_body_and_header_of_an_own_record() -> None:
    draft = own.draft("start", {"version": "1", "clean": True}, TIME, bytes(range(16)))
    assert draft.body == (
        '{"event":{"clean":true,"name":"start","time":"2026-03-04T05:06:00.000000000Z",'
        '"version":"1"},"kind":"ledger","salt":"000102030405060708090a0b0c0d0e0f"}'
    )
    assert (draft.kind, draft.action, draft.outcome) == ("ledger", "ledger.start", "")
    assert (draft.service, draft.identity, draft.flags) == ("", b"", frozenset())
    text = header.render(draft, 1, "a" * 64, draft.time or "", "", (), None)
    assert header.parse(text)["action"] == "ledger.start"
    assert header.expected(canonical.decode(draft.body.encode())) == {
        "action": "ledger.start",
        "kind": "ledger",
        "time": "2026-03-04T05:06:00.000000000Z",
    }


@pytest.mark.parametrize(
    ("value", "stands_as"),
    [
        (0, 0),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (2**64, "18446744073709551616"),
        (True, True),
        (None, None),
        ("x", "x"),
        ("a\0b", {"$utf8": "YQBi"}),
        ("caf\udce9", {"$utf8": "Y2Fm6Q=="}),
        ("\ud800", {"$utf8": "7aCA"}),
        (b"\x00", {"$bytes": "AA=="}),
        (0.5, 0.5),
        (60.0, {"$double": "60"}),
        ((1, (2,)), [1, [2]]),
        ([["a", "", 3]], [["a", "", 3]]),
        ({"b": {"$x": 1}, 7: []}, {"b": {"$$x": 1}, "7": []}),
    ],
)
def test_values(value: Any, stands_as: Any) -> None:
    assert event_of({"value": value})["value"] == stands_as


def test_names_of_fields_are_keys_like_any_other() -> None:
    assert event_of({"$a": 1, "b\0": 2}) == {
        "$$a": 1,
        "$utf8:YgA=": 2,
        "name": "incident",
        "time": "2026-03-04T05:06:00.000000000Z",
    }


@pytest.mark.parametrize("name", ["name", "time"])
def test_the_two_fields_that_every_event_has_cannot_be_given(name: str) -> None:
    with pytest.raises(ValueError, match="may be called"):
        event_of({name: "x"})


def test_a_value_of_no_json_type_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        event_of({"value": {1, 2}})
