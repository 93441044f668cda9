"""The body as text, and that a header can be derived from it whatever came."""

import itertools
import json
import os
from hashlib import sha3_256
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from audit_receiver.record import body, canonical, flags, header, identity, timestamp
from audit_receiver.record.model import Draft
from audit_receiver.record.normalise import Vocabulary, normalise
from tests.record.vectors import observation, observed

VOCABULARY = Vocabulary({"tenant": ["org"]})
KEYS = [
    *sorted(itertools.chain(*VOCABULARY.table.values())),
    "x",
    "$$y",
    "\U0001f600",
    "\uffff",
    "event.name",
    "service.name",
]
raw = st.binary(max_size=8) | st.text(max_size=130).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)


def string(given: bytes) -> Any:
    return canonical.of_string(given, set())


strings = raw.map(string)
scalars = (
    strings
    | st.sampled_from(["success", "denied", "unknown", "a\nb", "", "x" * 121, "a@b"])
    | st.integers(-(2**63), 2**63 - 1).map(canonical.of_int)
    | st.floats().map(canonical.of_double)
    | st.binary(max_size=5).map(canonical.of_bytes)
    | st.booleans()
    | st.none()
)
values = (
    scalars
    | st.lists(scalars, max_size=3)
    | st.dictionaries(
        strings.filter(lambda value: type(value) is str and not value.startswith("$")),
        scalars,
        max_size=3,
    )
)
attributes = st.dictionaries(st.sampled_from(KEYS), values, max_size=8)
times = st.none() | st.integers(1, 2**64 - 1).map(timestamp.render)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """The parts of any body that a sender decides."""
    kind = draw(st.sampled_from(["span", "log"]))
    first, second = ("start", "end") if kind == "span" else ("time", "observed_time")
    otlp = {
        first: draw(times),
        second: draw(times),
        "name" if kind == "span" else "event_name": draw(st.none() | strings),
    }
    if kind == "span":
        otlp["status"] = draw(st.none() | st.just({"code": 2}))
        otlp["events"] = draw(
            st.none() | st.lists(attributes.map(lambda a: {"attributes": a}), max_size=2)
        )
        otlp["trace_id"] = draw(st.sampled_from(["", "00" * 16, "0a" * 16]))
        otlp["span_id"] = draw(st.sampled_from(["", "00" * 8, "0a" * 8]))
    return {
        "kind": kind,
        "attributes": draw(attributes),
        "otlp": {name: value for name, value in otlp.items() if value},
        "resource": {"attributes": draw(attributes)},
        "scope": draw(st.sampled_from([{}, {"name": "audit"}, {"attributes": {"org": "acme"}}])),
    }


def draft_of(given: dict[str, Any], peer: bytes = b"{}") -> Draft:
    return body.encode(normalise(observation(given), VOCABULARY), peer, os.urandom(32))


@given(bodies())
def test_whatever_comes_is_a_canonical_body_and_decides_its_header(given: dict[str, Any]) -> None:
    draft = draft_of(given, peer=b'{"transport":"http"}')
    found = canonical.decode(draft.body.encode())
    for name, part in given.items():
        assert found[name] == part
    assert found["peer"] == {"transport": "http"}
    received = timestamp.render(draft.time_unix_nano or 1)
    text = header.render(draft, 3, "a" * 64, received, "b" * 16, ("late",), None)
    fields = header.parse(text)
    assert canonical.decode(text.encode()) == fields
    decided = header.expected(found)
    placed = {"v", "seq", "prev", "received", "id", "flags", "body", "subject"}
    assert decided == {name: value for name, value in fields.items() if name not in placed}
    assert fields["body"] == sha3_256(draft.body.encode()).hexdigest()
    assert fields["subject"] == sha3_256(canonical.encode(found["subject"])).hexdigest()
    assert set(fields["flags"]) <= set(flags.ALL)
    assert fields["flags"] == sorted({*draft.flags, "late"})


@given(bodies())
def test_what_is_withheld_is_flagged_and_what_is_not_stands_there(given: dict[str, Any]) -> None:
    draft = draft_of(given)
    decided = header.expected(canonical.decode(draft.body.encode()))
    audit = orjson.loads(draft.body)["audit"]
    said = {
        "action": audit.get("action"),
        "actor_type": audit.get("actor", {}).get("type"),
        "target_type": audit.get("target", {}).get("type"),
        "tenant": audit.get("tenant"),
    }
    for name, text in said.items():
        assert (f"withheld_{name}" in draft.flags) is (bool(text) and name not in decided)
        assert decided.get(name, text) == text


@given(bodies(), st.integers(0, 2**53 - 1))
def test_a_repetition_differs_in_one_member_and_its_hash(given: dict[str, Any], seq: int) -> None:
    draft = draft_of(given)
    repeated = header.repeat(draft, seq)
    found = canonical.decode(repeated.body.encode())
    assert found.pop("duplicate_of") == seq
    assert found == orjson.loads(draft.body)
    assert repeated._replace(body=draft.body, fixed=draft.fixed) == draft
    text = header.render(
        repeated, seq + 1, "a" * 64, timestamp.render(1), "b" * 16, ("duplicate",), seq
    )
    assert orjson.loads(text)["body"] == sha3_256(repeated.body.encode()).hexdigest()
    assert identity.same_content(draft.body, repeated.body)


def test_members_stand_in_order_and_empty_peers_are_left_out() -> None:
    one = observed(attributes={"b": 1, "a": 2})._replace(attributes_raw="CgA=")
    draft = body.encode(normalise(one, Vocabulary()), b"{}", bytes(range(32)))
    assert draft.body == (
        '{"attributes":{"a":2,"b":1},"attributes_raw":"CgA=","audit":{},"kind":"log",'
        '"otlp":{"time":"2026-03-04T05:06:07.000000000Z"},"resource":{"attributes":{}},'
        '"salt":"000102030405060708090a0b0c0d0e0f","scope":{},'
        '"subject":{"salt":"101112131415161718191a1b1c1d1e1f"}}'
    )
    with_peer = body.encode(normalise(one, Vocabulary()), b'{"a":1}', bytes(range(32)))
    assert list(json.loads(with_peer.body)) == sorted(json.loads(with_peer.body))


def test_the_texts_of_resource_and_scope_are_embedded_as_they_are() -> None:
    one = observed(resource={"service.name": "s"})
    shared = one.resource._replace(text='{"attributes":{"service.name":"s"},"schema_url":"u"}')
    draft = body.encode(normalise(one._replace(resource=shared), Vocabulary()), b"{}", bytes(32))
    assert f'"resource":{shared.text},' in draft.body
