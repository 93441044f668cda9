"""Which records are audit (DESIGN 4)."""

import pytest

from audit_receiver.record import select
from audit_receiver.record.select import Rule

DEFAULT = Rule()


@pytest.mark.parametrize(
    "key", ["audit.action", "audit.actor.id", "audit.", "audit.integrity", "audit.integrityx"]
)
def test_keys_that_make_a_record_audit(key: str) -> None:
    assert DEFAULT.wants_key(key.encode())
    assert DEFAULT.wants_key(key.encode())  # remembered


@pytest.mark.parametrize(
    "key",
    [
        *("", "audit", "auditx.action", "my.audit.action", "Audit.action", "AUDIT.ACTION"),
        *("audit.integrity.value", "audit.integrity.", "enduser.id", "xaudit.action", "audit\n."),
    ],
)
def test_keys_that_do_not(key: str) -> None:
    assert not DEFAULT.wants_key(key.encode())
    assert not DEFAULT.wants_key(key.encode())


@pytest.mark.parametrize("name", ["audit", "audit.system", "audit.", "audit.a\nb"])
def test_names_that_make_a_record_audit(name: str) -> None:
    assert DEFAULT.wants_name(name.encode())


@pytest.mark.parametrize("name", ["", "audits", "my.audit", "Audit", "user.login", "audit\n"])
def test_names_that_do_not(name: str) -> None:
    assert not DEFAULT.wants_name(name.encode())


def test_names_need_not_be_utf_8() -> None:
    assert DEFAULT.wants_name(b"audit.\xff")
    assert DEFAULT.wants_key(b"audit.\xff")
    assert not DEFAULT.wants_key(b"\xffaudit.")


def test_a_rule_of_nothing_wants_nothing() -> None:
    nothing = Rule(attributes=(), except_=(), names=())
    assert not nothing.wants_key(b"audit.action")
    assert not nothing.wants_name(b"audit")
    assert not nothing.wants_name(b"")


def test_own_patterns() -> None:
    rule = Rule(attributes=("sec.*", "user.role?"), except_=("sec.debug.*",), names=("login-[ab]",))
    assert rule.wants_key(b"sec.x")
    assert rule.wants_key(b"user.roles")
    assert not rule.wants_key(b"user.role")
    assert not rule.wants_key(b"sec.debug.x")
    assert not rule.wants_key(b"audit.action")
    assert rule.wants_name(b"login-a")
    assert not rule.wants_name(b"login-c")


def test_an_exception_only_takes_away() -> None:
    rule = Rule(attributes=("audit.*",), except_=("*",), names=("*",))
    assert not rule.wants_key(b"audit.action")
    assert rule.wants_name(b"anything")


def test_dots_mean_dots() -> None:
    assert not DEFAULT.wants_key(b"auditxaction")


def test_what_is_remembered_is_bounded_and_stays_right() -> None:
    rule = Rule()
    for number in range(select.MOST_REMEMBERED + 50):
        assert rule.wants_key(b"audit.%d" % number)
        assert not rule.wants_name(b"%d" % number)
    assert len(rule._keys_seen) <= select.MOST_REMEMBERED
    assert len(rule._names_seen) <= select.MOST_REMEMBERED
    assert not rule.wants_key(b"x" * 1000)
    assert b"x" * 1000 not in rule._keys_seen


def test_the_digest_is_sha3_of_the_rule() -> None:
    # openssl dgst -sha3-256 of
    # {"attributes":["audit.*"],"except":["audit.integrity.*"],"names":["audit","audit.*"]}
    assert DEFAULT.digest() == "9c616a4e7d38cad96296d61e694a56110054fac926296b7aaeca801dbb3bee65"
    assert Rule(names=("audit",)).digest() != DEFAULT.digest()
    assert DEFAULT.as_dict()["except"] == ["audit.integrity.*"]
