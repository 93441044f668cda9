"""Which spans and log records are audit (DESIGN 4), and how all are counted."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from audit_receiver.otlp.walk import Walk, literals
from audit_receiver.record.select import Rule
from tests.kit import build
from tests.otlp.reading import PLAIN, walked


@pytest.mark.parametrize(
    "record",
    [
        build.log_record("audit", {}),
        build.log_record("audit.login", {}),
        build.log_record("", {"event.name": "audit.login"}),
        build.log_record("other", {"event.name": "audit"}),
        build.log_record("user.login.success", {**PLAIN, "audit.record.id": "1"}),
        build.log_record("", {"audit.": 1}),
        build.log_record("", {"audit.integrity.value": "x", "audit.action": "y"}),
    ],
)
def test_logs_that_are_audit(record: Any) -> None:  # A02, DESIGN 4
    assert len(walked(build.request(record)).observations) == 1


@pytest.mark.parametrize(
    "record",
    [
        build.log_record("", {}),
        build.log_record("login", PLAIN, body="audit.login"),
        build.log_record("auditing", {"auditor": "x", "my.audit.x": 1, "Audit.x": 1}),
        build.log_record("", {"audit.integrity.value": "x"}),
        build.log_record("", {"event.name": ["audit"], "x": {"audit.action": 1}}),
        build.log_record("", {"audit": "without a dot"}),
    ],
)
def test_logs_that_are_not_audit(record: Any) -> None:
    assert walked(build.request(record)) == Walk([], {"billing": 1}, {"billing": 1})


@pytest.mark.parametrize(
    "span",
    [
        build.span("audit", {}),
        build.span("audit.role", {}),
        build.span("x", {"audit.action": "y"}),
        build.span("x", PLAIN, events=[("e", PLAIN), ("e", {"audit.action": "y"})]),
        build.span("x", {}, events=[("audit.login", {})]),
    ],
)
def test_spans_that_are_audit(span: Any) -> None:
    assert len(walked(build.request(span)).observations) == 1


@pytest.mark.parametrize(
    "span",
    [
        build.span("x", PLAIN),
        build.span("GET /audit.html", {"event.name": "audit"}, events=[("auditing", PLAIN)]),
        build.span("x", {}, links=[Span.Link(attributes=build.attributes({"audit.x": 1}))]),
    ],
)
def test_spans_that_are_not_audit(span: Any) -> None:
    assert walked(build.request(span)) == Walk([], {"billing": 1}, {"billing": 1})


@pytest.mark.parametrize(("scope", "found"), [("audit", 2), ("audit.app", 2), ("auditor", 0)])
def test_a_scope_by_its_name_takes_all_its_items(scope: str, found: int) -> None:
    message = build.request(build.span("x", PLAIN), build.span("y", PLAIN), scope=scope)

    assert len(walked(message).observations) == found


def test_resource_and_scope_attributes_do_not_select() -> None:
    scope = build.InstrumentationScope(attributes=build.attributes({"audit.x": 1}))
    message = build.request(build.span("x", {}), resource={"audit.x": 1}, scope=scope)

    assert walked(message).observations == []


def test_another_rule_is_followed() -> None:
    rule = Rule(attributes=("*.changed_by", "x[yz]"), except_=("secret.*",), names=("??gin",))
    items = [
        build.log_record("", {"app.changed_by": 1}),
        build.log_record("", {"secret.changed_by": 1}),
        build.log_record("login", {}),
        build.log_record("", {"xy": 1}),
        build.log_record("", {"xq": 1, "audit.action": "x"}),
    ]

    found = walked(build.request(*items), rule=rule).observations

    assert [o.name or next(iter(o.attributes)) for o in found] == ["app.changed_by", "login", "xy"]


def test_a_rule_without_patterns_selects_nothing() -> None:
    rule = Rule(attributes=(), names=())

    assert walked(build.request(build.span()), rule=rule).observations == []


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (("audit.*", "audit"), (b"audit",)),
        (("a.*", "*.b"), (b".b", b"a.")),
        (("*",), (b"",)),
        (("a*longer*b",), (b"longer",)),
        (("x[abc]y",), (b"x",)),
        (("?",), (b"",)),
        ((), ()),
        (("grüße.*",), ("grüße.".encode(),)),
    ],
)
def test_words_that_every_match_contains(patterns: Any, words: Any) -> None:
    assert literals(patterns) == words


_globs = st.lists(st.text("ab.*?[]!", min_size=1, max_size=5), max_size=3).map(tuple)
_short = st.text("ab.", max_size=4)


@settings(max_examples=200, deadline=None)
@given(_globs, _globs, _short, st.lists(_short, max_size=3), _short)
def test_looking_for_words_first_never_changes_what_is_selected(
    attributes: Any, names: Any, name: str, keys: list[str], scope: str
) -> None:
    rule = Rule(attributes=attributes, except_=(), names=names)
    message = build.request(build.log_record(name, [(key, 1) for key in keys]), scope=scope)

    found = walked(message, rule=rule).observations

    wanted = [rule.wants_key(key.encode()) for key in keys] + [rule.wants_name(scope.encode())]
    if name:  # a record without a name has none that could match
        wanted.append(rule.wants_name(name.encode()))
    assert bool(found) == any(wanted)


# Counts


def test_counts_by_service() -> None:  # A01, DESIGN 3.6
    message = build.request(build.span(), build.span("x", PLAIN), build.span("y", PLAIN))
    message.MergeFrom(build.request(build.span(), resource={"service.name": "web"}))
    message.MergeFrom(build.request(build.span("z", {}), resource={}))
    message.MergeFrom(build.request(build.span("z", {})))
    message.MergeFrom(build.request(signal="traces", resource={"service.name": "none"}))

    result = walked(message)

    assert len(result.observations) == 2
    assert result.received == {"billing": 4, "web": 1, "": 1}
    assert result.skipped == {"billing": 3, "": 1}


@pytest.mark.parametrize(
    ("resource", "service"),
    [
        ([("service.name", "a"), ("service.name", "b")], "b"),
        ({"service.name": 7}, "7"),
        ({"service.name": ""}, ""),
        ({"service.name": "a\nb"}, "a\ufffdb"),
        ({"x": "y"}, ""),
    ],
)
def test_services_are_named_as_in_the_records(resource: Any, service: str) -> None:
    result = walked(build.request(build.span("x", {}), resource=resource))

    assert result.received == {service: 1}


def test_the_order_of_the_request_is_kept() -> None:
    message = build.request(*[build.log_record(f"audit.{i}") for i in range(5)])
    message.MergeFrom(build.request(build.log_record("audit.5"), resource={}))

    names = [o.name for o in walked(message).observations]

    assert names == [f"audit.{i}" for i in range(6)]
