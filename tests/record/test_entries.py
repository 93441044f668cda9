"""Whole entries against golden vectors: from observation to body, header, hash and identity."""

from hashlib import sha3_256
from typing import Any

import pytest

from audit_receiver.record import body, canonical, header, identity, own, timestamp
from audit_receiver.record.model import Draft
from audit_receiver.record.normalise import Vocabulary, normalise
from tests.record.vectors import cases, load, observation

ENTRIES = cases("header/entries.json")
RELABELLED = cases("header/relabelled.json")
DEDUP_KEY = bytes.fromhex(load("header/entries.json")["dedup_key"])


def name_of(entry: dict[str, Any]) -> str:
    return entry["name"]


def draft_of(entry: dict[str, Any]) -> Draft:
    """Make the entry anew from what must have come."""
    wanted = canonical.decode(entry["body"].encode())
    salt = bytes.fromhex(wanted["salt"])
    if wanted["kind"] == "ledger":
        event = {name: value for name, value in wanted["event"].items() if name != "services"}
        for name, counts in wanted["event"].get("services", {}).items():
            event.setdefault("services", {})[name.removeprefix("$")] = counts
        time = timestamp.parse(event.pop("time"))
        return own.draft(event.pop("name"), event, time, salt)
    salts = salt + bytes.fromhex(wanted["subject"]["salt"])
    record = normalise(observation(wanted, entry["came"]), Vocabulary(**entry["vocabulary"]))
    peer = canonical.encode(wanted.get("peer", {}))
    draft = body.encode(record, peer, salts)
    if "duplicate_of" in wanted:
        draft = header.repeat(draft, wanted["duplicate_of"])
    return draft


def test_there_are_entries_of_every_kind() -> None:
    assert len(ENTRIES) >= 11
    assert {entry["decided"]["kind"] for entry in ENTRIES} == {"span", "log", "ledger"}
    assert len(RELABELLED) >= 18


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_body_header_and_hash_are_golden(entry: dict[str, Any]) -> None:
    draft = draft_of(entry)
    assert draft.body == entry["body"]
    fields = header.parse(entry["header"])
    placed = {"late", "clock_skew", "clock_held", "duplicate"}.intersection(fields["flags"])
    received = timestamp.parse(fields["received"])
    timing = header.timing_flags(draft.time_unix_nano, received)
    assert set(timing) == placed - {"clock_held", "duplicate"}
    tag = identity.tag(DEDUP_KEY, draft.identity) if draft.identity else ""
    text = header.render(
        draft,
        fields["seq"],
        fields["prev"],
        fields["received"],
        tag,
        tuple(placed),
        fields.get("duplicate_of"),
    )
    assert text == entry["header"]
    assert sha3_256(text.encode()).hexdigest() == entry["hash"]


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_identity_is_golden(entry: dict[str, Any]) -> None:
    draft = draft_of(entry)
    assert draft.identity.decode() == (entry["identity"] or "")
    wants_own = not (entry["identity"] or "").startswith('["content"')
    assert draft.own_identity is wants_own


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_draft_tells_what_the_header_says(entry: dict[str, Any]) -> None:
    draft, decided = draft_of(entry), entry["decided"]
    assert draft.kind == decided["kind"]
    assert draft.action == decided.get("action", "")
    assert draft.outcome == decided.get("outcome", "")
    assert draft.time == decided.get("time")
    assert draft.time_unix_nano == (timestamp.parse(draft.time) if draft.time else 0)
    assert draft.service == decided.get("service", draft.service)


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_expected_finds_the_decided_fields_in_the_body_alone(entry: dict[str, Any]) -> None:
    assert header.expected(canonical.decode(entry["body"].encode())) == entry["decided"]


@pytest.mark.parametrize("case", RELABELLED, ids=name_of)
def test_a_relabelled_header_is_not_what_its_body_decides(case: dict[str, Any]) -> None:
    decided = header.expected(canonical.decode(case["body"].encode()))
    fields = canonical.decode(case["header"].encode())
    field = case["field"]
    assert fields.get(field) != decided.get(field)
    others = set(decided) - {field}
    assert {name: fields[name] for name in others} == {name: decided[name] for name in others}


RECORD = {"kind": "log", "otlp": {}, "attributes": {}, "resource": {"attributes": {}}, "audit": {}}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"kind": "span"},
        {"kind": "ledger"},
        {"kind": "ledger", "event": []},
        {"kind": "ledger", "event": {"name": "start"}},
        {"kind": "ledger", "event": {"name": 1, "time": ""}},
        {**RECORD, "otlp": []},
        {**RECORD, "resource": {}},
        {**RECORD, "audit": {"actor": "ann"}},
        {**RECORD, "audit": {"action": ["a"]}},
    ],
)
def test_expected_refuses_a_body_without_the_shape_of_its_kind(broken: dict[str, Any]) -> None:
    with pytest.raises(canonical.NotCanonical) as refused:
        header.expected(broken)
    assert refused.value.reason == "shape"


def test_expected_refuses_what_is_no_object() -> None:
    with pytest.raises(canonical.NotCanonical):
        header.expected([])  # type: ignore[arg-type]
