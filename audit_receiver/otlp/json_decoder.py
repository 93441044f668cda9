"""OTLP/JSON to protobuf items (proto docs/specification.md, "JSON Protobuf Encoding").

protobuf's own `json_format` cannot be used: it reads hex ids as base64, silently.
As in the Collector, member names in snake_case and names of enum values are taken too, where the
specification has one form only: ignoring them would lose records without a word.
Members that the protocol does not know are ignored, and counted.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from audit_receiver.errors import MalformedRequest
from audit_receiver.otlp import json_fields as fields
from audit_receiver.otlp import json_text, schema
from audit_receiver.otlp.envelope import Allowance, Request, ResourceGroup, ScopeGroup, Signal
from audit_receiver.otlp.json_fields import WrongValue
from audit_receiver.otlp.json_text import string_bytes
from audit_receiver.otlp.wire import encode_varint

# Objects, arrays and commas: an item of twelve attributes has some sixty, few requests are full.
_VALUES_PER_ITEM = 25
_VALUES = 1_000_000  # at least


class _Envelope:
    """What a ResourceSpans, ScopeSpans, ResourceLogs or ScopeLogs holds, while it is read."""

    def __init__(self, first: Any) -> None:
        self.first = first  # Resource or InstrumentationScope
        self.schema_url = b""
        self.inner: list[Any] = []


class _Part(NamedTuple):
    """How to read a member that is not a scalar: read(decoder, message, field, value, level)."""

    read: Callable[["_Decoder", Any, str, Any, int], None]


_Entry = tuple[str, Callable[[Any], Any] | None, Callable[..., None] | None]
_Table = dict[str, _Entry]


def decode(signal: Signal, data: bytes, item_limit: int, nesting: int) -> Request:
    """An export request out of OTLP/JSON text.

    Raises:
        MalformedRequest: not JSON, or a value that its field cannot take; `field` names it.
        RequestTooLarge: more items, envelopes or values than one request may hold.
    """
    tree = json_text.parse(data, max(item_limit * _VALUES_PER_ITEM, _VALUES))
    if tree.__class__ is not dict:
        raise MalformedRequest(f"an export request is a JSON object, not {fields.shown(tree)}")
    decoder = _Decoder(signal, item_limit, nesting)
    request = _Envelope(None)
    try:
        decoder.fill(request, decoder.tables[0], tree)
    except WrongValue as wrong:
        raise MalformedRequest(f"{wrong.field}: {wrong}", wrong.field) from None
    return Request(signal, request.inner, b"", nesting, decoder.ignored)


class _Decoder:
    """One decoding: what may still come, and how many members were ignored."""

    def __init__(self, signal: Signal, item_limit: int, nesting: int) -> None:
        self.tables = _TABLES[signal]
        self.kind: Any = schema.Span if signal == "traces" else schema.LogRecord
        self.allowance = Allowance(item_limit)
        self.nesting = nesting
        self.ignored = 0

    def fill(self, message: Any, table: _Table, tree: Any, level: int = 1) -> None:
        """Set the fields of a message from the members of an object; null is absent."""
        for name, value in _members(tree):
            entry = table.get(name)
            if entry is None:
                self.ignored += 1
            elif value is not None:
                field, scalar, read = entry
                try:
                    if scalar is not None:
                        setattr(message, field, scalar(value))
                    elif read is not None:
                        read(self, message, field, value, level)
                except WrongValue as wrong:
                    wrong.path.append(f".{name}")
                    raise

    def each(self, value: Any, read: Callable[[Any], None]) -> None:
        """Read the elements of an array."""
        done = 0
        elements = _elements(value)
        try:
            for element in elements:
                read(element)
                done += 1
        except WrongValue as wrong:
            wrong.path.append(f"[{done}]")
            raise

    # Parts: members that are not scalars.

    def groups(self, envelope: _Envelope, field: str, value: Any, level: int) -> None:
        """Read resource_spans or resource_logs."""

        def read(tree: Any) -> None:
            self.allowance.take(1)
            group = _Envelope(schema.Resource())
            self.fill(group, self.tables[1], tree)
            data = group.first.SerializeToString()
            envelope.inner.append(ResourceGroup(data, group.schema_url, b"", group.inner))

        self.each(value, read)

    def scopes(self, envelope: _Envelope, field: str, value: Any, level: int) -> None:
        """Read scope_spans or scope_logs."""

        def read(tree: Any) -> None:
            self.allowance.take(1)
            scope = _Envelope(schema.InstrumentationScope())
            self.fill(scope, self.tables[2], tree)
            data = scope.first.SerializeToString()
            envelope.inner.append(ScopeGroup(data, scope.schema_url, b"", scope.inner))

        self.each(value, read)

    def items(self, envelope: _Envelope, field: str, value: Any, level: int) -> None:
        """Read spans or log_records."""

        def read(tree: Any) -> None:
            self.allowance.take(1)
            item = self.kind()
            self.fill(item, self.tables[3], tree)
            envelope.inner.append(item.SerializeToString())

        self.each(value, read)

    def message(self, table: _Table, parent: Any, field: str, value: Any, level: int = 1) -> None:
        """Read a message in a message."""
        child = getattr(parent, field)
        child.SetInParent()
        self.fill(child, table, value, level)

    def messages(self, table: _Table, parent: Any, field: str, value: Any, level: int) -> None:
        """Read a repeated message."""
        add = getattr(parent, field).add
        self.each(value, lambda tree: self.fill(add(), table, tree, level))

    def texts(self, parent: Any, field: str, value: Any, level: int) -> None:
        """Read a repeated string."""
        append = getattr(parent, field).append
        self.each(value, lambda text: append(fields.text(text)))

    def pairs(self, parent: Any, field: str, value: Any, level: int) -> None:
        """Read an attribute list whose values are `level` deep."""
        add = getattr(parent, field).add

        def read(tree: Any) -> None:
            pair = add()
            if tree.__class__ is dict and len(tree) == 2:  # nearly always a key and a string
                inner = tree.get("value")
                if inner.__class__ is dict and len(inner) == 1:
                    key, text = tree.get("key"), inner.get("stringValue")
                    if key.__class__ is str and text.__class__ is str:
                        pair.key = string_bytes(key)
                        pair.value.string_value = string_bytes(text)
                        return
            self.fill(pair, _KEY_VALUE, tree, level)

        self.each(value, read)

    def list_inside(self, target: Any, field: str, value: Any, level: int) -> None:
        """Read an array or map into its field, where it stands as protobuf (see `schema`)."""
        if level >= self.nesting:
            raise WrongValue(f"values nest deeper than {self.nesting} levels")
        result: Any = schema.ArrayValue() if field == "array_value" else schema.KeyValueList()
        table = _ARRAY_VALUE if field == "array_value" else _KEY_VALUE_LIST
        self.fill(result, table, value, level + 1)
        setattr(target, field, result.SerializeToString())

    def any_values(self, parent: Any, field: str, value: Any, level: int) -> None:
        """Read the elements of an array value; null is an empty one."""
        self.messages(_ANY_VALUE, parent, field, value, level)

    def any_value(self, parent: Any, field: str, value: Any, level: int) -> None:
        """Read an AnyValue. Of two members of its oneof the last one holds."""
        self.message(_ANY_VALUE, parent, field, value, level)

    def index(self, number: int, message: Any, field: str, value: Any, level: int) -> None:
        """Keep a profiling-only index, which our schema does not know, as protobuf would."""
        message.MergeFromString(encode_varint(number << 3) + encode_varint(fields.int32(value)))


def _members(tree: Any) -> Iterable[tuple[str, Any]]:
    if tree.__class__ is dict:
        items: Iterable[tuple[str, Any]] = tree.items()
        return items
    if tree is None:
        return ()
    raise WrongValue(f"expected an object, found {fields.shown(tree)}")


def _elements(value: Any) -> list[Any]:
    if value.__class__ is list:
        elements: list[Any] = value
        return elements
    raise WrongValue(f"expected an array, found {fields.shown(value)}")


def _table(**members: Callable[[Any], Any] | _Part) -> _Table:
    """Members by both their names, lowerCamelCase and as in protobuf."""
    table: _Table = {}
    for field, read in members.items():
        entry: _Entry = (field, None, read.read) if isinstance(read, _Part) else (field, read, None)
        first, *others = field.split("_")
        table[field] = table[first + "".join(map(str.capitalize, others))] = entry
    return table


def _first(table: _Table) -> _Part:
    return _Part(
        lambda decoder, envelope, _, value, level: decoder.fill(envelope.first, table, value, level)
    )


def _message(table: _Table) -> _Part:
    return _Part(lambda decoder, *rest: decoder.message(table, *rest))


def _messages(table: _Table) -> _Part:
    return _Part(lambda decoder, *rest: decoder.messages(table, *rest))


def _index(number: int) -> _Part:
    return _Part(lambda decoder, *rest: decoder.index(number, *rest))


def _enum(wrapper: Any) -> Callable[[Any], int]:
    return partial(fields.enumeration, names=dict(wrapper.items()))


_PAIRS = _Part(_Decoder.pairs)
_ANY_VALUE = _table(
    string_value=fields.text,
    bool_value=fields.boolean,
    int_value=fields.int64,
    double_value=fields.double,
    bytes_value=fields.base64_bytes,
    array_value=_Part(_Decoder.list_inside),
    kvlist_value=_Part(_Decoder.list_inside),
    string_value_strindex=_index(8),
)
_ARRAY_VALUE = _table(values=_Part(_Decoder.any_values))
_KEY_VALUE_LIST = _table(values=_PAIRS)
_KEY_VALUE = _table(key=fields.text, value=_Part(_Decoder.any_value), key_strindex=_index(3))
_RESOURCE = _table(
    attributes=_PAIRS,
    dropped_attributes_count=fields.uint32,
    entity_refs=_messages(
        _table(
            schema_url=fields.text,
            type=fields.text,
            id_keys=_Part(_Decoder.texts),
            description_keys=_Part(_Decoder.texts),
        )
    ),
)
_SCOPE = _table(
    name=fields.text,
    version=fields.text,
    attributes=_PAIRS,
    dropped_attributes_count=fields.uint32,
)
_EVENT = _table(
    time_unix_nano=fields.uint64,
    name=fields.text,
    attributes=_PAIRS,
    dropped_attributes_count=fields.uint32,
)
_LINK = _table(
    trace_id=fields.hex_id,
    span_id=fields.hex_id,
    trace_state=fields.text,
    attributes=_PAIRS,
    dropped_attributes_count=fields.uint32,
    flags=fields.uint32,
)
_STATUS = _table(message=fields.text, code=_enum(trace_pb2.Status.StatusCode))
_SPAN = _table(
    trace_id=fields.hex_id,
    span_id=fields.hex_id,
    trace_state=fields.text,
    parent_span_id=fields.hex_id,
    flags=fields.uint32,
    name=fields.text,
    kind=_enum(trace_pb2.Span.SpanKind),
    start_time_unix_nano=fields.uint64,
    end_time_unix_nano=fields.uint64,
    attributes=_PAIRS,
    dropped_attributes_count=fields.uint32,
    events=_messages(_EVENT),
    dropped_events_count=fields.uint32,
    links=_messages(_LINK),
    dropped_links_count=fields.uint32,
    status=_message(_STATUS),
)
_LOG_RECORD = _table(
    time_unix_nano=fields.uint64,
    observed_time_unix_nano=fields.uint64,
    severity_number=_enum(logs_pb2.SeverityNumber),
    severity_text=fields.text,
    body=_Part(_Decoder.any_value),
    attributes=_PAIRS,
    dropped_attributes_count=fields.uint32,
    flags=fields.uint32,
    trace_id=fields.hex_id,
    span_id=fields.hex_id,
    event_name=fields.text,
)


def _envelopes(outer: str, middle: str, inner: str, old: str, item: _Table) -> tuple[_Table, ...]:
    """The tables of a signal, outermost first. `old`: `middle` in senders before OTLP 0.15."""
    scopes, items = _Part(_Decoder.scopes), _Part(_Decoder.items)
    return (
        _table(**{outer: _Part(_Decoder.groups)}),
        _table(resource=_first(_RESOURCE), schema_url=fields.text, **{middle: scopes, old: scopes}),
        _table(
            scope=_first(_SCOPE),
            instrumentation_library=_first(_SCOPE),
            schema_url=fields.text,
            **{inner: items},
        ),
        item,
    )


_TABLES: dict[Signal, tuple[_Table, ...]] = {
    "traces": _envelopes(
        "resource_spans", "scope_spans", "spans", "instrumentation_library_spans", _SPAN
    ),
    "logs": _envelopes(
        "resource_logs", "scope_logs", "log_records", "instrumentation_library_logs", _LOG_RECORD
    ),
}
