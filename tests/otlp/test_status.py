"""Answers to senders, as the table of DESIGN 6 and the OTLP specification have them."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from audit_receiver import errors
from audit_receiver.otlp import status
from audit_receiver.otlp.status import answer

SERVED = ("/v1/traces", "/v1/logs")
MALFORMED = errors.MalformedRequest("spans[0].traceId: not hex", "spans[0].traceId")


@pytest.mark.parametrize(
    ("error", "http", "grpc", "retry"),
    [
        (errors.MalformedRequest("m"), 400, "INVALID_ARGUMENT", None),
        (errors.UnsupportedEncoding("m"), 400, "INVALID_ARGUMENT", None),
        (errors.UnsupportedMediaType("m"), 415, "INVALID_ARGUMENT", None),
        (errors.Unauthenticated("m"), 401, "UNAUTHENTICATED", None),
        (errors.Forbidden("m"), 403, "PERMISSION_DENIED", None),
        (errors.Conflict([("id", "a", "b")]), 409, "ALREADY_EXISTS", None),
        (errors.RequestTooLarge("m"), 413, "RESOURCE_EXHAUSTED", None),
        (errors.LedgerBusy("m"), 503, "UNAVAILABLE", 1),
        (errors.LedgerUnavailable("m"), 503, "UNAVAILABLE", 1),
        (errors.ShuttingDown("m"), 503, "UNAVAILABLE", 1),
        (errors.RetryLater("m"), 503, "UNAVAILABLE", 1),
        (errors.LedgerFatal("m"), 503, "UNAVAILABLE", 1),
        (errors.LedgerError("m"), 503, "UNAVAILABLE", 1),
        (errors.SenderError("m"), 503, "UNAVAILABLE", 1),
        (ValueError("m"), 503, "UNAVAILABLE", 1),
        (MemoryError(), 503, "UNAVAILABLE", 1),
        (KeyboardInterrupt(), 503, "UNAVAILABLE", 1),
    ],
)
def test_the_table(error: BaseException, http: int, grpc: str, retry: int | None) -> None:
    given = answer(error)

    assert (given.http, given.grpc, given.retry_after) == (http, grpc, retry)


def test_no_answer_makes_stock_senders_drop_for_our_fault() -> None:  # E02
    kinds = [errors.AuditReceiverError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())

    for kind in kinds:
        given = answer(_made(kind))
        assert given.http in (400, 401, 403, 409, 413, 415, 503)
        assert given.grpc not in ("UNKNOWN", "INTERNAL")
        if not issubclass(kind, errors.SenderError):
            assert given.retry_after == 1


def _made(kind: type[errors.AuditReceiverError]) -> errors.AuditReceiverError:
    """One of these, whatever it is usually made with: of every room that is loaded by now."""
    if kind is errors.Conflict:
        return errors.Conflict([("id", "a", "b")])
    return kind.__new__(kind, "m")


def test_our_own_failures_tell_nothing_of_our_insides() -> None:
    assert "secret" not in answer(RuntimeError("secret")).message


def test_a_path_that_is_not_served() -> None:  # H14, E08
    given = status.not_found("/v1/metrics", SERVED)
    code, _, body = status.http_error(given, None)

    assert (code, given.grpc, given.retry_after) == (404, "UNIMPLEMENTED", None)
    assert all(path in json.loads(body)["message"] for path in (*SERVED, "/v1/metrics"))


def test_another_method() -> None:  # H12
    code, headers, body = status.http_error(status.method_not_allowed("GET"), None)

    assert (code, headers["Allow"]) == (405, "POST")
    assert headers["Content-Type"] == "application/json"
    assert "POST" in json.loads(body)["message"]


def test_success_leaves_partial_success_unset() -> None:  # 1.6, H01, H02
    assert status.success_body("protobuf") == b""
    assert status.success_body("json") == b"{}"


def test_a_bad_request_in_protobuf_names_the_field() -> None:  # H09, 1.20, 1.22
    code, headers, body = status.http_error(answer(MALFORMED), "protobuf")

    read, detail = Status.FromString(body), BadRequest()
    assert (code, headers) == (400, {"Content-Type": "application/x-protobuf"})
    assert (read.code, read.message) == (Code.INVALID_ARGUMENT, str(MALFORMED))
    assert read.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "spans[0].traceId"
    assert detail.field_violations[0].description == str(MALFORMED)


@pytest.mark.parametrize("media", ["json", None])
def test_a_bad_request_in_json(media: Any) -> None:  # H05, H08
    code, headers, body = status.http_error(answer(MALFORMED), media)

    assert (code, headers) == (400, {"Content-Type": "application/json"})
    assert json.loads(body)["code"] == 3


@pytest.mark.parametrize(
    "error",
    [MALFORMED, errors.LedgerBusy("queue full"), errors.RequestTooLarge("big"), ValueError()],
)
def test_json_and_protobuf_say_the_same(error: Exception) -> None:
    _, _, text = status.http_error(answer(error), "json")
    _, _, data = status.http_error(answer(error), "protobuf")

    assert json_format.Parse(text, Status()) == Status.FromString(data)


def test_a_retryable_answer() -> None:  # E01, E04, D
    code, headers, body = status.http_error(answer(errors.LedgerBusy("queue full")), "protobuf")

    detail = RetryInfo()
    assert (code, headers["Retry-After"]) == (503, "1")
    assert Status.FromString(body).code == Code.UNAVAILABLE
    assert Status.FromString(body).details[0].Unpack(detail)
    assert detail.retry_delay.seconds == 1


def test_a_retryable_answer_in_grpc_has_both_trailers() -> None:  # G07
    name, message, metadata = status.grpc_error(answer(errors.LedgerBusy("queue full")))

    trailers, in_details = dict(metadata), RetryInfo()
    assert (name, message) == ("UNAVAILABLE", "queue full")
    read = Status.FromString(trailers["grpc-status-details-bin"])
    assert (read.code, read.message) == (14, "queue full")
    assert read.details[0].Unpack(in_details)
    assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]) == in_details
    assert in_details.retry_delay.ToMilliseconds() == 1000


def test_too_large_in_grpc_must_not_be_retried() -> None:  # G04, 1.3
    name, _, metadata = status.grpc_error(answer(errors.RequestTooLarge("big")))

    assert name == "RESOURCE_EXHAUSTED"
    assert [key for key, _ in metadata] == ["grpc-status-details-bin"]
    assert not Status.FromString(metadata[0][1]).details


def test_a_bad_request_in_grpc_names_the_field() -> None:  # G03
    name, _, metadata = status.grpc_error(answer(MALFORMED))

    detail = BadRequest()
    assert name == "INVALID_ARGUMENT"
    assert Status.FromString(dict(metadata)["grpc-status-details-bin"]).details[0].Unpack(detail)
    assert detail.field_violations[0].field == "spans[0].traceId"


@pytest.mark.parametrize("text", ["x" * 1_000_000, "ü" * 500_000, "\x00\n" * 500_000, "\ud800" * 9])
def test_answers_stay_small_whatever_they_quote(text: str) -> None:  # H22
    given = answer(errors.MalformedRequest(text, text))

    for media in ("json", "protobuf", None):
        assert len(status.http_error(given, media)[2]) < 16_000  # type: ignore[arg-type]
    _, message, metadata = status.grpc_error(given)
    assert len(message.encode()) + sum(len(value) for _, value in metadata) < 6_000
    body = status.http_error(status.not_found(text, SERVED), None)[2]
    assert len(body) < 16_000
    assert SERVED[1] in json.loads(body)["message"]
    assert len(status.http_error(status.method_not_allowed(text), None)[2]) < 16_000
