"""The JSON forms of ids, enums, numbers and bytes (checklist J)."""

import math
from typing import Any

import pytest

from audit_receiver.errors import MalformedRequest
from tests.otlp.json_reading import (
    SPAN_ID,
    TRACE_ID,
    decoded,
    log,
    logs,
    refused,
    span,
    spans,
    value,
)

# Ids


@pytest.mark.parametrize("form", [str.lower, str.upper, str.swapcase])
def test_ids_are_hex_in_any_case(form: Any) -> None:  # J01
    record = log({"traceId": form(TRACE_ID), "spanId": form("eee19b7eC3C1B174")})

    assert record.trace_id.hex() == TRACE_ID.lower()
    assert record.span_id.hex() == SPAN_ID.lower()


@pytest.mark.parametrize("none", ["", None])
def test_an_empty_id_is_none(none: Any) -> None:  # J02
    assert log({"traceId": none, "spanId": none}) == log({})


@pytest.mark.parametrize(
    "bad", ["W47/95gDgQPSabYzgT/GDA==", "xyz", "abc", "0x12", "ab cd", "ä", 12, [1, 2], "\ud800"]
)
@pytest.mark.parametrize("name", ["traceId", "spanId"])
def test_an_id_that_is_not_hex_is_refused_by_name(name: str, bad: Any) -> None:  # J03
    error = refused(logs({}, {name: bad}))

    assert error.field == f"resourceLogs[0].scopeLogs[0].logRecords[1].{name}"
    assert "hex" in str(error)
    assert error.field in str(error)


def test_a_wrong_id_in_a_link_is_named_to_the_place() -> None:
    error = refused(spans({"links": [{}, {"spanId": "no"}]}), "traces")

    assert error.field == "resourceSpans[0].scopeSpans[0].spans[0].links[1].spanId"


def test_hex_of_another_even_length_is_kept() -> None:  # J04
    assert log({"traceId": "abcdef"}).trace_id == b"\xab\xcd\xef"


# Enums and numbers


def test_a_number_of_4000_digits_is_refused_in_few_words() -> None:  # J17
    text = b'[{"logRecords":[{"severityText":"\xff","timeUnixNano":%s}]}]' % (b"7" * 4000)

    error = refused(b'{"resourceLogs":[{"scopeLogs":' + text + b"}]}")

    assert error.field.endswith(".timeUnixNano")
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("given", "number"), [(9, 9), (99, 99), ("9", 9), ("SEVERITY_NUMBER_INFO", 9), (-1, -1)]
)
def test_enums(given: Any, number: int) -> None:  # J07
    assert log({"severityNumber": given}).severity_number == number


def test_enum_names_of_spans() -> None:
    read = span({"kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_ERROR"}})

    assert (read.kind, read.status.code) == (3, 2)


@pytest.mark.parametrize("bad", ["INFO", "SEVERITY_NUMBER_WHAT", 1.5, True, [], 2**31])
def test_other_enum_values_are_refused(bad: Any) -> None:
    error = refused(logs({"severityNumber": bad}))

    assert error.field.endswith(".severityNumber")


@pytest.mark.parametrize("form", [str, int])
@pytest.mark.parametrize("time", [0, 1544712660300000000, 2**53 + 1, 2**63, 2**64 - 1])
def test_times_are_exact_as_string_and_number(time: int, form: type) -> None:  # J08
    assert log({"timeUnixNano": form(time)}).time_unix_nano == time


@pytest.mark.parametrize(
    "bad",
    [-1, "-1", 2**64, str(2**64), 1.5e18, 1.0, "1.5e18", "", " 1", "1_0", "0x1", "\u0663", True, {},
     "9" * 300_000],
    ids=lambda bad: repr(bad)[:20],
)  # fmt: skip
def test_other_times_are_refused(bad: Any) -> None:
    error = refused(logs({"timeUnixNano": bad}))

    assert error.field == "resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano"
    assert len(str(error)) < 300


@pytest.mark.parametrize("form", [str, int])
@pytest.mark.parametrize("number", [0, 9007199254740993, 2**63 - 1, -(2**63)])
def test_integers_are_exact(number: int, form: type) -> None:  # J09
    assert value({"intValue": form(number)}).int_value == number


@pytest.mark.parametrize("bad", [2**63, -(2**63) - 1, "1e3", 1e3])
def test_other_integers_are_refused(bad: Any) -> None:
    assert "body.intValue" in str(refused(logs({"body": {"intValue": bad}})))


@pytest.mark.parametrize("bad", [-1, 2**32, "x"])
@pytest.mark.parametrize("name", ["flags", "droppedAttributesCount"])
def test_counts_and_flags_have_32_bits(name: str, bad: Any) -> None:
    assert refused(logs({name: bad})).field.endswith(name)
    assert getattr(log({"flags": 2**32 - 1}), "flags") == 2**32 - 1  # noqa: B009


@pytest.mark.parametrize(
    ("given", "number"),
    [(0.1, 0.1), (1, 1.0), ("2.5e-3", 0.0025), ("Infinity", math.inf), ("-Infinity", -math.inf),
     (2**64, 2.0**64), ("-0", -0.0)],
)  # fmt: skip
def test_doubles(given: Any, number: float) -> None:  # J11
    read = value({"doubleValue": given}).double_value

    assert (read, math.copysign(1, read)) == (number, math.copysign(1, number))


def test_nan_is_a_string() -> None:
    assert math.isnan(value({"doubleValue": "NaN"}).double_value)
    with pytest.raises(MalformedRequest, match="not JSON"):
        decoded(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"doubleValue":NaN}}]}]}]}')


@pytest.mark.parametrize("bad", ["nan", "inf", "1_0", " 1", "", "1e999", True, None, []])
def test_other_doubles_are_refused(bad: Any) -> None:
    if bad is None:
        assert value({"doubleValue": bad}).WhichOneof("value") is None
    else:
        assert "body.doubleValue" in str(refused(logs({"body": {"doubleValue": bad}})))


@pytest.mark.parametrize("text", ["+/+/AA==", "-_-_AA==", "+/+/AA", "-_-_AA"])
def test_bytes_in_every_base64(text: str) -> None:  # J10
    assert value({"bytesValue": text}).bytes_value == b"\xfb\xff\xbf\x00"


@pytest.mark.parametrize("bad", ["A", "AAAAA", "A=B=", "A A=", "é", [1, 2], 7])
def test_other_bytes_are_refused(bad: Any) -> None:
    assert "base64" in str(refused(logs({"body": {"bytesValue": bad}})))
