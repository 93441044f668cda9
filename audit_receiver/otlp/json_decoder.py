"""OTLP/JSON to protobuf items (proto docs/specification.md, "JSON Protobuf Encoding").

protobuf's own `json_format` cannot be used: it reads hex ids as base64, silently.
As in the Collector, member names in snake_case and names of enum values are taken too, where the
specification has one form only: ignoring them would lose records without a word.
Members that the protocol does not know are ignored, and counted.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from audit_receiver.errors import MalformedRequest
from audit_receiver.otlp import json_fields as fields
from audit_receiver.otlp import json_text, schema
from audit_receiver.otlp.envelope import Allowance, Request, ResourceGroup, ScopeGroup, Signal
from audit_receiver.otlp.json_fields import WrongValue
from audit_receiver.otlp.json_message import (
    ANY_VALUE,
    PAIRS,
    TEXTS,
    Filler,
    Part,
    Table,
    message,
    messages,
    table,
)

# Objects, arrays and commas: an item of twelve attributes has some sixty, few requests are full.
_VALUES_PER_ITEM = 25
_VALUES = 1_000_000  # at least


def decode(signal: Signal, data: bytes, item_limit: int, nesting: int) -> Request:
    """An export request out of OTLP/JSON text.

    Raises:
        MalformedRequest: not JSON, or a value that its field cannot take; `field` names it.
        RequestTooLarge: more items, envelopes or values than one request may hold.
    """
    tree = json_text.parse(data, max(item_limit * _VALUES_PER_ITEM, _VALUES))
    if tree.__class__ is not dict:
        raise MalformedRequest(f"an export request is a JSON object, not {fields.shown(tree)}")
    filler = Filler(Allowance(item_limit), nesting)
    request = _Envelope()
    try:
        filler.fill(request, _REQUEST[signal], tree)
    except WrongValue as wrong:
        raise MalformedRequest(f"{wrong.field}: {wrong}", wrong.field) from None
    return Request(signal, request.inner, b"", nesting, filler.ignored)


class _Envelope:
    """What a request, a ResourceSpans, a ScopeLogs… holds, while it is read."""

    def __init__(self, first: Any = None) -> None:
        self.first = first  # Resource or InstrumentationScope
        self.schema_url = b""
        self.inner: list[Any] = []


def _first(members: Table) -> Part:
    """The resource or scope of an envelope."""
    return Part(
        lambda filler, envelope, _, value, level: filler.fill(envelope.first, members, value, level)
    )


def _envelopes(kind: Any, group: Any, members: Table) -> Part:
    """The repeated envelopes in another: `kind` is what they are of, `group` what they become."""

    def read(filler: Filler, outer: _Envelope, field: str, value: Any, level: int) -> None:
        def one(tree: Any) -> None:
            filler.allowance.take(1)
            envelope = _Envelope(kind())
            filler.fill(envelope, members, tree)
            data = envelope.first.SerializeToString()
            outer.inner.append(group(data, envelope.schema_url, b"", envelope.inner))

        filler.each(value, one)

    return Part(read)


def _items(kind: Any, members: Table) -> Part:
    """The spans or log records of an envelope."""

    def read(filler: Filler, envelope: _Envelope, field: str, value: Any, level: int) -> None:
        def one(tree: Any) -> None:
            filler.allowance.take(1)
            item = kind()
            filler.fill(item, members, tree)
            envelope.inner.append(item.SerializeToString())

        filler.each(value, one)

    return Part(read)


def _enum(wrapper: Any) -> Callable[[Any], int]:
    return partial(fields.enumeration, names=dict(wrapper.items()))


_RESOURCE = table(
    attributes=PAIRS,
    dropped_attributes_count=fields.uint32,
    entity_refs=messages(
        table(
            schema_url=fields.text,
            type=fields.text,
            id_keys=TEXTS,
            description_keys=TEXTS,
        )
    ),
)
_SCOPE = table(
    name=fields.text,
    version=fields.text,
    attributes=PAIRS,
    dropped_attributes_count=fields.uint32,
)
_EVENT = table(
    time_unix_nano=fields.uint64,
    name=fields.text,
    attributes=PAIRS,
    dropped_attributes_count=fields.uint32,
)
_LINK = table(
    trace_id=fields.hex_id,
    span_id=fields.hex_id,
    trace_state=fields.text,
    attributes=PAIRS,
    dropped_attributes_count=fields.uint32,
    flags=fields.uint32,
)
_STATUS = table(message=fields.text, code=_enum(trace_pb2.Status.StatusCode))
_SPAN = table(
    trace_id=fields.hex_id,
    span_id=fields.hex_id,
    trace_state=fields.text,
    parent_span_id=fields.hex_id,
    flags=fields.uint32,
    name=fields.text,
    kind=_enum(trace_pb2.Span.SpanKind),
    start_time_unix_nano=fields.uint64,
    end_time_unix_nano=fields.uint64,
    attributes=PAIRS,
    dropped_attributes_count=fields.uint32,
    events=messages(_EVENT),
    dropped_events_count=fields.uint32,
    links=messages(_LINK),
    dropped_links_count=fields.uint32,
    status=message(_STATUS),
)
_LOG_RECORD = table(
    time_unix_nano=fields.uint64,
    observed_time_unix_nano=fields.uint64,
    severity_number=_enum(logs_pb2.SeverityNumber),
    severity_text=fields.text,
    body=ANY_VALUE,
    attributes=PAIRS,
    dropped_attributes_count=fields.uint32,
    flags=fields.uint32,
    trace_id=fields.hex_id,
    span_id=fields.hex_id,
    event_name=fields.text,
)


def _request(outer: str, middle: str, inner: str, old: str, items: Part) -> Table:
    """The table of a request. `old` is the name of `middle` in senders before OTLP 0.15."""
    scope = table(
        scope=_first(_SCOPE),
        instrumentation_library=_first(_SCOPE),
        schema_url=fields.text,
        **{inner: items},
    )
    scopes = _envelopes(schema.InstrumentationScope, ScopeGroup, scope)
    group = table(
        resource=_first(_RESOURCE), schema_url=fields.text, **{middle: scopes, old: scopes}
    )
    return table(**{outer: _envelopes(schema.Resource, ResourceGroup, group)})


_REQUEST: dict[Signal, Table] = {
    "traces": _request(
        "resource_spans",
        "scope_spans",
        "spans",
        "instrumentation_library_spans",
        _items(schema.Span, _SPAN),
    ),
    "logs": _request(
        "resource_logs",
        "scope_logs",
        "log_records",
        "instrumentation_library_logs",
        _items(schema.LogRecord, _LOG_RECORD),
    ),
}
