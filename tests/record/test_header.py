"""Headers as text: golden vectors, mutants, the largest there can be."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_receiver.record import canonical, fields, flags, header, heading
from audit_receiver.record.canonical import NotCanonical
from audit_receiver.record.model import Draft
from tests.record.vectors import cases

HEADERS = cases("header/headers.json")
REFUSED = [case for case in HEADERS if case["reason"] is not None]


def test_there_are_vectors_and_most_are_refusals() -> None:
    assert len(HEADERS) >= 90
    assert len(REFUSED) > 0.8 * len(HEADERS)


@pytest.mark.parametrize("case", HEADERS, ids=lambda case: case["name"])
def test_header_is_read_or_refused_for_the_golden_reason(case: dict[str, Any]) -> None:
    text, reason = case["header"], case["reason"]
    if reason is None:
        assert header.parse(text) == json.loads(text)
        assert canonical.decode(text.encode()) == json.loads(text)
    elif reason == "newer":
        with pytest.raises(heading.NewerVersion):
            header.parse(text)
    else:
        with pytest.raises(NotCanonical) as refused:
            header.parse(text)
        assert refused.value.reason == reason


@given(st.text(max_size=60))
def test_parse_never_fails_in_another_way(text: str) -> None:
    with pytest.raises(NotCanonical):
        header.parse(text)


@given(st.data())
def test_one_changed_character_is_refused_or_another_header(data: st.DataObject) -> None:
    good = HEADERS[0]["header"]
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]))
    text = good[:place] + other + good[place + 1 :]
    try:
        found = header.parse(text)
    except (NotCanonical, heading.NewerVersion):
        return
    assert (found == header.parse(good)) is (text == good)
    assert canonical.encode(found).decode() == text


def draft(**changes: Any) -> Draft:
    """A draft whose header has every key there is."""
    values = {
        "action": "a",
        "actor_type": "b",
        "environment": "c",
        "event": "d",
        "outcome": "success",
        "service": "e",
        "target_type": "f",
        "tenant": "g",
        **changes,
    }
    found = (*(values[name] for name in sorted(values)), ())
    return Draft(
        body="{}",
        kind="span",
        service=values["service"],
        time="2026-03-04T05:06:07.000000000Z",
        time_unix_nano=1,
        identity=b"x",
        own_identity=True,
        action=values["action"],
        outcome=values["outcome"],
        flags=frozenset({"truncated"}),
        fixed=header.fixed("span", "0" * 64, "1" * 64, "2026-03-04T05:06:07.000000000Z", found),  # type: ignore[arg-type]
    )


def rendered(draft: Draft, *more: str, duplicate_of: int | None = 3) -> str:
    received = "2026-03-04T05:06:08.000000000Z"
    return header.render(draft, 9, "2" * 64, received, "3" * 16, more, duplicate_of)


def test_a_header_with_every_key_is_canonical_and_has_no_others() -> None:
    text = rendered(draft(), "duplicate")
    assert tuple(header.parse(text)) == header.KEYS
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text


def test_every_choice_of_keys_is_a_canonical_header() -> None:
    names = ("action", "actor_type", "environment", "event", "service", "target_type", "tenant")
    for absent in itertools.product([True, False], repeat=len(names)):
        left_out = {name: "" for name, gone in zip(names, absent, strict=True) if gone}
        more = ("missing_action",) if "action" in left_out else ()
        text = rendered(draft(**left_out), *more, duplicate_of=None)
        assert set(header.KEYS) - set(header.parse(text)) == {*left_out, "duplicate_of"}


def test_flags_are_sorted_and_stand_once() -> None:
    text = rendered(draft(), "late", "duplicate", "truncated")
    assert json.loads(text)["flags"] == ["duplicate", "late", "truncated"]


@pytest.mark.parametrize("widest", ["x", "\u00e9", "\u20ac", "\U0001f600"])
def test_the_largest_header_is_under_4096_bytes(widest: str) -> None:
    token = widest * (fields.MOST_TOKEN_BYTES // len(widest.encode()))
    assert fields.is_token(token)
    assert not fields.is_token(token + widest)
    largest = draft(**dict.fromkeys(flags.WITHHELD, token), outcome="unknown")._replace(
        flags=frozenset(flags.ALL)
    )
    most = 2**53 - 1
    text = header.render(
        largest, most, "f" * 64, "2554-07-21T23:34:33.709551615Z", "f" * 16, (), most - 1
    )
    assert len(text.encode()) <= heading.MOST_BYTES < 4096
    room = heading.MOST_BYTES - len(text.encode())
    assert room >= 35 * 40, "there is no room for forty flags more of 32 characters"


@pytest.mark.parametrize(("first", "last"), fields.FORBIDDEN)
def test_forbidden_characters_make_no_token(first: int, last: int) -> None:
    for code in (first, last):
        assert not fields.is_token(f"a{chr(code)}b")
    for code in (first - 1, last + 1):
        inside = any(low <= code <= high for low, high in fields.FORBIDDEN)
        assert code < 0 or fields.is_token(f"a{chr(code)}b") is not inside


@pytest.mark.parametrize("token", [" ", "a", "/users/{id}", "\u00fc", "\ufffd", "x" * 120, "'"])
def test_tokens(token: str) -> None:
    assert fields.is_token(token)
    assert fields.is_token(token)  # remembered


@pytest.mark.parametrize("text", ["", "x" * 121, "\u00e9" * 61, "x" * 1_000_000])
def test_no_tokens(text: str) -> None:
    assert not fields.is_token(text)
    assert not fields.is_token(text)


def test_tokens_remembered_are_bounded() -> None:
    for number in range(fields.MOST_REMEMBERED + 100):
        assert fields.is_token(f"token {number}")
    assert len(fields._tokens) <= fields.MOST_REMEMBERED


@pytest.mark.parametrize(
    ("age_nano", "flag"),
    [
        (0, ()),
        (header.LATE, ()),
        (header.LATE + 1, ("late",)),
        (-header.SKEW, ()),
        (-header.SKEW - 1, ("clock_skew",)),
    ],
)
def test_timing_flags(age_nano: int, flag: tuple[str, ...]) -> None:
    assert header.LATE == 24 * 60 * 60 * 10**9
    assert header.SKEW == 60 * 10**9
    one = draft()._replace(time_unix_nano=10**18)
    assert header.timing_flags(one.time_unix_nano, 10**18 + age_nano) == flag


def test_a_record_without_time_is_neither_late_nor_early() -> None:
    assert header.timing_flags(0, 10**18) == ()


def test_every_flag_is_a_code_and_has_a_meaning() -> None:
    for flag, meaning in flags.ALL.items():
        assert flag.replace("_", "").isalnum()
        assert flag == flag.lower()
        assert len(flag) <= 32
        assert len(meaning) > 10
    assert {f"missing_{name}" for name in flags.MISSING} < set(flags.ALL)
    assert {f"withheld_{name}" for name in flags.WITHHELD} < set(flags.ALL)


def test_forty_flags_are_all_that_a_header_needs() -> None:
    assert len(flags.ALL) <= 40
