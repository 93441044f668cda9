"""The integrity hash of the audit draft, against rfc8785 and objects written by hand."""

import hashlib
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings

from audit_receiver.record import integrity
from audit_receiver.record.select import EVERYTHING
from tests.kit import build
from tests.otlp.test_rebuild import requests

UTF8 = {"$utf8": "//4="}


def body(attributes: dict[str, Any] | None = None, **otlp: Any) -> dict[str, Any]:
    """A body as far as the hash looks at it."""
    return {"attributes": attributes or {}, "otlp": otlp}


# The login of the draft's data model, as its processors write it before they sign.
LOGIN = body(
    {
        "audit.record.id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "audit.actor.id": "u8472",
        "audit.actor.type": "user",
        "audit.action": "LOGIN",
        "audit.outcome": "success",
        "audit.integrity.value": "c2ln",
    },
    time="2024-04-25T11:20:00.000000000Z",
    observed_time="2024-04-25T11:20:01.001000000Z",
    event_name="user.login.success",
    severity_number=9,
    severity_text="INFO",
)
LOGIN_TEXT = (
    '{"attributes":{"audit.action":{"stringValue":"LOGIN"},'
    '"audit.actor.id":{"stringValue":"u8472"},'
    '"audit.actor.type":{"stringValue":"user"},'
    '"audit.outcome":{"stringValue":"success"},'
    '"audit.record.id":{"stringValue":"a1b2c3d4-e5f6-7890-abcd-ef1234567890"}},'
    '"event_name":"user.login.success",'
    '"observed_timestamp":"1714044001001000000",'
    '"timestamp":"1714044000000000000"}'
)


def test_the_login_of_the_draft() -> None:
    assert integrity.canonical(LOGIN).decode() == LOGIN_TEXT
    assert integrity.digest(LOGIN) == hashlib.sha256(LOGIN_TEXT.encode()).hexdigest()


@pytest.mark.parametrize(
    ("value", "wrapped"),
    [
        ("x", {"stringValue": "x"}),
        (True, {"boolValue": True}),
        (7, {"intValue": "7"}),
        ({"$int": "9223372036854775807"}, {"intValue": "9223372036854775807"}),
        (0.5, {"doubleValue": 0.5}),
        (4e-6, {"doubleValue": 4e-6}),
        ({"$double": "200"}, {"doubleValue": 200.0}),
        ({"$double": "1e+300"}, {"doubleValue": 1e300}),
        ({"$double": "9007199254740992"}, {"doubleValue": 9007199254740992.0}),
        ({"$double": "-Infinity"}, {"doubleValue": "-Infinity"}),
        ({"$double": "NaN:7ff8000000000001"}, {"doubleValue": "NaN"}),
        ({"$bytes": "AP8="}, {"bytesValue": "AP8="}),
        (UTF8, {"stringValue": "\ufffd\ufffd"}),
        (None, None),
        ([1, None], [{"intValue": "1"}, None]),
        ({"k": "v"}, {"k": {"stringValue": "v"}}),
        ({"$$k": 1}, {"$k": {"intValue": "1"}}),
        (
            {"\uffff": 1, "\U0001f600": 2},
            {"\U0001f600": {"intValue": "2"}, "\uffff": {"intValue": "1"}},
        ),
        ({}, {}),
    ],
)
def test_every_value_names_its_type(value: Any, wrapped: Any) -> None:
    expected = rfc8785.dumps({"attributes": {"a": wrapped}})
    assert integrity.canonical(body({"a": value})) == expected


def test_the_body_and_the_ids_count_and_resource_and_severity_do_not() -> None:
    plain = integrity.digest(body())
    ids = {"trace_id": "0" * 31 + "1", "span_id": "0" * 15 + "1"}
    assert len({plain, integrity.digest(body(body="x")), integrity.digest(body(**ids))}) == 3
    assert (
        integrity.digest({**body(severity_number=9), "resource": {"attributes": {"a": 1}}}) == plain
    )
    assert integrity.digest(body(body=None)) == plain


def test_a_record_from_the_wire_has_the_same_hash_in_both_encodings() -> None:
    record = build.log_record(
        "user.login", {"audit.record.id": "r", "d": 2.0, "b": b"\0"}, body=[1]
    )
    message = build.request(record, signal="logs")
    [one] = build.observations(message)
    expected = rfc8785.dumps(
        {
            "attributes": {
                "audit.record.id": {"stringValue": "r"},
                "b": {"bytesValue": "AA=="},
                "d": {"doubleValue": 2.0},
            },
            "body": [{"intValue": "1"}],
            "event_name": "user.login",
            "observed_timestamp": str(record.observed_time_unix_nano),
            "timestamp": str(record.time_unix_nano),
        }
    )
    found = {"attributes": one.attributes, "otlp": one.otlp}
    assert integrity.canonical(found) == expected


@pytest.mark.parametrize("size", [120, 121])
def test_a_stream_with_a_long_name_is_known_by_its_digest(size: int) -> None:
    name = "x" * size
    record = build.log_record(
        "e", {"audit.record.id": "r", integrity.NUMBER: 1, "audit.sequence.stream_id": name}
    )
    [one] = build.observations(build.request(record, signal="logs"))
    found = integrity.sequence(one)
    assert found is not None
    assert found.stream == (name if size == 120 else hashlib.sha256(name.encode()).hexdigest())


@settings(max_examples=300, deadline=None)
@given(requests)
def test_no_record_is_without_a_hash(message: Any) -> None:
    """Whatever a sender writes: a request must never fail in the writer."""
    for one in build.observations(message, EVERYTHING):
        assert len(integrity.digest({"attributes": one.attributes, "otlp": one.otlp})) == 64
