"""What senders are told: one table from error class to answer (DESIGN 6).

With stock senders an answer neither 200 nor retryable destroys the data (docs/otlp.md 0.1).
So only what sending again cannot mend has another code, and the unforeseen is retryable.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from audit_receiver.errors import (
    Conflict,
    Forbidden,
    MalformedRequest,
    RequestTooLarge,
    RetryLater,
    Unauthenticated,
    UnsupportedMediaType,
)
from audit_receiver.otlp.codec import CONTENT_TYPE, Media

# The Collector reads 64 KiB of an answer and chokes on more; gRPC metadata end at 8 KiB.
_MESSAGE_BYTES = 1024
_FIELD_BYTES = 256


class Answer(NamedTuple):
    """An answer that is not a success."""

    http: int
    grpc: str  # name of the gRPC code, also the code of the google.rpc.Status
    message: str
    retry_after: int | None = None  # seconds; only with 503 and UNAVAILABLE
    field: str = ""  # where in the request, if that is known
    allow: str = ""  # the Allow header


class _Row(NamedTuple):
    http: int
    grpc: str


# The most derived class that is listed counts. An unknown content encoding is a MalformedRequest.
_TABLE: dict[type[Exception], _Row] = {
    MalformedRequest: _Row(400, "INVALID_ARGUMENT"),
    UnsupportedMediaType: _Row(415, "INVALID_ARGUMENT"),
    Unauthenticated: _Row(401, "UNAUTHENTICATED"),
    Forbidden: _Row(403, "PERMISSION_DENIED"),
    Conflict: _Row(409, "ALREADY_EXISTS"),
    RequestTooLarge: _Row(413, "RESOURCE_EXHAUSTED"),
    RetryLater: _Row(503, "UNAVAILABLE"),
}
_RETRY_SECONDS = RetryLater.retry_after_seconds
_UNFORESEEN = "the receiver failed on this request and did not store it; send it again"


def answer(error: BaseException) -> Answer:
    """The answer to a request that ended in an error; one we did not foresee is our fault."""
    for kind in type(error).__mro__:
        row = _TABLE.get(kind)
        if row is not None:
            retry = (
                getattr(error, "retry_after_seconds", _RETRY_SECONDS) if row.http == 503 else None
            )
            return Answer(*row, str(error), retry, getattr(error, "field", ""))
    return Answer(503, "UNAVAILABLE", _UNFORESEEN, _RETRY_SECONDS)


def not_found(path: str, served: Iterable[str]) -> Answer:
    """The answer for a path that is not served."""
    shown = path[:100] + ("…" if len(path) > 100 else "")
    message = f"nothing is served at {shown!r}; OTLP/HTTP is at {', '.join(served)}"
    return Answer(404, "UNIMPLEMENTED", message)


def method_not_allowed(method: str) -> Answer:
    """The answer for a method other than POST."""
    message = f"method {method[:20]!r} is not allowed; send POST"
    return Answer(405, "UNIMPLEMENTED", message, allow="POST")


def success_body(media: Media) -> bytes:
    """An export response with partial_success unset, as it is on full success (OTLP 1.6)."""
    return b"{}" if media == "json" else b""


def http_error(answer: Answer, media: Media | None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers, and a google.rpc.Status in the request's encoding, JSON if unknown."""
    headers = {"Content-Type": CONTENT_TYPE[media or "json"]}
    if answer.retry_after is not None:
        headers["Retry-After"] = str(answer.retry_after)
    if answer.allow:
        headers["Allow"] = answer.allow
    if answer.http == 401:  # RFC 9110, 11.6.1
        headers["WWW-Authenticate"] = 'Bearer realm="audit-receiver"'
    body = _protobuf(answer) if media == "protobuf" else _json(answer)
    return answer.http, headers, body


def grpc_error(answer: Answer) -> tuple[str, str, tuple[tuple[str, bytes], ...]]:
    """Name of the code, message, and trailing metadata.

    RetryInfo goes out twice: the Collector reads it from `grpc-status-details-bin`, the Python SDK
    from `google.rpc.retryinfo-bin`.
    """
    trailers: list[tuple[str, bytes]] = [("grpc-status-details-bin", _protobuf(answer))]
    if answer.retry_after is not None:
        retry = _retry_info(answer.retry_after).SerializeToString()
        trailers.append(("google.rpc.retryinfo-bin", retry))
    return answer.grpc, _cut(answer.message, _MESSAGE_BYTES), tuple(trailers)


def _protobuf(answer: Answer) -> bytes:
    message = _cut(answer.message, _MESSAGE_BYTES)
    status = Status(code=Code.Value(answer.grpc), message=message)
    if answer.retry_after is not None:
        status.details.add().Pack(_retry_info(answer.retry_after))
    elif answer.field:
        violation = BadRequest.FieldViolation(
            field=_cut(answer.field, _FIELD_BYTES), description=message
        )
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    data: bytes = status.SerializeToString()
    return data


def _json(answer: Answer) -> bytes:
    message = _cut(answer.message, _MESSAGE_BYTES)
    status: dict[str, object] = {"code": Code.Value(answer.grpc), "message": message}
    if answer.retry_after is not None:
        status["details"] = [
            {"@type": _type_url(RetryInfo), "retryDelay": f"{answer.retry_after}s"}
        ]
    elif answer.field:
        violation = {"field": _cut(answer.field, _FIELD_BYTES), "description": message}
        status["details"] = [{"@type": _type_url(BadRequest), "fieldViolations": [violation]}]
    return json.dumps(status, ensure_ascii=False, separators=(",", ":")).encode()


def _type_url(kind: type[RetryInfo | BadRequest]) -> str:
    return f"type.googleapis.com/{kind.DESCRIPTOR.full_name}"


def _retry_info(seconds: int) -> RetryInfo:
    return RetryInfo(retry_delay=Duration(seconds=seconds))


def _cut(text: str, size: int) -> str:
    """Text that is UTF-8 and has at most `size` bytes of it."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= size:
        return raw.decode()
    return raw[: size - 3].decode("utf-8", "ignore") + "…"
