"""What a record says (DESIGN 5): order of aliases, outcome words, missing fields, texts."""

from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_receiver.record import aliases, body, header
from audit_receiver.record.model import AuditRecord
from audit_receiver.record.normalise import Vocabulary, normalise
from tests.record.vectors import observed

PLACES = {  # where the body's `audit` object holds a field
    "action": ("action",),
    "actor": ("actor", "id"),
    "actor_type": ("actor", "type"),
    "field": ("change", "field"),
    "new": ("change", "new"),
    "old": ("change", "old"),
    "reason": ("reason",),
    "record_id": ("record_id",),
    "session_id": ("session_id",),
    "source": ("source", "id"),
    "source_type": ("source", "type"),
    "target": ("target", "id"),
    "target_type": ("target", "type"),
}
SIX = {f"missing_{name}" for name in ("actor", "action", "outcome", "source", "target")}
WHOLE = {
    "audit.action": "read",
    "audit.actor.id": "ann",
    "audit.outcome": "success",
    "audit.source.id": "192.0.2.1",
    "audit.target.id": "file",
}


def of(attributes: dict[str, Any], **extra: list[str]) -> AuditRecord:
    return normalise(observed(attributes=attributes), Vocabulary(extra))


def at(record: AuditRecord, place: tuple[str, ...]) -> Any:
    found: Any = record.audit
    for name in place:
        found = found.get(name) if found else None
    return found


def span_with(status: int, **attributes: Any) -> AuditRecord:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    times = {"start": "2026-03-04T05:06:07.000000000Z"}
    otlp = {**times, "status": {"code": status}} if status else times
    return normalise(observed("span", named, otlp), Vocabulary())


# --- the table ----------------------------------------------------------------------------------


def test_the_table_has_the_names_that_the_design_counts_on() -> None:
    expected = {
        "action": "audit.action",
        "actor": "audit.actor.id enduser.id user.id audit.changed_by",
        "actor_type": "audit.actor.type",
        "new": "audit.new_value",
        "old": "audit.old_value",
        "outcome": "audit.outcome audit.result event.outcome",
        "reason": "event.reason",
        "record_id": "audit.record.id log.record.uid",
        "roles": "user.roles enduser.role",
        "session_id": "session.id",
        "source": "audit.source.id client.address enduser.ip source.ip",
        "source_type": "audit.source.type",
        "target": "audit.target.id audit.target_user",
        "target_type": "audit.target.type audit.resource_type",
    }
    for name, words in expected.items():
        ranks = [aliases.ALIASES[name].index(word) for word in words.split()]
        assert ranks == sorted(ranks), name
    assert set(PLACES) | {"outcome", "roles", "tenant"} == set(aliases.ALIASES)


@pytest.mark.parametrize("name", PLACES)
def test_each_alias_is_found_and_the_one_before_it_wins(name: str) -> None:
    names = aliases.ALIASES[name]
    for alias in names:
        assert at(of({alias: "x"}), PLACES[name]) == "x", alias
    for first, second in pairwise(names):
        for attributes in ({first: "1", second: "2"}, {second: "2", first: "1"}):
            assert at(of(attributes), PLACES[name]) == "1"


@pytest.mark.parametrize("nothing", ["", None, "unknown", "UNKNOWN", "Unknown"])
@pytest.mark.parametrize("name", PLACES)
def test_what_says_nothing_leaves_the_word_to_the_next_alias(name: str, nothing: Any) -> None:
    first, second, *_ = (*aliases.ALIASES[name], "my.own")
    record = of({first: nothing, second: "x"}, **{name: ["my.own"]})
    assert at(record, PLACES[name]) == "x"


def test_unknown_stays_where_nothing_better_follows_and_counts_as_missing() -> None:
    record = of({"audit.actor.id": "Unknown", "enduser.id": "", "audit.action": "unknown"})
    assert record.audit["actor"] == {"id": "Unknown"}
    assert record.subject == {"actor": "Unknown"}
    assert record.audit["action"] == "unknown"
    assert {"missing_actor", "missing_action"} <= record.flags


def test_configured_names_come_after_all_built_in_ones() -> None:
    extra = {"actor": ["my.user", "$odd"], "target": ["my.user"]}
    last = aliases.ALIASES["actor"][-1]
    assert of({"my.user": "me"}, **extra).audit["actor"] == {"id": "me"}
    assert of({"my.user": "me"}, **extra).audit["target"] == {"id": "me"}
    assert of({"my.user": "me", last: "ann"}, **extra).audit["actor"] == {"id": "ann"}
    assert of({"$$odd": "odd"}, **extra).audit["actor"] == {"id": "odd"}


def test_a_field_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no such field: actr; there are action, actor"):
        Vocabulary({"actr": ["x"]})


# --- own attributes, events, resource, scope ------------------------------------------------------


def test_a_spans_own_attributes_come_before_its_events_and_events_in_order() -> None:
    events = (
        {},
        {"user.id": "event 1", "audit.target.id": "event 1", "audit.reason": ""},
        {"audit.actor.id": "event 2", "audit.target.id": "event 2", "audit.reason": "event 2"},
    )
    alone = observed("span")._replace(event_attributes=events)
    record = normalise(alone, Vocabulary())
    assert record.audit["actor"] == {"id": "event 1"}
    assert record.audit["target"] == {"id": "event 1"}
    assert record.audit["reason"] == "event 2"
    own = observed("span", {"user.email": "own"})._replace(event_attributes=events)
    assert normalise(own, Vocabulary()).audit["actor"] == {"id": "own"}


def test_resource_and_scope_say_nothing_of_a_record() -> None:
    record = normalise(observed(resource=WHOLE, scope=WHOLE), Vocabulary())
    assert record.audit == {}
    assert record.subject == {}
    assert record.flags == SIX


@pytest.mark.parametrize(
    ("resource", "service", "environment"),
    [
        ({}, "", ""),
        ({"service.name": "svc"}, "svc", ""),
        ({"deployment.environment": "old"}, "", "old"),
        ({"deployment.environment": "old", "deployment.environment.name": "new"}, "", "new"),
        ({"deployment.environment": "old", "deployment.environment.name": ""}, "", "old"),
        ({"service.name": 7}, "7", ""),
        ({"service.name": "a\tb"}, "a\ufffdb", ""),
    ],
)
def test_service_and_environment(resource: Any, service: str, environment: str) -> None:
    record = normalise(observed(resource=resource), Vocabulary())
    draft = body.encode(record, b"{}", bytes(32))
    received = "2026-01-01T00:00:00.000000000Z"
    found = header.parse(header.render(draft, 3, "a" * 64, received, "b" * 16, (), None))
    assert (record.service, found.get("environment", "")) == (service, environment)


def test_the_tenant_is_the_records_else_the_scopes_else_the_resources() -> None:
    vocabulary = Vocabulary(tenant="org")
    for places, expected in [
        ({"attributes": {"org": "a"}, "scope": {"org": "b"}, "resource": {"org": "c"}}, "a"),
        ({"attributes": {"org": ""}, "scope": {"org": "b"}, "resource": {"org": "c"}}, "b"),
        ({"resource": {"org": "c"}}, "c"),
        ({}, ""),
    ]:
        record = normalise(observed(**places), vocabulary)
        assert record.tenant == record.audit.get("tenant", "") == expected
    assert normalise(observed(attributes={"org": "a"}), Vocabulary()).tenant == ""
    other = Vocabulary({"tenant": ["account"]}, tenant="org")
    assert normalise(observed(resource={"account": "x"}), other).tenant == "x"
    both = observed(attributes={"account": "x", "org": "y"})
    assert normalise(both, other).tenant == "y"


# --- outcome ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "outcome", "reason"),
    [
        *((word, "success", None) for word in ("success", "SUCCESS", " Succeeded ", "ok", True)),
        *((word, "success", None) for word in ("allow", "Allowed", "granted", "true")),
        *((word, "failure", None) for word in ("failure", "Failed", "ERROR", False, "false")),
        *((word, "failure", None) for word in ("timed_out", "timed-out", "cancelled")),
        *((word, "failure", word) for word in ("denied", "Deny", "refused", "FORBIDDEN")),
        *((word, "failure", word) for word in ("access_denied", "Permission-Denied", "rejected")),
        *((word, None, None) for word in ("pending", "403", 0, 1, [], "successfully denied")),
    ],
)
def test_outcome_words(word: Any, outcome: str | None, reason: str | None) -> None:
    record = of({"audit.result": word})
    assert record.audit.get("outcome") == outcome
    assert record.audit.get("reason") == reason
    assert ("missing_outcome" in record.flags) is (outcome is None)


def test_the_tables_of_outcome_words_do_not_overlap_and_are_in_their_form() -> None:
    tables = (aliases.SUCCESS, aliases.FAILURE, aliases.DENIAL)
    assert len(frozenset.union(*tables)) == sum(map(len, tables))
    for word in frozenset.union(*tables):
        assert word == word.strip().lower().replace("_", " ").replace("-", " ")


def test_a_stated_reason_comes_before_the_word_of_a_denial() -> None:
    record = of({"audit.result": "denied", "audit.reason": "not on call"})
    assert record.audit["outcome"] == "failure"
    assert record.audit["reason"] == "not on call"


def test_the_first_outcome_word_that_is_known_decides() -> None:
    assert of({"audit.outcome": "failure", "audit.result": "success"}).audit["outcome"] == "failure"
    assert of({"audit.result": "success", "audit.outcome": "failure"}).audit["outcome"] == "failure"
    assert of({"audit.status": "open", "event.outcome": "success"}).audit["outcome"] == "success"
    assert of({"audit.outcome": "", "audit.result": "success"}).audit["outcome"] == "success"


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        (0, {}, None),
        (1, {}, "success"),
        (2, {}, "failure"),
        (3, {}, None),
        (1, {"audit_result": ""}, "success"),
        (2, {"audit_result": "unknown"}, "failure"),
        (1, {"audit_result": "failure"}, "failure"),
        (2, {"audit_result": "success"}, "success"),
        (1, {"audit_result": "pending"}, None),
    ],
)
def test_span_status_helps_only_where_no_attribute_says_it(
    status: int, said: Any, outcome: str | None
) -> None:
    record = span_with(status, **said)
    assert record.audit.get("outcome") == outcome
    assert ("missing_outcome" in record.flags) is (outcome is None)


# --- the six fields -----------------------------------------------------------------------------


def test_a_whole_record_has_no_flag() -> None:
    assert of(WHOLE).flags == frozenset()


@pytest.mark.parametrize("nothing", [None, "", "unknown"])
@pytest.mark.parametrize("key", WHOLE)
def test_each_missing_field_is_flagged_alone(key: str, nothing: str | None) -> None:
    attributes = {name: value for name, value in WHOLE.items() if name != key}
    if nothing is not None:
        attributes[key] = nothing
    name = key.removeprefix("audit.").removesuffix(".id")
    assert of(attributes).flags == {f"missing_{name}"}


def test_a_missing_time_is_flagged() -> None:
    record = normalise(observed(attributes=WHOLE, otlp={}), Vocabulary())
    assert record.flags == {"missing_time"}


def test_flags_that_came_are_kept() -> None:
    came = observed(attributes=WHOLE)._replace(flags=frozenset({"sampled"}))
    assert normalise(came, Vocabulary()).flags == {"sampled"}


def test_types_and_roles_alone_do_not_make_an_actor() -> None:
    record = of({"audit.actor.type": "user", "user.roles": ["a"], "audit.target.type": "t"})
    assert record.audit["actor"] == {"type": "user", "roles": ["a"]}
    assert record.subject == {"actor_type": "user"}
    assert {"missing_actor", "missing_target"} <= record.flags


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        ("admin", ["admin"]),
        (["a", "b", "a"], ["a", "b", "a"]),
        (["", None, "a"], ["a"]),
        ([1, True, {"$int": "9223372036854775807"}], ["1", "true", "9223372036854775807"]),
        ([["a", "b"], {"c": 1}], ['["a","b"]', '{"c":1}']),
        ({"c": 1}, ['{"c":1}']),
        ("", None),
        ([], None),
        ([""], None),
    ],
)
def test_roles(value: Any, roles: list[str] | None) -> None:
    assert at(of({"user.roles": value}), ("actor", "roles")) == roles


def test_an_empty_list_of_roles_leaves_the_word_to_the_next_alias() -> None:
    assert at(of({"user.roles": [], "enduser.role": "a"}), ("actor", "roles")) == ["a"]
    assert at(of({"enduser.role": "b", "user.roles": ["a"]}), ("actor", "roles")) == ["a"]


@pytest.mark.parametrize("key", ["audit.action", "user.id", "user.roles", "audit.reason"])
def test_control_characters_are_replaced_and_flagged(key: str) -> None:
    record = of({**WHOLE, "audit.action": "", "audit.actor.id": "", key: "a\x1bb"})
    assert "a\ufffdb" in str(record.audit)
    assert "control_characters" in record.flags


@given(
    st.dictionaries(
        st.sampled_from(sorted(chain(*Vocabulary().table.values()))), st.text() | st.integers(-9, 9)
    )
)
def test_everything_is_text_without_control_characters_and_says_something(
    attributes: dict[str, Any],
) -> None:
    record = of(attributes)

    def texts(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [text for member in value.values() for text in texts(member)]
        return (
            [text for member in value for text in texts(member)]
            if isinstance(value, list)
            else [value]
        )

    for text in texts(record.audit):
        assert isinstance(text, str)
        assert text
        assert not any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F for char in text)
    actor, target = record.audit.get("actor", {}), record.audit.get("target", {})
    wanted = {"actor": actor.get("id"), "actor_type": actor.get("type"), "target": target.get("id")}
    assert record.subject == {name: text for name, text in wanted.items() if text}
