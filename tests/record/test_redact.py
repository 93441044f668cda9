"""Redaction: what is taken out, what stays, and that its place is named."""

import base64
import hmac
import json
from collections import Counter
from typing import Any

import pytest

from audit_receiver.record import body
from audit_receiver.record.model import Observation
from audit_receiver.record.normalise import Vocabulary, normalise
from audit_receiver.record.redact import Action, Matcher, RedactionRule, digest
from audit_receiver.record.redaction import Redactor
from tests.record.vectors import observed

KEY = b"k" * 32
SECRET = "hunter2-very-secret"
PLAIN = {"audit.action": "login", "audit.actor.id": "ann", "n": 7, "ok": True}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


def redacted(
    observation: Observation, *rules: RedactionRule, spared: tuple[str, ...] = (), on: bool = True
) -> tuple[Observation, "Counter[str]"]:
    taken: Counter[str] = Counter()
    redactor = Redactor(Matcher(rules, spared, on, KEY), lambda action: taken.update([action]))
    return redactor.apply(observation), taken


def stored(observation: Observation, *rules: RedactionRule) -> dict[str, Any]:
    """The body that is kept of it."""
    found, _ = redacted(observation, *rules)
    text = body.encode(normalise(found, Vocabulary()), b"{}", bytes(32)).body
    assert SECRET not in text
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_a_record_in_which_nothing_matches_is_the_same_object() -> None:
    came = observed("span", PLAIN, {"name": "audit", "events": [{"attributes": {"a": "b"}}]})
    found, taken = redacted(came)
    assert found is came
    assert not taken


@pytest.mark.parametrize(
    "key",
    [
        *("password", "user.password", "db_password", "userPassword", "PASSWD", "pwd", "x_pwd"),
        *("secret", "client_secret", "clientSecret", "token", "access-token", "refreshToken"),
        *("authorization", "http.request.header.authorization", "proxy-authorization"),
        *("api_key", "apiKey", "x-api-key", "private_key", "aws.secret_access_key", "cookie"),
        *("http.response.header.set-cookie", "credentials", "$password"),
    ],
)
def test_names_of_secrets_are_masked_unless_the_list_is_off(key: str) -> None:
    came = observed(attributes={**PLAIN, key: SECRET})
    found, taken = redacted(came)
    assert found.attributes == {**PLAIN, key: "[redacted]"}
    assert found.redacted == (f"attributes.{key}",)
    assert "redacted" in found.flags
    assert taken == {"mask": 1}
    assert redacted(came, on=False)[0] is came


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[(key, "v") for key in ("token_count", "gen_ai.usage.input_tokens", "passwords_changed")],
        *[(key, "v") for key in ("session.id", "password_changed_at", "secretary", "key", "pw")],
        *[("has_password", True), ("password", ""), ("password", None)],
    ],
)
def test_what_only_sounds_like_a_secret_stays(key: str, value: Any) -> None:
    came = observed(attributes={**PLAIN, key: value})
    assert redacted(came)[0] is came


def test_every_list_of_attributes_and_the_maps_inside_are_searched() -> None:
    inner = {"deep": [{"token": SECRET}, "x"]}
    came = observed(
        "span",
        {"a": inner},
        {
            "events": [{"name": "e", "attributes": {"password": SECRET}}, {"name": "f"}],
            "links": [{"trace_id": "00", "attributes": {"cookie": SECRET}}],
        },
        {"db.password": SECRET, "service.name": "s"},
        {"secret": SECRET},
    )
    kept = stored(came)
    assert kept["redacted"] == [
        "attributes.a.deep[0].token",
        "otlp.events[0].attributes.password",
        "otlp.links[0].attributes.cookie",
        "resource.attributes.db.password",
        "scope.attributes.secret",
    ]
    assert kept["attributes"] == {"a": {"deep": [{"token": "[redacted]"}, "x"]}}
    assert kept["resource"]["attributes"]["service.name"] == "s"
    again, taken = redacted(came)
    assert again.event_attributes == ({"password": "[redacted]"}, {})
    assert taken == {"mask": 5}


def test_a_logs_body_is_searched_by_key_path_if_it_is_a_map() -> None:
    otlp = {"body": {"user": {"name": "ann", "pin": SECRET}, "password": SECRET}}
    rule = RedactionRule("drop", ("user.pin",))
    kept = stored(observed(attributes=PLAIN, otlp=otlp), rule)
    assert kept["otlp"]["body"] == {"password": "[redacted]", "user": {"name": "ann"}}
    assert kept["redacted"] == ["otlp.body.password", "otlp.body.user.pin"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"got {JWT} from", "got [redacted] from"),
        ("Authorization: Bearer abcdefghij0123456789==", "Authorization: Bearer [redacted]"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."),
        ("ghp_" + "a" * 36, "[redacted]"),
        ("postgres://app:s3cr3t@db/x", "postgres://[redacted]@db/x"),
        ("-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n", "[redacted]\n"),
        ("glpat-" + "x" * 20, "[redacted]"),
        ("sk_live_" + "4" * 24, "[redacted]"),
    ],
    ids=["jwt", "bearer", "aws", "github", "address", "pem", "gitlab", "stripe"],
)
def test_forms_of_secrets_are_cut_out_of_any_text(text: str, left: str) -> None:
    came = observed(attributes={"audit.action": text}, otlp={"body": text, "severity_text": text})
    found, taken = redacted(came)
    assert found.attributes == {"audit.action": left}
    assert (found.otlp["body"], found.otlp["severity_text"]) == (left, left)
    assert found.redacted == ("attributes.audit.action", "otlp.body", "otlp.severity_text")
    assert taken == {"mask": 3}
    assert normalise(found, Vocabulary()).audit["action"] == left.rstrip("\n") or "\n" in left


def test_an_address_without_a_password_stays() -> None:
    came = observed(attributes={"url": "https://example.com/a?b=c", "m": "ann@example.com"})
    assert redacted(came)[0].redacted == ()


@pytest.mark.parametrize("action", ["drop", "hash", "mask"])
def test_the_three_actions(action: Action) -> None:
    rule = RedactionRule(action, ("user.email",), (r"\b\d{4}\b",))
    came = observed(attributes={"user.email": "ann@example.com", "note": "pin 1234!"})
    found, taken = redacted(came, rule)

    def by_hand(text: str) -> str:
        return "hmac-sha256:" + hmac.new(KEY, f'"{text}"'.encode(), "sha256").hexdigest()

    expected = {
        "drop": {"note": "pin !"},
        "hash": {"note": f"pin {by_hand('1234')}!", "user.email": by_hand("ann@example.com")},
        "mask": {"note": "pin [redacted]!", "user.email": "[redacted]"},
    }
    assert found.attributes == expected[action]
    assert found.redacted == ("attributes.note", "attributes.user.email")
    assert taken == {action: 2}


def test_a_hashed_actor_is_one_actor_everywhere_and_nobody_without_the_key() -> None:
    rule = RedactionRule("hash", ("user.id", "enduser.id"))
    one = stored(observed(attributes={"user.id": "ann"}), rule)
    other = stored(observed(attributes={"enduser.id": "ann"}), rule)
    assert one["subject"]["actor"] == other["subject"]["actor"]
    assert one["subject"]["actor"].startswith("hmac-sha256:")


def test_the_first_rule_decides_and_what_is_excepted_stays() -> None:
    rules = RedactionRule("drop", ("*.token",)), RedactionRule("hash", ("audit.*",))
    came = observed(attributes={"audit.token": SECRET, "audit.x": "y", "my.token": SECRET})
    found, _ = redacted(came, *rules, spared=("my.*",))
    assert set(found.attributes) == {"audit.x", "my.token"}
    assert found.attributes["my.token"] == SECRET


def test_the_name_of_the_service_is_never_taken_by_a_key() -> None:
    came = observed(attributes=PLAIN, resource={"service.name": "s", "x.name": "y"})
    found, _ = redacted(came, RedactionRule("drop", ("name",)))
    assert found.resource.attributes == {"service.name": "s"}


@pytest.mark.parametrize("field", ["audit.change.field", "audit.field"])
def test_the_values_of_a_changed_password_are_masked(field: str) -> None:
    came = observed(
        attributes={field: "user.password", "audit.old_value": SECRET, "audit.new_value": SECRET}
    )
    kept = stored(came)
    assert kept["audit"]["change"] == {
        "field": "user.password",
        "new": "[redacted]",
        "old": "[redacted]",
    }
    assert kept["redacted"] == ["attributes.audit.new_value", "attributes.audit.old_value"]


def opaque(text: str) -> str:
    return base64.b64encode(b"\n\x08" + text.encode()).decode()


def test_what_cannot_be_looked_into_goes_as_a_whole_where_a_word_of_a_rule_stands_in_it() -> None:
    came = observed(
        attributes={"a": {"$otlp": opaque("password=" + SECRET)}, "b": {"$otlp": opaque("x")}},
        otlp={"unknown": opaque(JWT), "name": "audit"},
    )._replace(attributes_raw=opaque("Api-Key" + SECRET))
    found, taken = redacted(came)
    assert found.attributes == {"a": "[redacted]", "b": {"$otlp": opaque("x")}}
    assert found.attributes_raw is None
    assert found.otlp == {"name": "audit"}
    assert found.redacted == ("attributes.a", "attributes_raw", "otlp.unknown")
    assert taken == {"drop": 2, "mask": 1}


def test_bytes_and_broken_strings_are_searched_too() -> None:
    wrapped = {"b": {"$bytes": base64.b64encode(JWT.encode()).decode()}}
    wrapped["u"] = {"$utf8": base64.b64encode(b"\xff" + JWT.encode()).decode()}
    found, _ = redacted(observed(attributes={**wrapped, "i": {"$int": "99999999999999999999"}}))
    assert found.redacted == ("attributes.b", "attributes.u")
    assert found.attributes["i"] == {"$int": "99999999999999999999"}


def test_identity_and_hashes_are_those_of_what_is_kept() -> None:
    """Two resends that differ in nothing but a masked secret are one record's content."""
    drafts = [
        body.encode(
            normalise(redacted(observed(attributes={**PLAIN, "token": text}))[0], Vocabulary()),
            b"{}",
            bytes(32),
        )
        for text in ("one", "another")
    ]
    assert drafts[0].identity == drafts[1].identity
    assert drafts[0].body == drafts[1].body
    assert drafts[0].integrity_hash != drafts[1].integrity_hash, "of what came, for the receipt"


def test_a_producers_signature_goes_with_what_it_was_made_over() -> None:
    signed = {**PLAIN, "audit.integrity.value": "c2ln", "audit.sequence.number": 3}
    found, _ = redacted(observed(attributes={**signed, "password": SECRET}))
    assert found.attributes["audit.integrity.value"] == "[redacted]"
    assert found.redacted == ("attributes.audit.integrity.value", "attributes.password")
    assert found.sequence is not None
    assert found.sequence.digest == found.integrity_hash
    kept, _ = redacted(observed(attributes=signed, resource={"db.password": SECRET}))
    assert kept.attributes["audit.integrity.value"] == "c2ln", "the resource is not part of it"


def test_identifiers_and_times_are_nobodys_secret() -> None:
    otlp = {
        "trace_id": "1234" * 8,
        "span_id": "1234" * 4,
        "start": "2026-03-04T05:06:07.123412341Z",
    }
    came = observed("span", {"note": "1234"}, otlp)
    found, _ = redacted(came, RedactionRule("mask", (), (r"\d{4}",)))
    assert found.otlp == otlp
    assert found.attributes == {"note": "[redacted]"}


def test_the_digest_names_the_rules_and_the_programs_own() -> None:
    rule = RedactionRule("mask", ("a",))
    digests = {
        digest([], [], True),
        digest([], [], False),
        digest([rule], [], True),
        digest([rule], ["b"], True),
        digest([RedactionRule("drop", ("a",))], [], True),
    }
    assert len(digests) == 5


def test_hashing_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        Matcher([RedactionRule("hash", ("a",))])


def test_a_length_byte_before_a_secret_does_not_hide_it() -> None:
    matcher = Matcher()
    assert matcher.finds_in(bytes([len(JWT)]) + JWT.encode())
    assert chr(len(JWT)).isalnum(), "or this test says nothing"
    assert not matcher.finds_in(b"\x0a\x05hello")


def test_a_key_with_dots_inside_a_map_is_not_taken_for_a_path() -> None:
    rule = RedactionRule("mask", ("a.b",))
    one, _ = redacted(observed(attributes={"x": {"a.b": SECRET}, "x.a.b": "kept"}), rule)
    assert one.attributes == {"x": {"a.b": "[redacted]"}, "x.a.b": "kept"}
    other, _ = redacted(observed(attributes={"x.a.b": "kept", "x": {"a.b": SECRET}}), rule)
    assert other.attributes == one.attributes
