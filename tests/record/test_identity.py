"""Which records are one and the same (DESIGN 3.7). Tags are checked against openssl's HMAC."""

import os
import subprocess
from typing import Any

import pytest

from audit_receiver.record import body, canonical, header, identity
from audit_receiver.record.model import Draft, Observation
from audit_receiver.record.normalise import Vocabulary, normalise
from tests.record.vectors import observed

ATTRIBUTES = {"audit.action": "read", "enduser.id": "ann"}
IDS = {"trace_id": "5b8efff798038103d269b633813fc60c", "span_id": "eee19b7ec3c1b174"}
START = {"start": "2026-03-04T05:06:07.000000000Z"}


def draft_of(
    observation: Observation, peer: bytes = b"{}", vocabulary: Vocabulary | None = None
) -> Draft:
    record = normalise(observation, vocabulary or Vocabulary())
    return body.encode(record, peer, os.urandom(32))


def test_salts_and_peer_change_neither_identity_nor_content() -> None:
    one = draft_of(observed(attributes=ATTRIBUTES))
    other = draft_of(observed(attributes=ATTRIBUTES), peer=b'{"transport":"grpc"}')
    assert one.body != other.body
    assert one.identity == other.identity
    assert identity.same_content(one.body, other.body)


def test_a_repetition_has_the_content_of_the_first() -> None:
    one = draft_of(observed(attributes=ATTRIBUTES))
    repeated = header.repeat(one, 5)
    assert canonical.decode(repeated.body.encode())["duplicate_of"] == 5
    assert repeated.identity == one.identity
    assert identity.same_content(one.body, repeated.body)


def test_another_vocabulary_is_no_other_content() -> None:
    observation = observed(attributes={**ATTRIBUTES, "my.target": "t"}, resource={"org": "acme"})
    one = draft_of(observation)
    other = draft_of(observation, vocabulary=Vocabulary({"target": ["my.target"]}, tenant="org"))
    assert '"target":{"id":"t"}' in other.body
    assert '"tenant":"acme"' in other.body
    assert one.identity == other.identity
    assert identity.same_content(one.body, other.body)


@pytest.mark.parametrize(
    "changed",
    [
        observed(attributes={**ATTRIBUTES, "x": 1}),
        observed(attributes=ATTRIBUTES, otlp={"time": "2026-03-04T05:06:07.000000001Z"}),
        observed(attributes=ATTRIBUTES, resource={"service.name": "s"}),
        observed(attributes=ATTRIBUTES, scope={"x": 1}),
        observed("span", attributes=ATTRIBUTES),
        observed(attributes=ATTRIBUTES)._replace(attributes_raw="CgA="),
    ],
    ids=["attribute", "time", "resource", "scope", "kind", "raw"],
)
def test_whatever_the_sender_said_is_content(changed: Observation) -> None:
    one, other = draft_of(observed(attributes=ATTRIBUTES)), draft_of(changed)
    assert one.identity != other.identity
    assert not identity.same_content(one.body, other.body)


def test_content_identity_is_the_digest_of_the_content() -> None:
    draft = draft_of(observed(attributes=ATTRIBUTES))
    text = identity.content(canonical.decode(draft.body.encode()))
    assert not draft.own_identity
    assert draft.identity == identity.of_content(text)
    assert set(canonical.decode(text)) == set(identity.CONTENT) - {"attributes_raw"}


@pytest.mark.parametrize(
    ("kind", "attributes", "otlp", "expected"),
    [
        ("log", {"audit.record.id": "1"}, None, '["record","svc","1"]'),
        ("log", {"log.record.uid": "u"}, None, '["record","svc","u"]'),
        ("log", {"log.record.uid": "u", "audit.record.id": "1"}, None, '["record","svc","1"]'),
        ("log", {"log.record.uid": "u", "audit.record.id": ""}, None, '["record","svc","u"]'),
        ("log", {"audit.record.id": 7}, None, '["record","svc","7"]'),
        ("span", {"audit.record.id": "1"}, {**START, **IDS}, '["record","svc","1"]'),
        (
            *("span", {}, {**START, **IDS}),
            f'["span","svc","{IDS["trace_id"]}","{IDS["span_id"]}"]',
        ),
    ],
)
def test_own_identities(kind: str, attributes: Any, otlp: Any, expected: str) -> None:
    draft = draft_of(observed(kind, attributes, otlp, resource={"service.name": "svc"}))
    assert draft.own_identity
    assert draft.identity.decode() == expected


@pytest.mark.parametrize(
    ("kind", "otlp"),
    [
        ("log", {"time": "2026-03-04T05:06:07.000000000Z", **IDS}),
        ("span", START),
        ("span", {**START, "trace_id": IDS["trace_id"]}),
        ("span", {**START, **IDS, "trace_id": "0" * 32}),
        ("span", {**START, **IDS, "span_id": "0" * 16}),
    ],
)
def test_records_without_an_identity_of_their_own(kind: str, otlp: Any) -> None:
    draft = draft_of(observed(kind, ATTRIBUTES, otlp))
    assert not draft.own_identity
    assert draft.identity.startswith(b'["content","')


def test_the_tag_is_the_first_half_of_an_hmac() -> None:
    key = bytes(range(32))
    named = identity.of_record("caf\u00e9", 'a"b')
    assert named.decode() == '["record","caf\u00e9","a\\"b"]'
    openssl = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}"]
    answer = subprocess.run(openssl, input=named, capture_output=True, check=True)
    assert identity.tag(key, named) == answer.stdout.split()[-1].decode()[:16]
